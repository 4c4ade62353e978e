"""Tells an event that is sent again: equal in source, epoch override and values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import itemgetter
from sqlite3 import Connection

from pilogger import epoch
from pilogger.store.blocks import MICRO, Blocks, clamp
from pilogger.store.journal import Write
from pilogger.store.schema import SOUND
from pilogger.store.values import to_json

Key = tuple[int, int | str | None, str]
"""Source, epoch and values."""

key_of = itemgetter(2, 5, 6)

NEWEST = f"""
SELECT * FROM (SELECT max(epoch) AS t FROM sample WHERE source = ? AND epoch < '') WHERE t NOT NULL
UNION ALL SELECT epoch FROM sample WHERE source = ? AND epoch >= ''
UNION ALL SELECT (newest + 1) * {MICRO} FROM source WHERE id = ? AND newest NOT NULL
"""


class Twins:
    """Knows every sample with an epoch override; the caller holds the store's lock."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._blocks = Blocks(db)
        self._fresh: set[Key] = set()
        self._newest: dict[int, int] = {}
        """No sample of a source has an epoch after this one, in nanoseconds."""

    def leave_out(self, writes: Sequence[Write]) -> list[Write]:
        """Return the samples that are not there yet, nor twice among themselves."""
        seen: set[Key] | None = None
        new: list[Write] = []
        for write in writes:
            at = write[5]
            if at is not None and not self._is_newest(write[2], at):
                if seen is None:
                    seen = set(map(key_of, new))
                if key_of(write) in seen or self._is_there(key_of(write)):
                    continue
            new.append(write)
            if seen is not None:
                seen.add(key_of(write))
        return new

    def doubt(self) -> None:
        """Forget what is the newest: readings came back from a damaged store."""
        self._newest.clear()

    def notice(self, writes: Sequence[Write]) -> Sequence[Write]:
        """Return the samples as they are, and know how new they are."""
        for write in writes:
            if write[5] is not None:
                self._is_newest(write[2], write[5])
        return writes

    def add(self, writes: Sequence[Write]) -> None:
        """Remember samples, noticed or not left out, that are not in the file yet."""
        self._fresh.update(key_of(write) for write in writes if write[5] is not None)

    def forget(self, writes: Sequence[Write]) -> None:
        """Forget samples that are in the file now."""
        if self._fresh:
            self._fresh.difference_update(map(key_of, writes))

    def _is_newest(self, source: int, at: int | str) -> bool:
        """Whether nothing of the source is so new; from now on something is."""
        newest = self._newest.get(source)
        if newest is None:
            newest = self._newest[source] = self._find_newest(source)
        t = at if isinstance(at, int) else epoch.nanoseconds(at)
        if t <= newest:
            return False
        self._newest[source] = t
        return True

    def _find_newest(self, source: int) -> int:
        rows = self._db.execute(NEWEST, [source, source, source])
        return max((epoch.nanoseconds(packed) for (packed,) in rows), default=-epoch.FAR)

    def _is_there(self, key: Key) -> bool:
        if key in self._fresh:
            return True
        found = self._db.execute(
            f"SELECT 1 FROM sample WHERE source = ? AND epoch = ? AND data = ? AND {SOUND}", key
        ).fetchone()
        return found is not None or self._is_sealed(*key)

    def _is_sealed(self, source: int, packed: int | str | None, data: str) -> bool:
        assert packed is not None
        at = clamp(epoch.nanoseconds(packed) // MICRO)
        found = self._db.execute("SELECT newest FROM source WHERE id = ?", [source]).fetchone()
        if found is None or found[0] is None or at > found[0]:
            return False
        values = json.loads(data)
        for block in self._blocks.between(source, at, at, self._blocks.segments()):
            for row, time in enumerate(block.body.times):
                if block.segment is None and time == packed:
                    there = [block.body.column(i)[row] for i in range(block.body.width)]
                    if to_json(there) == to_json(values):
                        return True
        return False
