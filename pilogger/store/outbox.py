"""A destination's way out of the store: an integer cursor, batches, what is set aside.

Everything up to the cursor is settled: accepted, set aside because the destination will
never take it, or held because its clock was never right. Readings are taken from the
order of arrival, so one series always leaves in order, oldest first.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections.abc import Sequence
from itertools import takewhile
from operator import itemgetter
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pilogger import epoch
from pilogger.sample import Point
from pilogger.store.connection import open_reader

if TYPE_CHECKING:
    from pilogger.store.log import Store

Row = tuple[Any, ...]
"""A row of `sample`: seq, source, segment, boot, epoch, data."""


class Batch(NamedTuple):
    """Readings to send together; `last` is the number of their last sample."""

    points: tuple[Point, ...]
    last: int


class SetAside(NamedTuple):
    """A reading that the destination will never take, and its words."""

    point: Point
    reason: str


class Outbox:
    """One per destination, used by one thread; `wake` may be called from any."""

    def __init__(self, store: Store, name: str, start: Literal["now", "all"]) -> None:
        self.name = name
        self.waiting = ""
        """Why readings are held back; empty when nothing is."""
        self._store = store
        self._news = threading.Event()
        self._batch: Batch | None = None
        self._held = (0, -1)
        store.flush()
        self._reader = open_reader(store.path)
        self._cursor, self.sent, self.refused = self._open(start)
        self._uncounted = self._count()

    def _open(self, start: Literal["now", "all"]) -> tuple[int, int, int]:
        found = self._reader.execute(
            "SELECT seq, sent, refused FROM destination WHERE name = ?", (self.name,)
        ).fetchone()
        if found:
            cursor, sent, refused = found
            return cursor, sent, refused
        cursor = 0 if start == "all" else self._store.last
        self._store.writer.write([("destination", self.name, cursor, 0, 0)])
        self._store.flush()  # else a power cut could let it begin later than it did
        return cursor, 0, 0

    def _count(self) -> int:
        """Count what is not settled, less what this process appended: that counts itself."""
        with self._store.lock:
            committed, stored = self._store.committed, self._store.stored
            fresh = sum(_readings(row) for row in self._fresh(self._cursor))
        waiting = count_pending(self._reader, self.name, self._cursor, committed)
        return waiting + fresh - stored

    def pending(self) -> int:
        """Count the readings that are not settled yet, held ones included."""
        return self._uncounted + self._store.stored

    def take(self, limit: int) -> Batch | None:
        """Return the oldest readings that may be sent: whole samples, about `limit` readings.

        The same batch comes again until it is settled. None: there is nothing to send now.
        """
        while self._batch is None:
            rows = self._rows(limit)
            if not rows:
                self.waiting = ""
                return None
            ready = list(takewhile(self._may_go, rows))
            if ready:
                self._batch = self._form(ready, limit)
            elif self._may_yet_come_right(rows[0]):
                self.waiting = "the clock has not been right since the machine started"
                return None
            else:
                self._hold([row[0] for row in takewhile(self._is_lost_in_time, rows)])
        self.waiting = ""
        return self._batch

    def settle(self, batch: Batch, refused: Sequence[SetAside] = ()) -> None:
        """Move on: everything in the batch was accepted or is set aside.

        Raises:
            StoreBroken: the disk took nothing; the batch is still the one to send.
        """
        sent = self.sent + len(batch.points) - len(refused)
        total = self.refused + len(refused)
        self._store.writer.write(
            [
                *(("set_aside", self.name, p.seq, p.series, reason) for p, reason in refused),
                ("destination", self.name, batch.last, sent, total),
            ]
        )
        self._cursor, self.sent, self.refused = batch.last, sent, total
        self._uncounted -= len(batch.points)
        self._batch = None

    def wait(self, timeout: float) -> None:
        """Return when there may be something new, after `timeout` seconds at the latest."""
        self._news.wait(timeout)
        self._news.clear()

    def wake(self) -> None:
        """Make `wait` return."""
        self._news.set()

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._reader.close()

    # -- rows to points ------------------------------------------------------------------

    def _rows(self, limit: int) -> list[Row]:
        """Read the next rows: first from the file, then what is not committed yet."""
        with self._store.lock:
            committed = self._store.committed
            fresh = self._fresh(max(committed, self._cursor))[:limit]
        rows: list[Row] = []
        if self._cursor < committed:
            rows = self._reader.execute(
                "SELECT * FROM sample WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (self._cursor, committed, limit),
            ).fetchall()
        return rows + fresh[: limit - len(rows)]

    def _fresh(self, after: int) -> list[Row]:
        fresh = self._store.fresh
        start = bisect_right(fresh, after, key=itemgetter(1))
        return [write[1:] for write in fresh[start:]]

    def _form(self, rows: list[Row], limit: int) -> Batch:
        points: list[Point] = []
        sources, segments = self._store.sources, self._store.segments
        last = self._cursor
        for last, source_id, segment, boot, given, data in rows:
            if given is None:
                when = epoch.from_us(segments[segment].offset + boot)
            else:
                when = epoch.unpack(given)
            source = sources[source_id]
            for key, value in zip(source.series, json.loads(data), strict=True):
                if value is not None:
                    points.append(Point(last, key, when, value, source.bucket))
            if len(points) >= limit:
                break
        return Batch(tuple(points), last)

    # -- readings whose time is not known ------------------------------------------------

    def _may_go(self, row: Row) -> bool:
        return row[4] is not None or self._store.segments[row[2]].state == "synced"

    def _may_yet_come_right(self, row: Row) -> bool:
        return self._store.segments[row[2]].boot_id == self._store.clock.boot_id

    def _is_lost_in_time(self, row: Row) -> bool:
        return not self._may_go(row) and not self._may_yet_come_right(row)

    def _hold(self, seqs: list[int]) -> None:
        """Pass over readings of an earlier boot that never knew the time; keep their span."""
        first = self._held[0] if self._held[1] == self._cursor else seqs[0]
        self._held = (first, seqs[-1])
        self._store.writer.write(
            [
                ("held", self.name, *self._held),
                ("destination", self.name, seqs[-1], self.sent, self.refused),
            ]
        )
        self._cursor = seqs[-1]


def count_pending(db: Connection, name: str, cursor: int, newest: int = 2**63 - 1) -> int:
    """Count the stored readings that a destination has not settled: beyond its cursor, or held."""
    (found,) = db.execute(
        "SELECT (SELECT count(*) FROM sample, json_each(data) AS item"
        "  WHERE item.type <> 'null' AND seq > :cursor AND seq <= :newest)"
        " + (SELECT count(*) FROM held JOIN sample ON seq BETWEEN first AND last,"
        "  json_each(data) AS item WHERE destination = :name AND item.type <> 'null')",
        {"newest": newest, "cursor": cursor, "name": name},
    ).fetchone()
    return int(found)


def _readings(row: Row) -> int:
    return sum(value is not None for value in json.loads(row[5]))
