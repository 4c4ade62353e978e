"""Looks for what is damaged before somebody needs it, and takes it out of everybody's way.

SQLite notices when the structure of a page is damaged, not when the bytes in a row are others.
Blocks and fresh rows have a checksum: they are looked at one after another. Who reads skips what
is not sound; this takes it out, and counts it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pilogger.errors import StoreDamaged
from pilogger.store.block import unpack
from pilogger.store.connection import open_reader
from pilogger.store.damage import corrupt
from pilogger.store.eviction import record
from pilogger.store.schema import SOUND

if TYPE_CHECKING:
    from pilogger.store.log import Store

log = logging.getLogger("pilogger.store")

NEXT = (
    "SELECT id, source, first, last, readings, samples, CAST(data AS BLOB) FROM block"
    " WHERE id > ? ORDER BY id LIMIT 1"
)
FRESH = f"""
SELECT seq, source, segment, epoch IS NULL, {SOUND}
FROM (SELECT * FROM sample WHERE seq > ? ORDER BY seq LIMIT ?) AS sample
"""
ROWS = 512  # that are looked at together


class Bad(NamedTuple):
    """A row that is not what was written, and how many readings it had."""

    table: str
    id: int
    source: int
    first: int
    last: int
    readings: int
    why: str


class Inspector:
    """One per store; `step` is called by one thread, once a second.

    What is damaged goes, and is counted as evicted. The rollups of a block stay.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reader = open_reader(store.path)
        self._generation = store.writer.generation
        self._last = self._seq = 0
        self._closed = False

    def step(self) -> bool:
        """Look at one block and at some fresh rows; False after the last block."""
        with self._store.sealer.guard:
            if self._closed:
                return False
            found = list(self._fresh())
            row = self._reader.execute(NEXT, [self._last]).fetchone()
        self._last = row[0] if row else 0
        if row and (why := _damage(row[6], row[5])):
            id, source, first, last, readings = row[:5]
            found.append(Bad("block", id, source, first, last, readings, why))
        if found:
            self._remove(found)
        return row is not None

    def _fresh(self) -> Iterator[Bad]:
        """Look at the next fresh rows; at all of them if somebody stumbled over one."""
        sources, segments = self._store.registry.sources, self._store.segments
        where = (-1, -1) if self._store.writer.doubted else (self._seq, ROWS)
        self._store.writer.doubted = False
        rows = self._reader.execute(FRESH, where).fetchall()
        self._seq = rows[-1][0] if len(rows) == ROWS else 0
        for seq, source, segment, stamped, sound in rows:
            known = sources.get(source)
            if not (sound and known and (not stamped or segment in segments)):
                width = len(known.channels) if known else 1
                yield Bad("sample", seq, source, seq, seq, width, "it is not what was written")

    def _remove(self, found: list[Bad]) -> None:
        store = self._store
        with store.still:
            with store.writer.alone() as db:
                if self._generation != store.writer.generation:  # these are of a damaged file
                    return
                for bad in found:
                    owed = any(outbox.owes(bad.first, bad.last) for outbox in store.outboxes)
                    gone = db.execute(f"DELETE FROM {bad.table} WHERE rowid = ?", [bad.id])
                    if not gone.rowcount:
                        raise corrupt(f"{bad.table} {bad.id} is not where its number says")
                    record(db, "damaged", bad.readings, bad.readings if owed else 0)
            store.sealer.discount(Counter(bad.source for bad in found if bad.table == "sample"))
            store.salvage.turn += 1
        for bad in found:
            log.error(
                "%s %d is damaged: %d readings are lost: %s",
                bad.table,
                bad.id,
                bad.readings,
                bad.why,
            )

    def follow(self) -> None:
        """Go on with a new file."""
        with self._store.sealer.guard:
            self._reader.close()
            self._reader = open_reader(self._store.path)
            self._generation = self._store.writer.generation

    def stop(self) -> None:
        """Let go of the file."""
        with self._store.sealer.guard:
            self._closed = True
            self._reader.close()


def _damage(data: object, samples: int) -> str:
    """Say what is wrong with a block; '' for nothing."""
    try:
        if not isinstance(data, bytes) or unpack(data).samples != samples:
            return "it is no block at all"
    except StoreDamaged as error:
        return str(error)
    return ""
