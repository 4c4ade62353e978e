"""What a sensor measures: a channel has a unit, a possible range and a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

# UCUM case-sensitive codes (https://ucum.org); "1" is a number without a unit.
Unit = Literal[
    "1", "%", "[ppm]", "[ppb]",
    "Cel", "K", "Pa", "lx", "m", "mm", "s", "Hz",
    "V", "A", "W", "Ohm", "dB[mW]",
    "g", "g/m3", "ug/m3", "/dL", "m/s", "m/s2", "deg", "deg/s", "uT",
    "By", "By/s",
    # What users ask for, or count; see `pilogger.units`.
    "[degF]", "hPa", "kPa", "bar", "mm[Hg]", "[in_i'Hg]", "cm", "km", "[in_i]", "[ft_i]",
    "km/h", "[mi_i]/h", "[kn_i]", "l", "m3", "l/min", "m3/h", "/min",
    "J", "W.h", "kW.h", "mW", "kW", "mV", "mA",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity: its unit, the range the source can give, and a decimal step.

    `low` and `high` bound what is possible, not what is usual: a value outside was
    never measured. `step` is a power of ten (0.01, 1, ...) finer than the source
    resolves; values are rounded to it, because a made-up 12th digit costs bytes for ever.
    """

    unit: Unit
    low: float = -math.inf
    high: float = math.inf
    step: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a channel from {self.low} to {self.high} is empty")
        if self.step is not None and not (
            self.step > 0 and float(f"1e{self._exponent()}") == self.step
        ):
            raise ValueError(f"a step is a power of ten, not {self.step}")

    def _exponent(self) -> int:
        assert self.step is not None
        return round(math.log10(self.step))

    def moved(self, factor: float, shift: float, unit: Unit | None = None) -> Channel:
        """Return the channel of value * factor + shift; the factor is not 0.

        Raises:
            ValueError: nothing of its range, or of its step, would be left.
        """
        low, high = sorted((self.low * factor + shift, self.high * factor + shift))
        step = None if self.step is None else decade(self.step * abs(factor))
        return Channel(unit or self.unit, low, high, step)

    def round(self, value: float) -> float:
        """Round to the step; whole numbers and channels without a step stay as they are."""
        if self.step is None or isinstance(value, int):
            return value
        return round(value, -self._exponent())


def decade(step: float) -> float:
    """Return the greatest power of ten that is no coarser than a step.

    Raises:
        ValueError: the step is too small or too large for a number.
    """
    if not 0 < step < math.inf:
        raise ValueError("its values would be too small or too large for a number")
    return float(f"1e{math.floor(math.log10(step) + 1e-9)}")


def channels(reading: type) -> dict[str, Channel]:
    """Collect the channels of a `Reading`: its fields annotated with a `Channel`."""
    found: dict[str, Channel] = {}
    for name, hint in get_type_hints(reading, include_extras=True).items():
        for extra in getattr(hint, "__metadata__", ()):
            if isinstance(extra, Channel):
                found[name] = extra
    return found


def units(described: Mapping[str, Channel]) -> dict[str, Any]:
    """Reduce channels to their units, as the store keeps them."""
    return {name: channel.unit for name, channel in described.items()}
