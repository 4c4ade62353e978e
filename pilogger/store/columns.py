"""A column: what one channel gave, value after value, and back bit for bit.

The first byte says which kind of values follows, in the format of that kind:

    ABSENT, MINUS_ZERO   a zero for each, so as to be as many
    FLOAT                see `pilogger.store.floats`
    WHOLE, TRUTH         see `pilogger.store.ints`; a truth value is 0 or 1
    TEXT                 see `pilogger.store.texts`
    MIXED                the kind of each, as whole numbers, then a column of every kind there is

-0.0 is a kind of its own, because a thermometer near zero gives it once in a while, and it is
no decimal. A new format is a new first byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import copysign
from typing import Any, NamedTuple

from pilogger.errors import BadValue, StoreDamaged
from pilogger.sample import Value
from pilogger.store import floats, ints, texts
from pilogger.store.pieces import Pieces, piece

ABSENT, MINUS_ZERO, FLOAT, WHOLE, TRUTH, TEXT, MIXED = range(7)

KINDS = {type(None): ABSENT, float: FLOAT, int: WHOLE, bool: TRUTH, str: TEXT}


class Format(NamedTuple):
    """How the values of one kind are kept; `decode` raises ValueError."""

    encode: Callable[[Sequence[Any]], bytes]
    decode: Callable[[bytes], list[Any]]


def encode(values: Sequence[Value | None]) -> bytes:
    """Write a column of at most `pilogger.store.ints.MOST` values.

    Raises:
        BadValue: one is nothing that a store holds (see `pilogger.sample.check_value`).
    """
    kinds = _kinds(values)
    present = sorted(set(kinds)) or [ABSENT]
    if len(present) == 1:
        return _encode(present[0], values)
    parts = [ints.encode(kinds)]
    for kind in present:
        alike = [value for value, one in zip(values, kinds, strict=True) if one == kind]
        parts.append(_encode(kind, alike))
    return bytes([MIXED]) + b"".join(map(piece, parts))


def _kinds(values: Sequence[Value | None]) -> bytes:
    try:
        kinds = bytes([KINDS[type(value)] for value in values])
    except KeyError as error:
        raise BadValue(f"a value is never a {error.args[0].__name__}") from None
    if FLOAT not in kinds or 0.0 not in values:
        return kinds
    return bytes(
        MINUS_ZERO if kind == FLOAT and value == 0 and copysign(1, value) < 0 else kind
        for kind, value in zip(kinds, values, strict=True)
    )


def _encode(kind: int, values: Sequence[Any]) -> bytes:
    return bytes([kind]) + FORMATS[kind].encode(values)


def decode(data: bytes) -> list[Value | None]:
    """Read a column.

    Raises:
        StoreDamaged: it is not what was written.
    """
    try:
        return _decode_mixed(data[1:]) if data[:1] == bytes([MIXED]) else _decode(data)
    except ValueError as error:
        raise StoreDamaged(f"a column is not what was written: {error}") from error


def _decode(data: bytes) -> list[Any]:
    if not data or data[0] not in FORMATS:
        raise ValueError(f"no values are kept as {data[:1].hex() or 'nothing'}")
    return FORMATS[data[0]].decode(data[1:])


def _decode_mixed(data: bytes) -> list[Value | None]:
    pieces = Pieces(data)
    kinds = ints.decode(pieces.piece())
    values = {}
    for kind, count in sorted(Counter(kinds).items()):
        column = _decode(pieces.piece())
        if len(column) != count:
            raise ValueError(f"{count} values are kept as {len(column)}")
        values[kind] = iter(column)
    return [next(values[kind]) for kind in kinds]


def _constant(value: float | None) -> Format:
    return Format(
        lambda values: ints.encode(bytes(len(values))),
        lambda data: [value] * len(ints.decode(data)),
    )


FORMATS = {
    ABSENT: _constant(None),
    MINUS_ZERO: _constant(-0.0),
    FLOAT: Format(floats.encode, floats.decode),
    WHOLE: Format(ints.encode, ints.decode),
    TRUTH: Format(ints.encode, lambda data: list(map(bool, ints.decode(data)))),
    TEXT: Format(texts.encode, texts.decode),
}
