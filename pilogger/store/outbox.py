"""A destination's way out of the store: an integer cursor, batches, what is set aside.

Everything up to the cursor is settled: accepted, set aside because the destination will
never take it, or held because its clock was never right. Readings are taken from the
order of arrival, so one series always leaves in order, oldest first. What was held goes
before all else, once its time is estimated and the policy lets it go.
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
from pilogger.store.journal import Write
from pilogger.store.segments import Standing

if TYPE_CHECKING:
    from pilogger.store.log import Store

Policy = Literal["hold", "send-marked", "drop"]
"""What becomes of readings whose clock was never right, when their time is estimated."""

NEVER_RIGHT = "its clock was never right, and clock.unsynced is drop"
HELD = "readings of earlier starts wait, as their clock was never right (clock.unsynced is hold)"
LATER = "readings of earlier starts wait until the clock is right and their time is estimated"

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

    def __init__(
        self,
        store: Store,
        name: str,
        start: Literal["now", "all"],
        unsynced: Policy = "hold",
    ) -> None:
        self.name = name
        self.waiting = ""
        """Why readings are held back; empty when nothing is."""
        self._store = store
        self._news = threading.Event()
        self._batch: Batch | None = None
        self._unsynced = unsynced
        store.flush()
        self._reader = open_reader(store.path)
        self._cursor, self.sent, self.refused = self._open(start)
        self._spans = self._load_spans()
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

    def _load_spans(self) -> list[tuple[int, int]]:
        """Read the spans that are held, oldest first; all are before the cursor."""
        return self._reader.execute(
            "SELECT first, last FROM held WHERE destination = ? ORDER BY first", [self.name]
        ).fetchall()

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
        if self._batch is None:
            self._batch = self._next(limit)
        return self._batch

    def _next(self, limit: int) -> Batch | None:
        while True:
            if rows := self._released(limit):
                batch = self._form(rows, limit)
                if self._unsynced != "drop":
                    self.waiting = ""
                    return batch
                self.settle(batch, [SetAside(point, NEVER_RIGHT) for point in batch.points])
            elif not (rows := self._rows(limit)):
                self.waiting = self._why_held()
                return None
            elif ready := list(takewhile(self._may_go, rows)):
                self.waiting = ""
                return self._form(ready, limit)
            elif self._standing(rows[0]) == "soon":
                self.waiting = self._store.segments.why(rows[0][2])
                return None
            else:
                self._hold([row[0] for row in takewhile(self._is_lost_in_time, rows)])

    def settle(self, batch: Batch, refused: Sequence[SetAside] = ()) -> None:
        """Move on: everything in the batch was accepted or is set aside.

        Raises:
            StoreBroken: the disk took nothing; the batch is still the one to send.
        """
        sent = self.sent + len(batch.points) - len(refused)
        total = self.refused + len(refused)
        cursor = max(self._cursor, batch.last)
        writes: list[Write] = [
            ("set_aside", self.name, p.seq, p.series, reason) for p, reason in refused
        ]
        spans = self._spans
        if batch.last <= self._cursor:  # these were held
            writes += [("release", self.name, batch.last), ("shrink", self.name, batch.last)]
            spans = [(max(a, batch.last + 1), b) for a, b in spans if b > batch.last]
        self._store.writer.write([*writes, ("destination", self.name, cursor, sent, total)])
        self._cursor, self.sent, self.refused, self._spans = cursor, sent, total, spans
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
        last = self._cursor
        for last, source_id, segment_id, boot, given, data in rows:
            segment = self._store.segments[segment_id]
            when = epoch.from_us(segment.wall(boot)) if given is None else epoch.unpack(given)
            estimated = given is None and segment.state == "estimated"
            source = self._store.sources[source_id]
            for key, value in zip(source.series, json.loads(data), strict=True):
                if value is not None:
                    points.append(Point(last, key, when, value, source.bucket, estimated))
            if len(points) >= limit:
                break
        return Batch(tuple(points), last)

    # -- readings whose time is not known ------------------------------------------------

    def _standing(self, row: Row) -> Standing:
        return "right" if row[4] is not None else self._store.segments.standing(row[2])

    def _may_go(self, row: Row) -> bool:
        return self._standing(row) == "right"

    def _is_lost_in_time(self, row: Row) -> bool:
        return self._standing(row) in ("estimated", "unknown")

    def _hold(self, seqs: list[int]) -> None:
        """Pass over readings of an earlier boot that never knew the time; keep their span."""
        first, before = seqs[0], self._spans
        if before and before[-1][1] == self._cursor:  # the last span goes on
            first, before = before[-1][0], before[:-1]
        self._store.writer.write(
            [
                ("held", self.name, first, seqs[-1]),
                ("destination", self.name, seqs[-1], self.sent, self.refused),
            ]
        )
        self._cursor, self._spans = seqs[-1], [*before, (first, seqs[-1])]

    def _released(self, limit: int) -> list[Row]:
        """Read the oldest held readings, if their time is estimated and they may leave."""
        if self._unsynced == "hold" or not self._spans:
            return []
        rows = self._reader.execute(
            "SELECT * FROM sample WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            (*self._spans[0], limit),
        ).fetchall()
        return list(takewhile(lambda row: self._standing(row) == "estimated", rows))

    def _why_held(self) -> str:
        if not self._spans:
            return ""
        return HELD if self._unsynced == "hold" else LATER


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
