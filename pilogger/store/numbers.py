"""The numbers of samples: none is given twice, whatever the power does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pilogger.store.blocks import GENERATION
from pilogger.store.journal import Write
from pilogger.store.writer import Writer
from pilogger.store.writes import WRITES

RESERVE = 16_384


class Numbers:
    """Counts on from `first`.

    A range is reserved on the disk before any number of it is given, because a reading may
    be sent before it is committed.
    """

    def __init__(self, writer: Writer, first: int) -> None:
        self.next = first
        self._writer = writer
        self._ceiling = first + RESERVE
        with writer.alone() as db:  # before the journal has a line: see `lost_its_log`
            db.execute(WRITES["reserve"], [self._ceiling])

    @contextmanager
    def held(self, count: int) -> Iterator[None]:
        """Hold the store's lock, with so many numbers at hand."""
        while True:
            with self._writer.lock:
                if self.next + count <= self._ceiling:
                    yield
                    return
            self._reserve(count)

    def _reserve(self, count: int) -> None:
        """Wait for the disk, once in many thousand samples."""
        with self._writer.lock:
            ceiling = self.next + count + RESERVE
            self._writer.write([("reserve", ceiling)])
        self._writer.flush()
        with self._writer.lock:
            self._ceiling = max(self._ceiling, ceiling)

    def leap(self) -> Write:
        """Go on far above all that a damaged file may have; return what reserves it anew."""
        self.next = (self._ceiling // GENERATION + 1) * GENERATION
        self._ceiling = self.next + RESERVE
        return ("reserve", self._ceiling)
