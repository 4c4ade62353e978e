"""A destination's way out of the store: an integer cursor, batches, what is set aside.

Everything up to the cursor is settled: accepted, set aside because the destination will
never take it, or held because its clock was never right. Readings are taken from the
order of arrival, so one series always leaves in order, oldest first. Spans before the
cursor go before all else: what was held, once its time is estimated and the policy lets it
go; and what the destination is *owed*, like readings that were salvaged.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from pilogger.store.arrivals import Arrivals, count
from pilogger.store.batch import Batch, Row, SetAside, form, readings
from pilogger.store.connection import open_reader
from pilogger.store.journal import Write
from pilogger.store.segments import Standing
from pilogger.store.spans import (
    CLOCK,
    REPLAY,
    SALVAGED,
    Span,
    between,
    count_pending,
    passed,
    source_of,
)

if TYPE_CHECKING:
    from pilogger.store.log import Store

Policy = Literal["hold", "send-marked", "drop"]
"""What becomes of readings whose clock was never right, when their time is estimated."""

NEVER_RIGHT = "its clock was never right, and clock.unsynced is drop"
HELD = "readings of earlier starts wait, as their clock was never right (clock.unsynced is hold)"
LATER = "readings of earlier starts wait until the clock is right and their time is estimated"

SALVAGING = "readings of a damaged store wait until all that can be saved of it is there"


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
        self._start = start
        self._from: Span | None = None
        self._open()

    def _open(self) -> None:
        """Read where it is, in the file that the store has now."""
        store = self._store
        self._seen = (store.writer.generation, store.salvage.turn)
        store.flush()
        self._reader = open_reader(store.path)
        self._arrivals = Arrivals(self._reader)
        with store.writer.reading(self._seen[0]):
            found = self._reader.execute(
                "SELECT seq, sent, refused FROM destination WHERE name = ?", (self.name,)
            ).fetchone()
            where: tuple[int, int, int] = found or (self._begin(), 0, 0)
            self._cursor, self.sent, self.refused = where
            rows = self._reader.execute(
                "SELECT first, last, reason FROM held WHERE destination = ? ORDER BY first",
                [self.name],
            )
            self._spans = [Span(*row) for row in rows]
            self._uncounted = self._count()

    def _begin(self) -> int:
        store, writes = self._store, list[Write]()
        cursor = 0 if self._start == "all" else store.last
        if self._start == "all" and store.salvage.pending:  # how far it was is not known yet
            cursor = store.salvage.floor - 1
            writes.append(("owed", self.name, 1, cursor, SALVAGED))
        store.writer.write([*writes, ("destination", self.name, cursor, 0, 0)])
        store.flush()  # else a power cut could let it begin later than it did
        return cursor

    def _follow(self) -> None:
        """Look again where a damaged file gave way to a new one, or something came back."""
        if self._seen != (self._store.writer.generation, self._store.salvage.turn):
            self._reader.close()
            self._open()

    def rows(self, above: int) -> list[Write]:
        """Return what makes it anew in an empty file, where numbers begin with `above`."""
        spans = [*self._spans, Span(self._cursor + 1, above - 1, SALVAGED)]
        return [
            *(("owed", self.name, *span) for span in spans),
            ("destination", self.name, above - 1, self.sent, self.refused),
        ]

    def _count(self) -> int:
        """Count what is not settled, less what this process appended: that counts itself."""
        with self._store.lock:
            committed, stored = self._store.committed, self._store.stored
            fresh = sum(readings(row) for row in self._fresh(self._cursor))
        waiting = count_pending(self._reader, self.name, self._cursor, committed)
        return waiting + fresh - stored

    def pending(self) -> int:
        """Count the readings that are not settled yet, held ones included."""
        return self._uncounted + self._store.stored

    def take(self, limit: int) -> Batch | None:
        """Return the oldest readings that may be sent: whole samples, about `limit` readings.

        The same batch comes again until it is settled. None: there is nothing to send now.
        """
        with self._store.still:
            self._follow()
            if self._batch is None:
                with self._store.writer.reading(self._seen[0]):
                    self._batch = self._next(limit)
            return self._batch

    def _next(self, limit: int) -> Batch | None:
        while True:
            self._from = None
            if batch := self._owed(limit):
                if self._unsynced != "drop" or (self._from and self._from.reason != CLOCK):
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
        with self._store.still:
            self._follow()
            sent = self.sent + len(batch.points) - len(refused)
            total = self.refused + len(refused)
            cursor = max(self._cursor, batch.last)
            writes: list[Write] = [
                ("set_aside", self.name, p.seq, p.series, reason) for p, reason in refused
            ]
            spans = self._spans
            if batch.last <= self._cursor:
                first = self._from.first if self._from else batch.last
                if span := source_of(spans, first, batch.last):  # else the file was replaced
                    spans, left = passed(spans, span, batch.last, self.name)
                    writes += left
            self._store.writer.write([*writes, ("destination", self.name, cursor, sent, total)])
            self._cursor, self.sent, self.refused, self._spans = cursor, sent, total, spans
            self._uncounted -= len(batch.points)
            self._batch = None

    @property
    def settled(self) -> int:
        """The cursor: what has a number up to this is settled, or held."""
        return self._cursor

    def has(self, writes: Sequence[Write]) -> bool:
        """Whether any of these samples is in the batch at hand, or settled."""
        reached = max(self._cursor, self._batch.last if self._batch else 0)
        return any(write[1] <= reached for write in writes)

    def owes(self, first: int, last: int) -> bool:
        """Whether anything numbered `first` to `last` is not settled yet."""
        return last > self._cursor or any(a <= last and first <= b for a, b, _ in self._spans)

    def lose(self, gone: Mapping[int, int]) -> None:
        """Hear of samples that left the store: how many readings each had, by number."""
        at_hand = {point.seq for point in self._batch.points} if self._batch else set()
        self._uncounted -= sum(
            readings for seq, readings in gone.items() if seq not in at_hand and self.owes(seq, seq)
        )

    def send_again(self, start: int, end: int) -> int:
        """Send once more what the destination has had from `start` to `end`, and is still kept.

        Both in microseconds. What arrived among these readings goes with them, whatever its
        time. Returns how many readings that is.

        Raises:
            StoreBroken: the disk took nothing.
        """
        with self._store.still:
            self._store.flush()
            first, last = between(self._reader, start, end)
            if first is None or first > self._cursor:
                return 0
            span = Span(first, min(last, self._cursor), REPLAY)
            self._store.writer.write([("again", self.name, span.first, span.last)])
            found = count(self._reader, span.first - 1, span.last)
            self._spans = sorted([*self._spans, span])
            self._uncounted += found
        self.wake()
        return found

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
            rows += self._arrivals.after(self._cursor, committed, limit)
        return rows + fresh[: limit - len(rows)]

    def _fresh(self, after: int) -> list[Row]:
        fresh = self._store.fresh
        start = bisect_right(fresh, after, key=itemgetter(1))
        return [write[1:] for write in fresh[start:]]

    def _form(self, rows: list[Row], limit: int) -> Batch:
        return form(rows, limit, self._store.segments, self._store.registry.sources)

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
        if before and before[-1].last == self._cursor and before[-1].reason == CLOCK:
            first, before = before[-1].first, before[:-1]  # the last span goes on
        self._store.writer.write(
            [
                ("held", self.name, first, seqs[-1]),
                ("destination", self.name, seqs[-1], self.sent, self.refused),
            ]
        )
        self._cursor, self._spans = seqs[-1], [*before, Span(first, seqs[-1], CLOCK)]

    # -- spans before the cursor ---------------------------------------------------------

    def _owed(self, limit: int) -> Batch | None:
        """Form a batch of the oldest readings before the cursor that may leave."""
        for span in self._spans:
            if self._waits(span):
                continue
            rows = self._arrivals.after(span.first - 1, span.last, limit)
            fit = self._is_estimated if span.reason == CLOCK else self._may_go
            self._from = span
            if ready := list(takewhile(fit, rows)):
                return self._form(ready, limit)
            lost = [row[0] for row in takewhile(self._is_lost_in_time, rows)]
            if not rows and span.last <= self._store.committed:
                self._pass(span, span.last)
                return self._owed(limit)
            if lost and span.reason != CLOCK:
                self._pass(span, lost[-1], Span(lost[0], lost[-1], CLOCK))
                return self._owed(limit)
        self._from = None
        return None

    def _waits(self, span: Span) -> bool:
        """Whether a span must stay as it is for now."""
        salvage = self._store.salvage
        held = span.reason == CLOCK and self._unsynced == "hold"
        return held or (salvage.pending and span.first < salvage.floor)

    def _is_estimated(self, row: Row) -> bool:
        return self._standing(row) == "estimated"

    def _pass(self, span: Span, last: int, lost: Span | None = None) -> None:
        """Go on behind `last` in a span; what is `lost` in time waits in one of its own."""
        spans, writes = passed(self._spans, span, last, self.name)
        if lost:
            spans = sorted([*spans, lost])
            writes.append(("untimed", self.name, lost.first, lost.last))
        self._store.writer.write(writes)
        self._spans = spans

    def _why_held(self) -> str:
        reasons = {span.reason for span in self._spans}
        if SALVAGED in reasons and self._store.salvage.pending:
            return SALVAGING
        if CLOCK not in reasons:
            return ""
        return HELD if self._unsynced == "hold" else LATER
