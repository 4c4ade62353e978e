"""What is done to a channel, in the order in which it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from pilogger import pipeline
from pilogger.channel import Channel, Unit
from pilogger.config.durations import Interval, Span
from pilogger.config.names import Trail, meant
from pilogger.units import CODES, NAMES, unit_of

Tell = Callable[[Trail, str], object]
"""Is told a mistake: where, and what."""


def _unit(value: object) -> Unit:
    if not isinstance(value, str):
        raise ValueError("expected a unit, as in degF, hPa or kn")  # noqa: TRY004 - pydantic's
    if (code := unit_of(value)) is None:
        near = meant(value, [*NAMES, *CODES])
        raise ValueError(f"there is no such unit{near or ', as degF, hPa and kn are some'}")
    return code


UnitName = Annotated[
    str, BeforeValidator(_unit), WithJsonSchema({"enum": [*dict.fromkeys([*NAMES, *CODES])]})
]
"""The code of a unit, from that or from what people write."""

Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class OnChangeSettings:
    """When a value is stored that has hardly changed.

    Options:
        by: is how much is no change yet, in the unit that the value has there; 0 by default.
        heartbeat: is the longest time without a value, as in 10m.
    """

    by: float = 0.0
    heartbeat: Interval = pipeline.OnChange().heartbeat


@dataclass(frozen=True, slots=True)
class StepSettings:
    """Steps from the driver to the store, done in the order in which they are written.

    Options:
        offset: is added to each value, in the unit that it has there.
        scale: multiplies each value.
        polynomial: calculates c0 + c1 x + c2 x² ... from a list of coefficients.
        table: interpolates between points [value, true value]; beyond them a value is refused.
        clamp: takes values beyond [low, high] for the bound; a bound may be null.
        valid: refuses values beyond [low, high]; a bound may be null.
        unit: converts to another unit, as in degF, hPa, kn.
        becomes: says which unit the values have after a calibration, without a conversion.
        median: of the last readings (5) or of some time (1m), the present value among them.
        mean: the same, the arithmetic mean.
        min: the same, the least.
        max: the same, the greatest.
        round: rounds to multiples of a step, as in 0.5.
        on_change: stores a value only when it has changed.
    """

    offset: float = 0.0
    scale: float = 1.0
    polynomial: list[float] = field(default_factory=list)
    table: list[tuple[float, float]] = field(default_factory=list)
    clamp: Bounds = (None, None)
    valid: Bounds = (None, None)
    unit: UnitName = "1"
    becomes: UnitName = "1"
    median: Span = 5
    mean: Span = 5
    min: Span = 5
    max: Span = 5
    round: float = 1.0
    on_change: OnChangeSettings = field(default_factory=OnChangeSettings)


@dataclass(frozen=True, slots=True)
class ChannelSettings(StepSettings):
    """What is done to the values of one channel, in the order in which it is written.

    Options:
        raw: keeps every bit; otherwise values are rounded to the channel's step.
        steps: is a list of more steps, for those that are wanted twice.
    """

    raw: bool = False
    steps: list[StepSettings] = field(default_factory=list)


MAKERS: Mapping[str, Callable[[Any], pipeline.Step | pipeline.OnChange]] = {
    "offset": pipeline.Offset,
    "scale": pipeline.Scale,
    "polynomial": lambda given: pipeline.Polynomial(tuple(given)),
    "table": lambda given: pipeline.Table(tuple(given)),
    "clamp": lambda given: pipeline.Clamp(*given),
    "valid": lambda given: pipeline.Valid(*given),
    "unit": pipeline.Convert,
    "becomes": pipeline.Becomes,
    "median": lambda given: pipeline.Window("median", given),
    "mean": lambda given: pipeline.Window("mean", given),
    "min": lambda given: pipeline.Window("min", given),
    "max": lambda given: pipeline.Window("max", given),
    "round": pipeline.Round,
    "on_change": lambda given: pipeline.OnChange(given.by, given.heartbeat),
}


def treatment(
    given: ChannelSettings, written: Mapping[str, Any], trail: Trail, tell: Tell
) -> tuple[pipeline.Treatment, list[Trail]]:
    """Return the steps in the order in which they are `written`, and where each one is."""
    steps, places = [], []
    for place, name, value in _in_order(given, written, trail):
        try:
            steps.append(MAKERS[name](value))
            places.append(place)
        except ValueError as error:
            tell(place, str(error))
    return pipeline.Treatment(tuple(steps), raw=given.raw), places


def _in_order(
    given: StepSettings, written: Mapping[str, Any], trail: Trail
) -> Iterator[tuple[Trail, str, Any]]:
    for name in written:
        if name in MAKERS:
            yield (*trail, name), name, getattr(given, name)
        elif name == "steps" and isinstance(given, ChannelSettings):
            for at, inner in enumerate(given.steps):
                yield from _in_order(inner, written["steps"][at], (*trail, "steps", at))


def behind(
    channel: Channel, treated: pipeline.Treatment, places: list[Trail], tell: Tell
) -> Channel | None:
    """Return what a channel is behind its steps, or tell which cannot be done to it."""
    for step, place in zip(treated.steps, places, strict=True):
        if not isinstance(step, pipeline.OnChange):
            try:
                channel = step.through(channel)
            except ValueError as error:
                tell(place, str(error))
                return None
    return channel
