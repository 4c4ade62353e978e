"""What `log_object` finds in an object, and what can be the value of an event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from fractions import Fraction

from pilogger.sample import Value, check_value


def items(thing: object) -> Iterator[tuple[str, object]]:
    """Yield the names and values in an object, each name once.

    Of a list or tuple: the indices. Of a dict: the keys. Of any other object: the fields of
    a namedtuple or dataclass, its own attributes and those of its __slots__, then the
    properties of its class by name; what begins with an underscore is private.
    """
    if isinstance(thing, Mapping):
        yield from ((str(key), value) for key, value in thing.items())
    elif isinstance(thing, list | tuple) and not hasattr(thing, "_fields"):
        yield from ((str(index), value) for index, value in enumerate(thing))
    else:
        names = dict.fromkeys(name for name in _attributes(thing) if not name.startswith("_"))
        yield from ((name, getattr(thing, name)) for name in names if hasattr(thing, name))


def _attributes(thing: object) -> Iterator[str]:
    yield from getattr(thing, "_fields", ())
    if is_dataclass(thing):
        yield from (field.name for field in fields(thing))
    yield from getattr(thing, "__dict__", ())
    kinds = type(thing).__mro__
    for kind in reversed(kinds):
        slots = vars(kind).get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots
    yield from sorted(
        name for kind in kinds for name, found in vars(kind).items() if isinstance(found, property)
    )


def plain(value: object) -> Value:
    """Return a value as a number, truth value or text; numpy's scalars become Python's.

    Raises:
        BadValue: for None, NaN, infinities, whole numbers over 64 bits and other types.
    """
    if isinstance(value, Decimal | Fraction):
        value = float(value)
    elif hasattr(value, "dtype") and hasattr(value, "item"):
        value = value.item()
    found = check_value(value)
    for kind in (bool, int, float, str):  # an enum's member is no JSON, its value is
        if isinstance(found, kind):
            return found if type(found) is kind else kind(found)
    raise AssertionError(found)
