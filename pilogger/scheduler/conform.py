"""What a driver promised, and whether a reading keeps it; what the user wants comes after.

A driver whose `read` returns its own NamedTuple is held to its annotations, as a type
checker would hold it: a `float` may be a whole number, a truth value is no number, and
None is allowed only for `float | None`. A driver with a method `channels()` returns a
mapping with those keys and no others; what it leaves out, or gives as None, is absent.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pilogger.channel import Channel
from pilogger.driver import channels_of, reading_type
from pilogger.errors import BadReading, BadValue, NotReady
from pilogger.sample import Value, check_value

ANYTHING: tuple[type, ...] = (float, int, bool, str, NoneType)
WORDS = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}


class Shape:
    """The form of a driver's readings: their type and their channels."""

    def __init__(self, driver: object) -> None:
        self.channels: dict[str, Channel] = channels_of(driver)
        if hasattr(driver, "channels"):
            self._type: type = Mapping
            types = dict.fromkeys(self.channels, ANYTHING)
        else:
            self._type = reading_type(type(driver))
            hints = get_type_hints(self._type, include_extras=True)
            types = {name: _types(hint) for name, hint in hints.items()}
        self._fields = [
            _Field(name, channel, types[name]) for name, channel in self.channels.items()
        ]

    def values(self, reading: object) -> dict[str, Value]:
        """Check a reading and return its values.

        Raises:
            BadReading: it is not what the driver promised; the text says what is wrong.
            NotReady: every channel is absent.
        """
        if not isinstance(reading, self._type):
            raise BadReading(f"the driver gave {_short(reading)}, not its {self._type.__name__}")
        given: Mapping[str, object] = (
            reading if isinstance(reading, Mapping) else reading._asdict()  # type: ignore[attr-defined]
        )
        if self._type is Mapping and (unknown := given.keys() - self.channels.keys()):
            raise BadReading(f"{_short(unknown.pop())} is none of the driver's channels")
        values = {
            field.name: value for field in self._fields if (value := field.value(given)) is not None
        }
        if not values:
            raise NotReady("the source has no value just now")
        return values


class _Field:
    """One channel of a reading: what it may be."""

    def __init__(self, name: str, channel: Channel, types: tuple[type, ...]) -> None:
        self.name = name
        self.channel = channel
        self.types = types

    def value(self, given: Mapping[str, object]) -> Value | None:
        label = self.name or "the value"
        found = given.get(self.name)
        if not self._fits(found):
            raise BadReading(f"{label} is {_short(found)}, not {self._expected()}")
        if isinstance(found, float | int) and not isinstance(found, bool):
            self._check_range(label, found)
        try:
            return None if found is None else check_value(found)
        except BadValue as error:
            raise BadReading(f"{label}: {error}") from None

    def _fits(self, found: object) -> bool:
        if isinstance(found, bool):
            return bool in self.types
        if isinstance(found, int) and float in self.types:
            return True
        return isinstance(found, self.types)

    def _expected(self) -> str:
        return " or ".join(WORDS[kind] for kind in self.types if kind in WORDS) or "a value"

    def _check_range(self, label: str, number: float) -> None:
        low, high, unit = self.channel.low, self.channel.high, self.channel.unit
        if not low <= number <= high:  # as NaN is not, too
            shown = f"{_short(number)} {unit}" if unit != "1" else _short(number)
            raise BadReading(f"{label} is {shown}, possible is {_range(low, high)}")


def _range(low: float, high: float) -> str:
    match math.isfinite(low), math.isfinite(high):
        case True, True:
            return f"{low:.15g} to {high:.15g}"
        case True, False:
            return f"{low:.15g} or more"
        case False, True:
            return f"{high:.15g} or less"
    return "any finite number"


def _types(hint: Any) -> tuple[type, ...]:
    """Take a field's annotation apart: `Annotated[float | None, ...]` is float and None."""
    if get_origin(hint) is Annotated:
        return _types(get_args(hint)[0])
    if get_origin(hint) in {Union, UnionType}:
        return tuple(kind for part in get_args(hint) for kind in _types(part))
    return (hint,)


_short = reprlib.repr  # a stranger's value may be huge, and its repr may raise
