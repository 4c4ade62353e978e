"""The unsynced journal: what makes kill -9 harmless between two commits.

Every write goes here before it is confirmed, and is in the kernel's hands from then on:
a killed process loses nothing, only a power cut can. A line holds the writes of one call,
all or none, and a CRC, because after a power cut such a file may hold anything. Two files
take turns: one is emptied by the commit that made it needless, while the other takes what
arrives meanwhile.

A killed process, not a power cut: so where the service manager gives us a folder in memory,
the files lie there, and beside the store are links to them. On a card they would cost more
than the readings themselves, because a file that changes is written by the kernel each 5 s.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from pilogger.store.connection import JOURNAL, beside

log = logging.getLogger("pilogger.store")

Write = tuple[Any, ...]
"""One idempotent write: its name in `pilogger.store.writes.WRITES`, then its parameters."""

RUN = Path("/run/pilogger")  # RuntimeDirectory of systemd/pilogger.service
MOST = 32 << 20  # bytes of memory for one file
PLENTY = 4 << 20  # bytes; time for a commit

encode = json.JSONEncoder(separators=(",", ":")).encode


class Journal:
    """Two append-only files beside the store, for the one that has this identity."""

    def __init__(self, store: Path, identity: str) -> None:
        self._identity = identity
        self._paths = tuple(beside(store, part) for part in JOURNAL)
        self._fds = [_open(path, RUN / f"{identity}-{path.name}") for path in self._paths]
        self._sizes = [os.fstat(fd).st_size for fd in self._fds]
        self._turn = 0
        self._age = 0

    def append(self, writes: Sequence[Write]) -> None:
        """Hand the writes to the kernel, all or none.

        Raises:
            OSError: the disk is full or broken; nothing was kept.
        """
        fd, size = self._fds[self._turn], self._sizes[self._turn]
        data = _line(writes)
        if size + len(data) > MOST:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if not size:
            data = _line([("journal", self._age, self._identity)]) + data
        try:
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(fd, size)
            raise
        self._sizes[self._turn] += len(data)

    @property
    def is_long(self) -> bool:
        """Whether so much is waiting for a commit that it should not wait longer."""
        return self._sizes[self._turn] > PLENTY

    def swap(self) -> None:
        """Let the other file take what comes now, unless a failed commit still needs it."""
        if self._sizes[1 - self._turn] == 0:
            self._turn = 1 - self._turn
            self._age += 1

    def clear(self) -> None:
        """Empty the file that is not taking writes: a commit has made it needless."""
        self._empty(1 - self._turn)

    def replay(self) -> list[Write]:
        """Read what was not cleared, oldest first; a torn or damaged line ends its file.

        A file of another store (this one's was deleted, or a backup put in its place) is
        kept aside: its numbers mean other things here.
        """
        files = []
        for number, path in enumerate(self._paths):
            lines = list(_lines(path))
            if lines and lines[0][0][2] != self._identity:
                self._keep_aside(number)
            elif lines:
                files.append(lines)
        files.sort()
        if files:
            self._age = files[-1][0][0][1] + 1
        return [tuple(write) for lines in files for line in lines[1:] for write in line]

    def _keep_aside(self, number: int) -> None:
        path = self._paths[number]
        aside = path.with_name(f"{path.name}-of-another-store-{time.time_ns()}")
        aside.write_bytes(path.read_bytes())
        self._empty(number)
        log.error("%s belongs to another store than the one beside it; kept as %s", path, aside)

    def reset(self) -> None:
        """Empty both files."""
        for number in range(len(self._fds)):
            self._empty(number)

    def _empty(self, number: int) -> None:
        os.ftruncate(self._fds[number], 0)
        self._sizes[number] = 0

    def close(self, *, remove: bool = False) -> None:
        """Close the files; remove them when all that they held is in the store."""
        for fd in self._fds:
            os.close(fd)
        if remove:
            for path in self._paths:
                path.resolve().unlink(missing_ok=True)
                path.unlink(missing_ok=True)


def _open(path: Path, in_memory: Path) -> int:
    """Open a file of the journal, in memory if there may be one; an old one stays where it is."""
    if not path.exists():
        path.unlink(missing_ok=True)  # a link into the memory of an earlier boot
        if os.access(in_memory.parent, os.W_OK):
            path.symlink_to(in_memory)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _line(writes: Sequence[Write]) -> bytes:
    text = encode(writes).encode()
    return b"%08x %s\n" % (crc32(text), text)


def _lines(path: Path) -> Iterator[list[list[Any]]]:
    for line in whole_lines(path):
        if line is None:
            return
        yield line


def whole_lines(path: Path) -> Iterator[list[list[Any]] | None]:
    """Yield the lines of a journal file; None for one that is not what was written."""
    for line in path.read_bytes().split(b"\n"):
        crc, _, text = line.partition(b" ")
        yield json.loads(text) if text and crc == b"%08x" % crc32(text) else None
