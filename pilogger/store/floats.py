"""Floats, in as few bytes as their decimals need, and back bit for bit.

What a sensor gives is rounded to a few decimals. Such a float is the one that is nearest to a
whole number divided by a power of ten, and that is how it comes back. Others are kept as the
whole numbers that have the same 64 bits. `pilogger.store.ints` keeps both.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pilogger.store import ints
from pilogger.store.pieces import Pieces, number

POWERS = [10.0**decimals for decimals in range(13)]  # a power of ten up to 22 is exact
BINARY = len(POWERS)  # in place of the number of decimals
EXACT = 2**53  # whole numbers up to here are floats
FEW = 8


def encode(values: Sequence[float]) -> bytes:
    """Write floats; -0.0 is for the caller, because as a decimal it is 0.0."""
    found = list(values)
    for decimals, power in enumerate(POWERS):
        if _scale(found[:FEW], power) and (scaled := _scale(found, power)):
            return number(decimals) + ints.encode(scaled)
    bits = struct.unpack(f"<{len(values)}q", struct.pack(f"<{len(values)}d", *values))
    return number(BINARY) + ints.encode(bits)


def _scale(values: list[float], power: float) -> list[int] | None:
    """Multiply by the power of ten, if every float comes back from that."""
    try:
        scaled = [round(value * power) for value in values]
    except (OverflowError, ValueError):  # infinite, or no number
        return None
    if [whole / power for whole in scaled] != values or max(map(abs, scaled)) > EXACT:
        return None
    return scaled


def decode(data: bytes) -> list[float]:
    """Read the floats.

    Raises:
        ValueError: it is not what was written.
    """
    pieces = Pieces(data)
    decimals = pieces.natural(BINARY)
    wholes = ints.decode(pieces.rest())
    try:
        if decimals == BINARY:
            bits = struct.pack(f"<{len(wholes)}q", *wholes)
            return list(struct.unpack(f"<{len(wholes)}d", bits))
        power = POWERS[decimals]
        return [whole / power for whole in wholes]
    except (OverflowError, struct.error) as error:
        raise ValueError(f"it holds no floats: {error}") from error
