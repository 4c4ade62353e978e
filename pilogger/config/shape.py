"""Which keys a config has, and of what type.

What every sensor and every destination has is here; the rest of their keys are the
parameters of the driver's or destination's own `__init__`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from platform import node
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from pilogger import driver as drivers
from pilogger.config.channels import ChannelSettings
from pilogger.config.derive import DeriveSettings, Series
from pilogger.config.durations import Interval
from pilogger.config.names import Trail
from pilogger.config.paths import File, Folder
from pilogger.config.settings import ClockSettings, StoreSettings
from pilogger.docstrings import descriptions, summary
from pilogger.words import ranges

ID = re.compile(r"[A-Za-z0-9_-]{1,100}")

Words = Annotated[str, Field(min_length=1, max_length=100)]


class Shape(BaseModel):
    """Strict: text is no number; and no key too many."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", arbitrary_types_allowed=True
    )


class Config(Shape):
    """What a machine measures, where that is kept, and where it is sent to."""

    device: Words = Field(
        default_factory=lambda: node()[:100] or "pilogger",
        description="The name of this machine; its hostname by default.",
    )
    sensors: dict[str, Any] = Field(
        min_length=1, description="What is measured: an id for each sensor, and its settings."
    )
    destinations: list[Any] = Field([], description="Where readings are sent to.")
    store: StoreSettings = Field(
        default_factory=StoreSettings, description="Where readings are kept."
    )
    clock: ClockSettings = Field(
        default_factory=ClockSettings, description="Whom to believe the time."
    )
    driver_dirs: list[Folder] = Field(
        [], description="Folders with drivers of your own, one NAME.py for each."
    )


class AnyStore(Shape):
    """Where readings are kept, whatever else is said of that."""

    model_config = ConfigDict(extra="ignore")

    path: File = StoreSettings().path


class AnyConfig(Shape):
    """A config of which nothing matters but where its store is."""

    model_config = ConfigDict(extra="ignore")

    store: AnyStore = Field(default_factory=AnyStore)


class Sensor(Shape):
    """What every sensor has."""

    driver: str = Field(description="The kind of sensor.")
    every: Interval = Field(10.0, description="The time from one reading to the next, as in 10s.")
    deadline: Interval = Field(
        10.0, description="A reading that takes longer is given up, and the bus opened anew."
    )
    raw: bool = Field(False, description="Keep every bit of all channels, without rounding.")
    channels: dict[str, ChannelSettings] = Field({}, description="Settings of single channels.")
    derive: DeriveSettings = Field(
        default_factory=DeriveSettings, description="Channels that are calculated from others."
    )


class BusSensor(Sensor):
    """What a sensor on a bus has."""

    bus: int | str | None = Field(
        None,
        description="Which bus it is on, if not the usual one; 1/0x70/3 is channel 3 of an I2C"
        " multiplexer at 0x70 on bus 1.",
    )


class Destination(Shape):
    """What every destination has."""

    type: str = Field(description="The kind of destination.")
    name: str | None = Field(
        None,
        pattern=f"^{ID.pattern}$",
        description="Remembers what was sent already; its type by default.",
    )
    start: Literal["now", "all"] = Field(
        "all", description="What a new destination gets: all that is stored, or only new readings."
    )
    order: Literal["oldest_first", "live_first"] = Field(
        "oldest_first",
        description="What is sent first after an outage. With oldest_first each series arrives in"
        " order, and what is new waits for all that came before. With live_first what is new"
        " takes turns with what waited longer than two minutes: until that is through, a series"
        " does not arrive in order.",
    )


class AnySensor(Sensor):
    """A sensor whose driver is not known, so any further key may be right."""

    model_config = ConfigDict(extra="ignore")


class AnyDestination(Destination):
    """A destination whose type is not known, so any further key may be right."""

    model_config = ConfigDict(extra="ignore")


def of_driver(driver: type) -> type[Shape]:
    """Return the shape of a sensor with this driver."""
    base = BusSensor if drivers.bus_kind(driver) else Sensor
    return _with_options(base, driver, _with_sources(driver))


def of_destination(kind: type) -> type[Shape]:
    """Return the shape of a destination of this class."""
    return _with_options(Destination, kind)


def _with_sources(driver: type) -> dict[str, Any]:
    """Return the field `compensate` of a driver that wants to know something of others."""
    sources, described = drivers.sources(driver), descriptions(driver)
    if not sources:
        return {}
    wires: dict[str, Any] = {
        name: (Series | None, Field(None, description=described.get(name))) for name in sources
    }
    text = "Channels of other sensors that make this one more exact, as in air.temperature."
    model = create_model(f"{driver.__name__}Wires", __base__=Shape, __doc__=text, **wires)
    return {"compensate": (model, Field(default_factory=model, description=text))}


def _with_options(
    base: type[Shape], owner: type, more: Mapping[str, Any] | None = None
) -> type[Shape]:
    """Add the parameters of a class's `__init__`, under aliases, as pydantic keeps some names."""
    described = descriptions(owner)
    fields: dict[str, Any] = dict(more or {})
    for name, parameter in drivers.options(owner).items():
        if name in base.model_fields or name in fields:
            raise TypeError(f"its option {name} would hide a setting that all have")
        default = ... if parameter.default is parameter.empty else parameter.default
        field = Field(default, alias=name, description=described.get(name))
        fields[f"option_{name}"] = (_type(owner, parameter), field)
    return create_model(owner.__name__, __base__=base, __doc__=summary(owner), **fields)


def _type(owner: type, parameter: inspect.Parameter) -> Any:
    """Return what an option may be; an I2C address, one of those that the chip can have."""
    there = drivers.addresses(owner)
    if parameter.name != "address" or not there:
        return parameter.annotation

    def check(address: int) -> int:
        if address not in there:
            raise ValueError(f"{address:#04x} is no address of it; those are {ranges(there)}")
        return address

    return Annotated[
        parameter.annotation, AfterValidator(check), Field(json_schema_extra={"enum": [*there]})
    ]


def options(shaped: Shape) -> dict[str, Any]:
    """Return the options that were given, by the names of the parameters."""
    fields = type(shaped).model_fields
    given = (name for name in fields if name in shaped.model_fields_set)
    return {alias: getattr(shaped, name) for name in given if (alias := fields[name].alias)}


def wires(shaped: Shape) -> dict[str, str]:
    """Return the series that the driver's sources are wired to, by the names of the parameters."""
    given = getattr(shaped, "compensate", None)
    return given.model_dump(exclude_none=True) if isinstance(given, Shape) else {}


def names_at(kind: Any, trail: Trail) -> list[str]:
    """Return the keys that a mapping inside a type may have, to say which was meant."""
    if get_origin(kind) is Annotated:
        return names_at(get_args(kind)[0], trail)
    named = _named(kind)
    if not trail:
        return list(named) if named else [n for part in get_args(kind) for n in names_at(part, ())]
    step, *rest = trail
    parts = [named[step]] if step in named else get_args(kind)
    if named or get_origin(kind) not in (Union, UnionType):
        trail = tuple(rest)
    return [name for part in parts for name in names_at(part, trail)]


def _named(kind: Any) -> dict[Any, Any]:
    """Return the keys of a model, a dataclass or a NamedTuple, each with its type."""
    if not isinstance(kind, type):
        return {}
    if issubclass(kind, BaseModel):
        return {field.alias or n: field.annotation for n, field in kind.model_fields.items()}
    if is_dataclass(kind) or hasattr(kind, "_fields"):
        return get_type_hints(kind, include_extras=True)
    return {}
