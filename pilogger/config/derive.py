"""Channels that are calculated from others, and what they are calculated from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pilogger.pipeline import FORMULAS, Derivation

NAME = r"[A-Za-z0-9_-]{1,100}"
Input = Annotated[str, Field(pattern=rf"^({NAME}\.)?{NAME}$")]
"""A channel of the same sensor, or `sensor.channel` of another one."""
Series = Annotated[str, Field(pattern=rf"^{NAME}\.{NAME}$")]
"""A channel of another sensor: `sensor.channel`."""


@dataclass(frozen=True, slots=True)
class Moist:
    """What a formula of moist air is calculated from.

    Options:
        temperature: is a channel of this sensor, or another sensor's, as in air.temperature.
        humidity: likewise.
    """

    temperature: Input = "temperature"
    humidity: Input = "humidity"


@dataclass(frozen=True, slots=True)
class SeaLevel:
    """What the pressure at sea level is calculated from.

    Options:
        altitude: metres above the sea, -500 to 9000.
        pressure: is a channel of this sensor, or another sensor's, as in air.pressure.
        temperature: is one outdoors, as in garden.temperature; that of the standard atmosphere
            by default.
    """

    altitude: Annotated[float, Field(ge=-500, le=9000)]
    pressure: Input = "pressure"
    temperature: Input | None = None


def _nothing_said(value: object) -> object:
    return {} if value is None else value


FromMoist = Annotated[Moist | None, BeforeValidator(_nothing_said)]
FromPressure = Annotated[SeaLevel | None, BeforeValidator(_nothing_said)]


@dataclass(frozen=True, slots=True)
class DeriveSettings:
    """Channels that are calculated from others.

    Options:
        dew_point: is the temperature at which dew forms.
        absolute_humidity: is the water in the air, in g/m3.
        vapour_pressure_deficit: is how hard the air dries, in Pa.
        heat_index: is how hot moist air feels in the shade.
        sea_level_pressure: is what the pressure would be at the sea.
    """

    dew_point: FromMoist = None
    absolute_humidity: FromMoist = None
    vapour_pressure_deficit: FromMoist = None
    heat_index: FromMoist = None
    sea_level_pressure: FromPressure = None


def derivations(given: DeriveSettings, written: Mapping[str, Any]) -> Iterator[Derivation]:
    """Return what is to be derived, in the order in which it is `written`."""
    for name in written:
        if (chosen := getattr(given, name, None)) is None:
            continue
        formula = FORMULAS[name]
        values = {each.name: getattr(chosen, each.name) for each in fields(chosen)}
        names = {**formula.inputs, **formula.optional}
        yield Derivation(
            name,
            {key: value for key, value in values.items() if key in names and value is not None},
            {key: value for key, value in values.items() if key not in names},
        )
