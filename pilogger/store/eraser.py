"""Takes out of the blocks what was erased; readers leave it out from the first moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from sqlite3 import Connection

from pilogger.store import thinned
from pilogger.store.blocks import MICRO, Block, Blocks, Row, clamp
from pilogger.store.moments import Erased
from pilogger.store.rollups import END, FIRST, SECOND, TIERS, make_stale

AT_ONCE = 8  # blocks


class Eraser:
    """Goes through the blocks of an erased span once; begins again after a restart."""

    def __init__(self) -> None:
        self._done: dict[tuple[int, Erased], int] = {}

    def step(self, db: Connection, waiting: Mapping[int, int]) -> bool:
        """Do one piece in the caller's transaction; False if there is none.

        `waiting` counts the samples of each source that are not sealed yet.
        """
        for series, *row in db.execute("SELECT * FROM erased").fetchall():
            sources = db.execute(
                "SELECT source.id, item.key, sealed FROM source, json_each(series) AS item"
                " WHERE item.value = ?",
                [series],
            ).fetchall()
            erased = Erased.read(*row)
            if all(sealed >= erased.seq or not waiting.get(id) for id, _, sealed in sources):
                self._erase(db, series, erased, {id: channel for id, channel, _ in sources})
                return True
        return False

    def _erase(
        self, db: Connection, series: int, erased: Erased, channels: Mapping[int, int]
    ) -> None:
        done = self._done.get((series, erased), 0)
        marks = ", ".join("?" * len(channels))
        start, end = erased.first // MICRO, erased.last // MICRO
        found = db.execute(
            f"SELECT id FROM block WHERE id > ? AND source IN ({marks}) AND first <= ?"
            ' AND start <= ? AND "end" >= ? ORDER BY id LIMIT ?',
            (done, *channels, erased.seq, clamp(end), clamp(start), AT_ONCE),
        ).fetchall()
        blocks = Blocks(db)
        segments = blocks.segments()
        for (id,) in found:
            block = blocks.one(id, segments)
            if block is not None:
                _rewrite(db, blocks, block, erased, channels[block.source])
        if len(found) == AT_ONCE:
            self._done[series, erased] = found[-1][0]
            return
        self._done.pop((series, erased), None)
        db.execute(
            "DELETE FROM erased WHERE series = ? AND first = ? AND last = ? AND seq = ?",
            (series, clamp(erased.first), clamp(erased.last), erased.seq),
        )
        if erased.seq:
            _leave_no_rollup(db, series, erased)
        make_stale(db, series, erased.first, erased.last)


def _leave_no_rollup(db: Connection, series: int, erased: Erased) -> None:
    """Let go of what was kept of thinned readings, but for the periods that the span cuts."""
    first, last = max(erased.first // SECOND, FIRST), min(erased.last // SECOND, END)
    for tier, length in TIERS.items():
        thinned.unmark(db, series, tier, -(-first // length) * length, last // length * length)
        if (first, last) == (FIRST, END):  # a shortcut: they would go one by one
            db.execute(f"DELETE FROM {tier} WHERE series = ?", [series])


def _rewrite(db: Connection, blocks: Blocks, block: Block, erased: Erased, channel: int) -> None:
    rows = block.rows()
    left = list(_left(block, rows, erased, channel))
    if not left:
        db.execute("DELETE FROM block WHERE id = ?", [block.id])
    elif left != rows:
        segment = block.segment.id if block.segment else None
        blocks.put(block.source, segment, left, block.id)


def _left(block: Block, rows: list[Row], erased: Erased, channel: int) -> Iterator[Row]:
    for t, row in zip(block.times(), rows, strict=True):
        if erased.covers(t, row[0]):
            values = [None if i == channel else value for i, value in enumerate(row[5])]
            if any(value is not None for value in values):
                yield (*row[:5], values)
        else:
            yield row
