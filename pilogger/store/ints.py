"""Whole numbers of 64 bits, in as few bytes as a sensor's history needs.

Numbers are reduced to small ones and deflated. Four ways of reducing are tried, and the
smallest result wins:

    as they are               noise around a level, a switch
    less a line               what rises by a fixed step and jitter: times, numbers of samples
    differences               what wanders: a temperature, a counter
    differences of those      what bends smoothly

What is left is counted from its lowest, in units of its greatest common divisor (whole
milliseconds among microseconds, sixteenths of a degree), and written as planes: the
low bytes of all, then the next ones, because high bytes hardly change. Below 16, two
share a byte.

The format is: count, heads, bits, low, unit, slope, each head (see `pilogger.store.pieces`),
then the planes (see `pilogger.store.squeeze`) of `n`, from which the numbers come back as

    low + slope * i + unit * n[i]       summed up from each head, the last one first
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate, count, repeat
from math import gcd
from operator import add, mul, sub

from pilogger.errors import BadValue
from pilogger.store.pieces import Pieces, number, numbers
from pilogger.store.squeeze import expand, squeeze

MOST = 1 << 16  # numbers
WIDEST = 2**64 - 1  # the largest number that planes hold
HEADS = 2
WIDTHS = (1, 1, 2, 4, 4, 8, 8, 8, 8)  # bytes of the C type that holds so many bytes
TYPES = {1: "B", 2: "H", 4: "I", 8: "Q"}
HEX = bytes(b"0123456789abcdef"[n % 16] for n in range(256))
VALUE = bytes(int(chr(n), 16) if chr(n) in "0123456789abcdef" else 0 for n in range(256))


def encode(values: Sequence[int]) -> bytes:
    """Write up to `MOST` numbers.

    Raises:
        BadValue: one has more than 64 bits.
        ValueError: there are more.
    """
    if len(values) > MOST:
        raise ValueError(f"{len(values)} numbers are too many; {MOST} are possible")
    if not values:
        return number(0)
    if min(values) < -(2**63) or max(values) >= 2**63:
        raise BadValue("a whole number has at most 64 bits")
    return number(len(values)) + _smallest(values)


def _smallest(values: Sequence[int]) -> bytes:
    heads: list[int] = []
    best = _reduce(values, heads)
    while len(values) > 1 and len(heads) < HEADS:
        steps = list(map(sub, values[1:], values))
        least, most = min(steps), max(steps)
        if most - least > WIDEST:
            break
        if not heads and least > 0:  # then no distance from the line is wider than the values
            slope = sorted(steps)[len(steps) // 2]
            line = range(0, slope * len(values), slope)
            best = min(best, _reduce(list(map(sub, values, line)), heads, slope), key=len)
        heads.append(values[0])
        found = _reduce(steps, heads)
        if len(found) >= len(best):
            break
        best, values = found, steps
    return best


def _reduce(values: Sequence[int], heads: Sequence[int], slope: int = 0) -> bytes:
    low = min(values)
    rests = [value - low for value in values]
    unit = gcd(*rests) or 1
    if unit > 1:
        rests = [rest // unit for rest in rests]
    bits = max(rests).bit_length()
    if 8 < bits < 32:  # a few are far off: let the many not straddle a byte's border
        shift = (128 - sorted(rests)[len(rests) // 2]) % 256
        low -= shift * unit
        rests = [rest + shift for rest in rests]
        bits = max(rests).bit_length()
    header = numbers(len(heads), bits, low, unit, slope, *heads)
    return header + (squeeze(*_planes(rests, bits)) if bits else b"")


def _planes(rests: Sequence[int], bits: int) -> list[bytes]:
    if bits <= 4:
        digits = bytes(rests).translate(HEX).decode()
        return [bytes.fromhex(digits + "0" * (len(digits) % 2))]
    size = (bits + 7) // 8
    width = WIDTHS[size]
    raw = struct.pack(f"<{len(rests)}{TYPES[width]}", *rests)
    return [raw[place::width] for place in range(size)]


def decode(data: bytes) -> list[int]:
    """Read the numbers.

    Raises:
        ValueError: it is not what was written.
    """
    pieces = Pieces(data)
    length = pieces.natural(MOST)
    if not length:
        return []
    order, bits = pieces.natural(min(HEADS, length - 1)), pieces.natural(64)
    low, unit, slope = (pieces.number() for _ in range(3))
    heads = [pieces.number() for _ in range(order)]
    values: Iterable[int] = _rests(pieces.rest(), length - order, bits)
    if unit != 1:
        values = map(mul, values, repeat(unit))
    values = map(add, values, count(low, slope))
    for head in reversed(heads):
        values = accumulate(values, initial=head)
    return list(values)


def _rests(data: bytes, length: int, bits: int) -> Iterable[int]:
    if not bits:
        return repeat(0, length)
    if bits <= 4:
        return expand(data, (length + 1) // 2).hex().encode().translate(VALUE)[:length]
    size = (bits + 7) // 8
    width = WIDTHS[size]
    planes = expand(data, length * size)
    raw = bytearray(length * width)
    for place in range(size):
        raw[place::width] = planes[place * length : (place + 1) * length]
    return struct.unpack(f"<{length}{TYPES[width]}", raw)
