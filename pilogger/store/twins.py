"""Tells an event that is sent again: equal in source, epoch override and values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from sqlite3 import Connection

from pilogger import epoch
from pilogger.store.blocks import MICRO, Blocks
from pilogger.store.journal import Write
from pilogger.store.values import to_json

Key = tuple[int, int | str | None, str]
"""Source, epoch and values."""


class Twins:
    """Knows every sample with an epoch override; the caller holds the store's lock."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._blocks = Blocks(db)
        self._fresh: set[Key] = set()

    def leave_out(self, writes: Sequence[Write]) -> list[Write]:
        """Return the samples that are not there yet, nor twice among themselves."""
        seen: set[Key] = set()
        new = []
        for write in writes:
            key = _key(write)
            if key[1] is None or not (key in seen or self._is_there(key)):
                new.append(write)
                seen.add(key)
        return new

    def add(self, writes: Sequence[Write]) -> None:
        """Remember samples that are not in the file yet."""
        self._fresh.update(_key(write) for write in writes if write[5] is not None)

    def forget(self, writes: Sequence[Write]) -> None:
        """Forget samples that are in the file now."""
        if self._fresh:
            self._fresh.difference_update(map(_key, writes))

    def _is_there(self, key: Key) -> bool:
        if key in self._fresh:
            return True
        found = self._db.execute(
            "SELECT 1 FROM sample WHERE source = ? AND epoch = ? AND data = ?", key
        ).fetchone()
        return found is not None or self._is_sealed(*key)

    def _is_sealed(self, source: int, packed: int | str | None, data: str) -> bool:
        assert packed is not None
        at = epoch.nanoseconds(packed) // MICRO
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


def _key(write: Write) -> Key:
    return (write[2], write[5], write[6])
