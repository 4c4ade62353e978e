"""Channels that are calculated from others: of the same sensor, or of another one.

What goes in is converted to the unit of the formula; where something is missing, old, or beyond the
formula's range, there is no value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pilogger import air
from pilogger.channel import Channel, Unit
from pilogger.units import conversion

TEMPERATURE = Channel("Cel", air.COLDEST, air.HOTTEST)
BEARABLE = Channel("Cel", air.COLDEST, 50)  # the chart ends at 43, the regression runs away
OUTDOORS = Channel("Cel", -90, 60)
HUMIDITY = Channel("%", 0, 100)
PRESSURE = Channel("Pa", 30_000, 120_000)


class Formula(NamedTuple):
    """What it calculates, from which inputs; an `optional` one is used only where it is named."""

    gives: Channel
    function: Callable[..., float | None]
    inputs: Mapping[str, Channel]
    optional: Mapping[str, Channel] = {}


MOIST = {"temperature": TEMPERATURE, "humidity": HUMIDITY}

FORMULAS = {
    "dew_point": Formula(Channel("Cel", -243, 60, 0.01), air.dew_point, MOIST),
    "absolute_humidity": Formula(Channel("g/m3", 0, 150, 0.001), air.absolute_humidity, MOIST),
    "vapour_pressure_deficit": Formula(
        Channel("Pa", 0, 20_000, 0.1), air.vapour_pressure_deficit, MOIST
    ),
    "heat_index": Formula(
        Channel("Cel", -60, 250, 0.01), air.heat_index, MOIST | {"temperature": BEARABLE}
    ),
    "sea_level_pressure": Formula(
        Channel("Pa", 20_000, 500_000, 0.1),
        air.sea_level_pressure,
        {"pressure": PRESSURE},
        {"temperature": OUTDOORS},
    ),
}


@dataclass(frozen=True, slots=True)
class Derivation:
    """A formula, the names of what goes in, and its fixed numbers.

    A name without a dot is a channel of the same sensor, one with a dot `sensor.channel`.
    """

    name: str
    inputs: Mapping[str, str]
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def formula(self) -> Formula:
        return FORMULAS[self.name]

    def wanted(self, name: str) -> Channel:
        """Return the unit and range in which an input is wanted."""
        return (dict(self.formula.inputs) | dict(self.formula.optional))[name]

    def value(self, get: Callable[[str, Channel], float | None]) -> float | None:
        """Calculate; `get` gives an input by its name, in a unit and range, or None."""
        given: dict[str, Any] = {
            name: get(source, self.wanted(name)) for name, source in self.inputs.items()
        }
        if any(value is None for value in given.values()):
            return None
        return self.formula.function(**given, **self.numbers)


def fitted(value: object, unit: Unit, wanted: Channel) -> float | None:
    """Return a value in the unit that is wanted; None if it is no number in its range."""
    if isinstance(value, bool) or not isinstance(value, float | int):
        return None
    factor, shift = conversion(unit, wanted.unit)
    found = float(value * factor + shift)
    return found if wanted.low <= found <= wanted.high else None
