"""Looks for what is damaged before somebody needs it, and takes it out of everybody's way.

SQLite notices when the structure of a page is damaged, not when the bytes in a row are others.
Blocks have a CRC: they are looked at one after another. Fresh rows are looked at when somebody
stumbled over one.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pilogger.errors import BadValue, StoreDamaged
from pilogger.sample import check_value
from pilogger.store.block import unpack
from pilogger.store.connection import open_reader
from pilogger.store.damage import corrupt
from pilogger.store.eviction import record

if TYPE_CHECKING:
    from pilogger.store.log import Store

log = logging.getLogger("pilogger.store")

NEXT = (
    "SELECT id, source, first, last, readings, samples, CAST(data AS BLOB) FROM block"
    " WHERE id > ? ORDER BY id LIMIT 1"
)
FRESH = (
    "SELECT seq, source, segment, typeof(boot), typeof(epoch), CAST(data AS BLOB) FROM sample"
    " ORDER BY seq"
)


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
        self._last = 0
        self._closed = False

    def step(self) -> bool:
        """Look at one block, and at the fresh rows if they are in doubt; False after the last."""
        with self._store.sealer.guard:
            if self._closed:
                return False
            found = list(self._fresh()) if self._store.writer.doubted else []
            row = self._reader.execute(NEXT, [self._last]).fetchone()
        self._store.writer.doubted = False
        self._last = row[0] if row else 0
        if row and (why := _damage(row[6], row[5])):
            id, source, first, last, readings = row[:5]
            found.append(Bad("block", id, source, first, last, readings, why))
        if found:
            self._remove(found)
        return row is not None

    def _fresh(self) -> Iterator[Bad]:
        sources, segments = self._store.registry.sources, self._store.segments
        for seq, source, segment, boot, given, data in self._reader.execute(FRESH):
            known = sources.get(source)
            width = len(known.channels) if known else 0
            stamped = given == "null" and boot == "integer" and segment in segments
            if not (known and (stamped or given in ("integer", "text")) and _is_right(data, width)):
                yield Bad("sample", seq, source, seq, seq, width or 1, "its values are not those")

    def _remove(self, found: list[Bad]) -> None:
        store = self._store
        with store.still:
            with store.writer.alone() as db:
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


def _is_right(data: object, width: int) -> bool:
    """Whether this is what a sample's values look like."""
    try:
        found = json.loads(data) if isinstance(data, bytes) else None
        for value in found if isinstance(found, list) else ():
            if value is not None:
                check_value(value)
    except (ValueError, BadValue):
        return False
    return isinstance(found, list) and len(found) == width
