"""Turns fresh samples into history, in small pieces, in the background.

The samples of a source become blocks in the order of their arrival: as soon as there are
enough for a block, or once the oldest has waited for a day. A block that came out short is
continued. A block and its rollups appear, and its samples go, in one transaction.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, takewhile
from operator import itemgetter
from pathlib import Path
from sqlite3 import Connection
from time import monotonic

from pilogger.store import rollups
from pilogger.store.blocks import GENERATION, Blocks, Row
from pilogger.store.connection import open_reader
from pilogger.store.eraser import Eraser
from pilogger.store.journal import Write
from pilogger.store.schema import SAMPLE, SOUND
from pilogger.store.segments import Standing
from pilogger.store.writer import Writer

FULL = 1024  # samples of a block
SHORT = FULL // 2  # with fewer it is continued
PATIENCE_S = 86_400.0  # the longest that a sample waits for others, or for a right clock
AT_ONCE = 8  # sources that are read together
FLOOD = 5_000  # samples a second; no device takes so many, but a hub may
BACKLOG = 250_000  # samples that may wait for the end of a flood
LOOK_S = 0.2
LATER_S = 60.0  # before a source that has to wait for the clock is looked at again

Kind = int | None
"""What the samples of a block share: their segment, or None if they have epoch overrides."""


class Sealer:
    """One per store; `step` is called by one thread, `count` by whoever commits."""

    def __init__(self, writer: Writer, path: Path, standing: Callable[[int], Standing]) -> None:
        self._writer = writer
        self._standing = standing
        self._reader = open_reader(path)
        self._eraser = Eraser()
        self.guard = threading.Lock()
        """Held while a piece is under way; the keeper's pieces too."""
        self.erases = True
        """Whether erased spans are taken out of the blocks; not while more blocks come."""
        self._closed = False
        self._counted = 0
        self._looked = monotonic()
        self._flooded = False
        self._load(self._reader)

    def _load(self, db: Connection) -> None:
        rows = db.execute("SELECT source, count(*) FROM sample GROUP BY source")
        self._waiting: Counter[int] = Counter(dict(rows.fetchall()))
        self._since = dict.fromkeys(self._waiting, monotonic())
        self._not_before: dict[int, float] = {}
        self._generation = self._writer.generation

    def follow(self) -> None:
        """Go on with a new file."""
        with self.guard, self._writer.alone() as db:
            self._reader.close()
            self._reader = open_reader(self._writer.path)
            self._load(db)

    @property
    def waiting(self) -> int:
        """Samples that are committed and not sealed."""
        return sum(self._waiting.values())

    def count(self, rows: Sequence[Write]) -> None:
        """Hear of samples that were committed."""
        now = monotonic()
        for source, samples in Counter(map(itemgetter(2), rows)).items():
            self._waiting[source] += samples
            self._since.setdefault(source, now)
        self._counted += len(rows)

    def is_flooded(self) -> bool:
        """Whether so much arrives that it had better not share the processor with sealing."""
        seconds = monotonic() - self._looked
        if seconds >= LOOK_S:
            self._flooded = self._counted > FLOOD * seconds
            self._counted, self._looked = 0, monotonic()
        return self._flooded and self.waiting < BACKLOG

    def discount(self, gone: Mapping[int, int]) -> None:
        """Hear of samples, by source, that left the store before they were sealed."""
        with self._writer.lock:
            for source, samples in gone.items():
                self._waiting[source] -= samples

    def step(self) -> bool:
        """Do one piece of what is due; True if more may be.

        Raises:
            StoreBroken: the disk refused; nothing was changed.
        """
        with self.guard:
            if self._closed:
                return False
            due = list(islice(self._due(), AT_ONCE))
            if due:
                self._seal(due)
                return True
            with self._writer.alone() as db:
                erased = self.erases and self._eraser.step(db, self._waiting)
                return erased or rollups.mend(db)

    def stop(self) -> None:
        """Let go of the file; a piece that is under way is finished first."""
        with self.guard:
            self._closed = True
            self._reader.close()

    def _due(self) -> Iterable[int]:
        now = monotonic()
        for source, count in list(self._waiting.items()):
            if now < self._not_before.get(source, 0):
                continue
            if count >= FULL or (count and now - self._since[source] > PATIENCE_S):
                yield source

    # -- samples to blocks ---------------------------------------------------------------

    def _seal(self, sources: Sequence[int]) -> None:
        marks = ", ".join("?" * len(sources))
        rows = self._reader.execute(
            f"SELECT {SAMPLE} FROM sample WHERE source IN ({marks}) AND {SOUND}"
            " ORDER BY seq LIMIT ?",
            (*sources, FULL * len(sources)),
        ).fetchall()
        ready = {
            source: self._ready(source, [row for row in rows if row[1] == source][:FULL])
            for source in sources
        }
        # One transaction for all: they lie between one another, on the same pages.
        with self._writer.alone() as db:
            if self._generation != self._writer.generation:  # these rows are of a damaged file
                return
            blocks = Blocks(db)
            for source, found in ready.items():
                for kind, group in _kinds(found).items():
                    rollups.add(db, source, kind, group)
                    blocks.extend(source, kind, group, SHORT)
                if found:
                    db.execute("UPDATE source SET sealed = ? WHERE id = ?", (found[-1][0], source))
            gone = sorted(row[:1] for found in ready.values() for row in found)
            db.executemany("DELETE FROM sample WHERE seq = ?", gone)
        for source, found in ready.items():
            self._waiting[source] -= len(found)
            self._since[source] = monotonic()

    def _ready(self, source: int, rows: list[Row]) -> list[Row]:
        """Return what may be sealed: for the others the clock is not known well enough yet."""
        rows = [row for row in rows if row[0] // GENERATION == rows[0][0] // GENERATION]
        if monotonic() - self._since[source] > PATIENCE_S:
            return rows
        ready = list(takewhile(lambda row: row[4] is not None or self._is_settled(row), rows))
        if not ready:
            self._not_before[source] = monotonic() + LATER_S
        return ready

    def _is_settled(self, row: Row) -> bool:
        return self._standing(row[2]) != "soon"


def _kinds(rows: Sequence[Row]) -> dict[Kind, list[Row]]:
    """Sort samples by what the samples of a block share; their values as they were."""
    kinds: dict[Kind, list[Row]] = {}
    for seq, source, segment, boot, given, data in rows:
        row = (seq, source, segment, boot, given, json.loads(data))  # type: ignore[arg-type]
        kinds.setdefault(None if given is not None else segment, []).append(row)
    return kinds
