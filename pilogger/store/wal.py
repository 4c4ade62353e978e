"""A write-ahead log read without SQLite: which pages it holds, and whether it is whole.

SQLite believes a log up to its first damaged frame and forgets what was committed behind it,
without a word. But the checksum of a frame goes on from the one that stands in the frame
before, so that every frame can be judged on its own (https://www.sqlite.org/walformat.html).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

MAGIC = 0x377F0682  # plus 1 where checksums are of big-endian words
HEAD, FRAME = 32, 24  # bytes
MASK = 0xFFFFFFFF
USUAL = 1024  # bytes of a page, where the head does not tell
PIECE = 4096  # bytes that a disk gives or does not
PROMISED = 2  # commits behind a bad frame; the power can only have torn the last transaction

Sum = tuple[int, int]


class Frame(NamedTuple):
    """One page in the log; `at` is where its bytes begin."""

    page: int
    at: int
    commits: bool
    whole: bool


class Wal:
    """The log at a path; without a file it is empty.

    `pages` maps the number of a page to its newest committed bytes.
    """

    def __init__(self, path: Path) -> None:
        self.data = b""
        self.unread = 0
        """Pieces of the file that the disk did not give; they are zeros."""
        try:
            self.data = path.read_bytes()
        except FileNotFoundError:
            pass
        except OSError:
            self.data = b"".join(self._pieces(path))
        self.page_size = USUAL
        self._headless = False
        self._frames = list(self._read()) if len(self.data) > HEAD + FRAME else []
        commits = [n for n, frame in enumerate(self._frames) if frame.whole and frame.commits]
        self._end = commits[-1] + 1 if commits else 0
        bad = [n for n, frame in enumerate(self._frames) if not frame.whole]
        first = bad[0] if bad else self._end
        self.damaged = sum(n > first for n in commits) >= PROMISED or (
            self._headless and len(commits) >= PROMISED
        )
        """Whether something is missing that was committed; not what a power cut alone does."""
        self.pages = {
            frame.page: self.data[frame.at : frame.at + self.page_size]
            for frame in self._frames[: self._end]
            if frame.whole
        }

    def _pieces(self, path: Path) -> Iterator[bytes]:
        """Read what there is around bad sectors."""
        with suppress(OSError), path.open("rb", buffering=0) as file:
            for at in range(0, os.fstat(file.fileno()).st_size, PIECE):
                try:
                    yield os.pread(file.fileno(), PIECE, at)
                except OSError:
                    self.unread += 1
                    yield bytes(PIECE)

    def _read(self) -> Iterator[Frame]:
        magic, _, size, _, *salts = struct.unpack_from(">IIIIII", self.data)
        order = ">" if magic == MAGIC + 1 else "<"
        before: Sum = struct.unpack_from(">II", self.data, HEAD - 8)
        if magic & ~1 == MAGIC and size in (512 << n for n in range(8)):
            self.page_size = size
        self._headless = _sum((0, 0), self.data[: HEAD - 8], order) != before
        if self._headless:  # the frames repeat the salts
            salts = list(struct.unpack_from(">II", self.data, HEAD + 8))
        step = FRAME + self.page_size
        for at in range(HEAD, len(self.data) - step + 1, step):
            page, pages, *found, one, two = struct.unpack_from(">IIIIII", self.data, at)
            whole = found == salts and page > 0
            if whole:
                after = _sum(before, self.data[at : at + 8], order)
                after = _sum(after, self.data[at + FRAME : at + step], order)
                whole = after == (one, two)
            yield Frame(page, at + FRAME, pages > 0, whole)
            before = (one, two)


def holds(path: Path, size: int) -> bool:
    """Tell whether so many bytes of pages were logged since the log last began at its start.

    Frames of an earlier round lie behind them, with other salts.
    """
    try:
        with path.open("rb", buffering=0) as file:
            page, salts = struct.unpack_from(">8xI4x8s", file.read(HEAD))
            file.seek(HEAD + (size // page - 1) * (FRAME + page) + 8)
            found = file.read(len(salts))
    except (OSError, struct.error, ZeroDivisionError):
        return False
    return bool(found == salts)


def _sum(start: Sum, data: bytes, order: str) -> Sum:
    one, two = start
    for first, second in struct.iter_unpack(f"{order}II", data):
        one = one + first + two & MASK
        two = two + second + one & MASK
    return one, two
