"""Epochs that come out as the number that went in.

A user's timestamp (an *epoch override*) is never corrected and never re-rounded. On
the wire an epoch is a JSON number, so its exact form is that number's text. The store
keeps whole nanoseconds where they reproduce the text, and the text itself where they
do not (1.5e9, year 3000, milliseconds given by mistake, more than nine decimals).
"""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache

from pilogger.errors import BadValue

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)  # RFC 8259 section 6
PLAIN = re.compile(r"(-?)(0|[1-9]\d{0,9})(?:\.(\d{0,8}[1-9]))?", re.ASCII)  # as `unpack` writes
LONGEST = 64  # characters; a longer number carries no more time
SCALE = 1_000_000_000
FAR = 10**30  # nanoseconds; what lies beyond is only sorted


def text(number: float | Decimal | str) -> str:
    """Return the JSON number text of an epoch in seconds.

    Raises:
        BadValue: when it is no finite number, or longer than 64 characters.
    """
    if isinstance(number, bool):
        raise BadValue(f"an epoch is a number of seconds, not {number}")
    if isinstance(number, float):
        found = repr(float(number))
    elif isinstance(number, int):
        found = str(int(number)) if number.bit_length() < 4 * LONGEST else "too long"
    else:
        found = str(number).replace("E+", "e+")
    if len(found) > LONGEST or not NUMBER.fullmatch(found):
        raise BadValue(f"an epoch is a number of seconds, not {found[:LONGEST]!r}")
    return found


def from_us(microseconds: int) -> str:
    """Return the text of a time in whole microseconds since 1970."""
    return unpack(microseconds * 1000)


@lru_cache(maxsize=4096)  # readings of one moment come together
def pack(exact: str) -> int | str:
    """Turn an epoch's text into what the store keeps: nanoseconds, or the text."""
    match = PLAIN.fullmatch(exact)
    if not match or exact == "-0":
        return exact
    sign, whole, decimals = match.groups()
    ns = int(whole) * SCALE + (int(decimals.ljust(9, "0")) if decimals else 0)
    ns = -ns if sign else ns
    return ns if -(2**63) <= ns < 2**63 else exact


def unpack(packed: int | str) -> str:
    """Turn what the store keeps back into the epoch's text."""
    if isinstance(packed, str):
        return packed
    whole, ns = divmod(abs(packed), SCALE)
    sign = "-" if packed < 0 else ""
    return f"{sign}{whole}.{ns:09d}".rstrip("0") if ns else f"{sign}{whole}"


def seconds(packed: int | str) -> float:
    """Return an epoch as a float, for sorting and drawing only."""
    return packed / SCALE if isinstance(packed, int) else float(packed)


def nanoseconds(packed: int | str) -> int:
    """Return an epoch as whole nanoseconds, rounded down, for finding and grouping."""
    if isinstance(packed, int):
        return packed
    exact = Decimal(packed)
    if exact.adjusted() > 20:
        return -FAR if exact < 0 else FAR
    return int(exact.scaleb(9).to_integral_value(ROUND_FLOOR))
