"""What travels through pilogger: samples in, readings out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pilogger.errors import BadValue

Value = float | int | bool | str
"""A number, a whole number of up to 64 bits, a truth value or text; each comes back as itself."""


@dataclass(frozen=True, slots=True)
class Sample:
    """All the channels of one poll: one moment, one timestamp.

    `boot` is CLOCK_BOOTTIME in microseconds, taken right after the read. `epoch` is an
    epoch override in its exact text (see `pilogger.epoch`); None means: derive it from
    `boot` through the clock segment. A channel that the source does not have is absent.
    """

    sensor: str
    values: Mapping[str, Value]
    boot: int
    epoch: str | None = None
    bucket: int | None = None


class Entry(NamedTuple):
    """One value on its way into a series, which goes by its id.

    `epoch` is in whole nanoseconds, or number text in seconds where these do not reproduce it.
    """

    series: int
    epoch: int | str
    value: Value


class Arrival(NamedTuple):
    """A message that a hub was sent, and the values that it brings.

    `received` is in microseconds since 1970, `body` is JSON.
    """

    id: str
    type: str
    user_id: str | None
    anonymous_id: str | None
    event: str | None
    timestamp: str | None
    received: int
    body: str
    entries: Sequence[Entry]


class Point(NamedTuple):
    """One reading on its way out: a series, its epoch as exact number text, a value.

    `seq` is the place of its sample in the store; with the series it names the reading
    for ever, so a batch that is sent again is the same batch. `estimated` says that its
    clock was never right, so that its epoch is about right at best.
    """

    seq: int
    series: str
    epoch: str
    value: Value
    bucket: int | None = None
    estimated: bool = False


def series_key(sensor: str, channel: str) -> str:
    """Name the history of one channel: `air.temperature`; a nameless channel is its sensor."""
    return f"{sensor}.{channel}" if channel else sensor


def check_value(value: object) -> Value:
    """Return the value if SQLite and JSON can hold it exactly.

    Raises:
        BadValue: for NaN, infinities, whole numbers over 64 bits, lone surrogates,
            NUL characters and every other type.
    """
    match value:
        case bool():
            return value
        case int():
            if not -(2**63) <= value < 2**63:
                raise BadValue("a whole number has at most 64 bits; send it as text")
            return value
        case float():
            if not math.isfinite(value):
                raise BadValue(f"{value} is not a number that can be stored")
            return value
        case str():
            return check_text(value)
        case _:
            kind = type(value).__name__
            raise BadValue(f"a value is a number, a truth value or text, not {kind}")


def check_text(text: str) -> str:
    """Return the text if it can be stored and sent.

    Raises:
        BadValue: for NUL characters and lone surrogates.
    """
    if "\0" in text:
        raise BadValue("text cannot hold a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadValue("text cannot hold half a surrogate pair") from None
    return text
