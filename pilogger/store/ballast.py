"""Room that is kept for the day when the disk is full.

On a full disk SQLite can neither delete nor checkpoint, as it writes down first what it is
going to do. A file that takes room for nothing gives some of it back at that moment, half of
what it has each time; then there is enough to trim the store. It grows again when others
leave room.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pilogger.store.connection import beside

MOST = 16_000_000  # bytes
SHARE = 32  # of the disk: what is a trifle on a card is half of a small image
WEIGHT = 16  # of max_size
LEAST = 65_536  # bytes, with which it goes altogether


class Disk(NamedTuple):
    """The size of a file system, and what a user has left of it; in bytes."""

    size: int
    free: int

    @property
    def trifle(self) -> int:
        """What nobody on this disk will miss."""
        return min(MOST, self.size // SHARE)


def disk(path: Path) -> Disk:
    """Measure the disk that a store is on."""
    try:
        found = os.statvfs(path.parent)
    except OSError:  # somebody removed the folder
        return Disk(0, 0)
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def size(path: Path) -> int:
    """Tell how much room the ballast of a store takes, in bytes."""
    with suppress(OSError):
        return beside(path, "ballast").stat().st_size
    return 0


def lay(path: Path, max_size: int | None) -> None:
    """Take the room, where there is twice as much; whoever has none is not disturbed."""
    found = disk(path)
    wanted = min(found.trifle, max_size // WEIGHT if max_size else MOST)
    if found.free + size(path) < 2 * wanted or size(path) == wanted or not wanted:
        return
    file = beside(path, "ballast")
    try:
        with file.open("wb") as opened:
            os.posix_fallocate(opened.fileno(), 0, wanted)
    except OSError:
        with suppress(OSError):
            file.unlink()


def throw_off(path: Path) -> int:
    """Give half of the room back; returns how many bytes that were."""
    found, file = size(path), beside(path, "ballast")
    left = found // 2 if found > LEAST else 0
    with suppress(OSError):
        os.truncate(file, left) if left else file.unlink()
    return found - left


def make_room(path: Path) -> None:
    """Give room back if the disk is too full to open a store."""
    if size(path) > disk(path).free:
        throw_off(path)
