"""Steps that look at one value alone.

Whole numbers stay whole where the arithmetic allows: 7 scaled by 2 is 14, scaled by 0.5 it is 3.5.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from pilogger.channel import Channel, Unit
from pilogger.errors import BadReading
from pilogger.units import conversion

Work = Callable[[float, int], float]
"""A step at work: takes a value and its boot time in microseconds."""


@dataclass(frozen=True, slots=True)
class Offset:
    """Adds to each value, in the unit that it has there."""

    by: float

    def through(self, channel: Channel) -> Channel:
        return channel.moved(1, self.by)

    def begin(self, channel: Channel) -> Work:  # noqa: ARG002
        by = whole(self.by)
        return lambda value, _: value + by


@dataclass(frozen=True, slots=True)
class Scale:
    """Multiplies each value.

    Raises:
        ValueError: by 0.
    """

    by: float

    def __post_init__(self) -> None:
        if not self.by:
            raise ValueError("scaled by 0, all values are 0")

    def through(self, channel: Channel) -> Channel:
        return channel.moved(self.by, 0)

    def begin(self, channel: Channel) -> Work:  # noqa: ARG002
        by = whole(self.by)
        return lambda value, _: value * by


@dataclass(frozen=True, slots=True)
class Convert:
    """Converts to another unit of the same quantity."""

    unit: Unit

    def through(self, channel: Channel) -> Channel:
        """Tell the channel in this unit.

        Raises:
            ValueError: it measures another quantity.
        """
        factor, shift = conversion(channel.unit, self.unit)
        return channel.moved(float(factor), float(shift), self.unit)

    def begin(self, channel: Channel) -> Work:
        factor, exact = conversion(channel.unit, self.unit)
        shift = whole(float(exact))
        if factor.denominator == 1:
            return lambda value, _: value * factor.numerator + shift
        # 1138 / 1000 is 1.138, but 1138 * 0.001 is not.
        return lambda value, _: value * factor.numerator / factor.denominator + shift


@dataclass(frozen=True, slots=True)
class Becomes:
    """Says which unit the numbers have now, after a calibration; nothing is calculated."""

    unit: Unit

    def through(self, channel: Channel) -> Channel:
        return replace(channel, unit=self.unit)

    def begin(self, channel: Channel) -> Work:  # noqa: ARG002
        return lambda value, _: value


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Calculates c0 + c1 x + c2 x² ...; how fine its values are is not known.

    Raises:
        ValueError: there are no coefficients.
    """

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.coefficients:
            raise ValueError("a polynomial has a coefficient or more, from the constant up")

    def through(self, channel: Channel) -> Channel:
        return Channel(channel.unit)

    def begin(self, channel: Channel) -> Work:  # noqa: ARG002
        falling = [whole(each) for each in reversed(self.coefficients)]

        def work(value: float, _: int) -> float:
            found = falling[0]
            for each in falling[1:]:  # Horner's scheme
                found = found * value + each
            return found

        return work


@dataclass(frozen=True, slots=True)
class Table:
    """Interpolates between points of a calibration; beyond them nothing is known.

    Raises:
        ValueError: less than two points, or two for one value.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        inputs = [x for x, _ in self.points]
        if len(inputs) < 2 or len(set(inputs)) < len(inputs):
            raise ValueError("a table has two points or more, each for another value")

    def through(self, channel: Channel) -> Channel:
        outputs = [y for _, y in self.points]
        if min(outputs) == max(outputs):
            return Channel(channel.unit)
        return Channel(channel.unit, min(outputs), max(outputs))

    def begin(self, channel: Channel) -> Work:
        points = sorted(self.points)
        inputs, outputs = [x for x, _ in points], [whole(y) for _, y in points]
        unit = channel.unit

        def work(value: float, _: int) -> float:
            if not inputs[0] <= value <= inputs[-1]:
                raise BadReading(_beyond(value, unit, "its table goes from", inputs[0], inputs[-1]))
            at = bisect_left(inputs, value)
            if value == inputs[at]:
                return outputs[at]
            share = (value - inputs[at - 1]) / (inputs[at] - inputs[at - 1])
            return outputs[at - 1] * (1 - share) + outputs[at] * share

        return work


@dataclass(frozen=True, slots=True)
class Clamp:
    """Takes values beyond a bound for the bound; None is no bound.

    Raises:
        ValueError: there is nothing between the bounds.
    """

    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)

    def through(self, channel: Channel) -> Channel:
        low, high = _bounds(self.low, self.high)
        low, high = max(low, channel.low), min(high, channel.high)
        return replace(channel, low=low, high=high) if low < high else channel

    def begin(self, channel: Channel) -> Work:  # noqa: ARG002
        low, high = map(whole, _bounds(self.low, self.high))
        return lambda value, _: low if value < low else high if value > high else value


@dataclass(frozen=True, slots=True)
class Valid:
    """Refuses values beyond a bound; None is no bound.

    Raises:
        ValueError: there is nothing between the bounds.
    """

    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)

    def through(self, channel: Channel) -> Channel:
        return Clamp(self.low, self.high).through(channel)

    def begin(self, channel: Channel) -> Work:
        low, high = _bounds(self.low, self.high)
        unit = channel.unit

        def work(value: float, _: int) -> float:
            if not low <= value <= high:
                raise BadReading(_beyond(value, unit, "valid is", low, high))
            return value

        return work


@dataclass(frozen=True, slots=True)
class Round:
    """Rounds to the nearest multiple of a step, without a made-up last digit.

    Raises:
        ValueError: the step is not more than 0.
    """

    to: float

    def __post_init__(self) -> None:
        if not self.to > 0:
            raise ValueError("values are rounded to multiples of more than 0")

    def through(self, channel: Channel) -> Channel:
        return replace(channel, step=None)  # it is round already

    def begin(self, channel: Channel) -> Work:  # noqa: ARG002
        step = Fraction(repr(self.to))

        def work(value: float, _: int) -> float:
            if isinstance(value, int) and not value % step:
                return value
            return float(round(Fraction(value) / step) * step)

        return work


def whole(number: float) -> float:
    """Return a number as an int if it is whole, so that whole values stay whole."""
    return int(number) if math.isfinite(number) and number == int(number) else number


def _bounds(low: float | None, high: float | None) -> tuple[float, float]:
    return -math.inf if low is None else low, math.inf if high is None else high


def _check_bounds(low: float | None, high: float | None) -> None:
    least, most = _bounds(low, high)
    if not least < most:
        raise ValueError(f"there is nothing between {least:g} and {most:g}")


def _beyond(value: float, unit: str, what: str, low: float, high: float) -> str:
    shown = f"{value:.6g}" if unit == "1" else f"{value:.6g} {unit}"
    if math.isinf(low) or math.isinf(high):
        limits = f"{high:.15g} or less" if math.isinf(low) else f"{low:.15g} or more"
    else:
        limits = f"{low:.15g} to {high:.15g}"
    return f"{shown}, {what} {limits}"
