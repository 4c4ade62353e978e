"""A block: consecutive samples of one sensor, as one piece that is whole or damaged.

    1 byte    the version of the format
    4 bytes   CRC-32 of all that follows, little end first
    numbers   samples, channels, then the length of every part (see `pilogger.store.pieces`)
    parts     seqs (see `pilogger.store.ints`), times, and a column for each channel (see
              `pilogger.store.columns`)

A part is decoded when it is asked for, and alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar, cast
from zlib import crc32

from pilogger.errors import StoreDamaged
from pilogger.sample import Value
from pilogger.store import columns, ints
from pilogger.store.pieces import Pieces, numbers

VERSION = 1
HEADER = 5  # bytes before the numbers

T = TypeVar("T")


def pack(
    seqs: Sequence[int],
    times: Sequence[int | str],
    channels: Sequence[Sequence[Value | None]],
) -> bytes:
    """Write samples as a block; each channel has as many values as there are seqs.

    Raises:
        BadValue: one of them is nothing that a store holds.
        ValueError: there are too many for a block, or not as many of each.
    """
    if {len(seqs)} != {len(times), *map(len, channels)}:
        raise ValueError("a block has a time and a value of each channel for every sample")
    parts = [ints.encode(seqs), *map(columns.encode, (times, *channels))]
    body = b"".join([numbers(len(seqs), len(channels), *map(len, parts)), *parts])
    return bytes([VERSION]) + crc32(body).to_bytes(4, "little") + body


class Unpacked:
    """A block whose bytes are known to be whole: `samples` of them, `width` channels.

    Each part raises StoreDamaged too, but only where somebody wrote nonsense and its right CRC,
    or the block of another sensor lies in its place.
    """

    def __init__(self, data: bytes) -> None:
        if data[:1] != bytes([VERSION]):
            raise StoreDamaged(f"no block begins with {data[:1].hex() or 'nothing'}")
        if int.from_bytes(data[1:HEADER], "little") != crc32(data[HEADER:]):
            raise StoreDamaged("its CRC is not that of its bytes")
        pieces = Pieces(data[HEADER:])
        try:
            self.samples = pieces.number()
            self.width = pieces.number()
            lengths = [pieces.number() for _ in range(self.width + 2)]
            self._seqs, self._times, *self._columns = map(pieces.take, lengths)
        except ValueError as error:
            raise StoreDamaged(f"its parts are not what was written: {error}") from error

    @cached_property
    def seqs(self) -> list[int]:
        """The number of each sample."""
        try:
            return self._complete(ints.decode(self._seqs))
        except ValueError as error:
            raise StoreDamaged(f"its numbers are not what was written: {error}") from error

    @cached_property
    def times(self) -> list[int | str]:
        """The time of each sample, as it was given."""
        times = self._complete(columns.decode(self._times))
        if not set(map(type, times)) <= {int, str}:
            raise StoreDamaged("its times are neither whole numbers nor text")
        return cast("list[int | str]", times)

    def column(self, channel: int) -> list[Value | None]:
        """Decode the values of one channel, counted from 0; None where it is absent."""
        if not 0 <= channel < self.width:
            raise StoreDamaged(f"it has {self.width} channels, and none is number {channel}")
        return self._complete(columns.decode(self._columns[channel]))

    def _complete(self, found: list[T]) -> list[T]:
        if len(found) != self.samples:
            raise StoreDamaged(f"it has {self.samples} samples, and {len(found)} of something")
        return found


def unpack(data: bytes) -> Unpacked:
    """Open a block.

    Raises:
        StoreDamaged: it is not what was written.
    """
    return Unpacked(data)
