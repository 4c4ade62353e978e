"""A destination's way out of the store: an integer cursor, batches, what is set aside.

Everything up to the cursor is settled: accepted, set aside because the destination will
never take it, or held because its clock was never right. Readings are taken from the
order of arrival, so one series always leaves in order, oldest first. What lies before the
cursor and is held or owed (`Owed`) goes before all else.

With `live_first` a series leaves in two streams, each in order: what is live, and what waited
longer than two minutes, which is owed from then on. They take turns, so neither starves the other.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from pilogger.store.arrivals import Arrivals
from pilogger.store.batch import Batch, Row, SetAside, form, leading, readings, standing
from pilogger.store.connection import open_reader
from pilogger.store.journal import Write
from pilogger.store.owed import Owed, Policy
from pilogger.store.spans import BACKLOG, CLOCK, SALVAGED, Span, between, count_pending

if TYPE_CHECKING:
    from pilogger.store.log import Store

Order = Literal["oldest_first", "live_first"]
"""What leaves first when much has waited; of one series, too."""

LIVE_US = 120_000_000
"""With `live_first` what is older goes later; a server may well ask for a pause of a minute."""

NEVER_RIGHT = "its clock was never right, and clock.unsynced is drop"


class Outbox:
    """One per destination, used by one thread; `wake` may be called from any."""

    def __init__(
        self,
        store: Store,
        name: str,
        start: Literal["now", "all"],
        unsynced: Policy = "hold",
        order: Order = "oldest_first",
    ) -> None:
        self.name = name
        self.waiting = ""
        """Why readings are held back; empty when nothing is."""
        self._store = store
        self._news = threading.Event()
        self._batch: Batch | None = None
        self._start = start
        self._order = order
        self._was_live = False  # the last batch
        self._owed = Owed(store, name, unsynced)
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
            self._owed.read(self._reader, self._arrivals)
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
        spans = [*self._owed.spans, Span(self._cursor + 1, above - 1, SALVAGED)]
        return [
            *(("owed", self.name, *span) for span in spans),
            ("destination", self.name, above - 1, self.sent, self.refused),
        ]

    def _count(self) -> int:
        """Count what is not settled, less what this process appended: that counts itself."""
        with self._store.lock:
            committed, stored = self._store.appender.committed, self._store.stored
            fresh = sum(readings(row) for row in self._fresh(self._cursor))
        waiting = count_pending(self._reader, self.name, self._cursor, committed)
        return waiting + fresh - stored

    def pending(self) -> int:
        """Count the readings that are not settled yet, held ones included."""
        return self._uncounted + self._store.stored

    def take(self, limit: int) -> Batch | None:
        """Return the readings that are next in its order: whole samples, about `limit` readings.

        The same batch comes again until it is settled. None: there is nothing to send now.
        """
        with self._store.still:
            self._follow()
            if self._batch is None:
                with self._store.writer.reading(self._seen[0]):
                    self._batch = self._next(limit)
                if self._batch:
                    self.waiting = ""
            return self._batch

    def _next(self, limit: int) -> Batch | None:
        """Form the next batch; with `live_first` of what is live and of what is owed by turns."""
        if self._order == "live_first":
            self._leave_behind()
            turn, self._was_live = not self._was_live, False
            if turn and (ready := leading(self._rows(limit), self._store.segments, "right")):
                self._was_live = True
                return self._form(ready, limit)
        return self._oldest(limit)

    def _oldest(self, limit: int) -> Batch | None:
        segments = self._store.segments
        while True:
            if batch := self._owed.take(limit):
                if not self._owed.drops():
                    return batch
                self.settle(batch, [SetAside(point, NEVER_RIGHT) for point in batch.points])
            elif not (rows := self._rows(limit)):
                self.waiting = self._owed.why()
                return None
            elif ready := leading(rows, segments, "right"):
                return self._form(ready, limit)
            elif standing(rows[0], segments) == "soon":
                self.waiting = segments.why(rows[0][2])
                return None
            else:
                lost = leading(rows, segments, "estimated", "unknown")
                self._pass_over(Span(lost[0][0], lost[-1][0], CLOCK))

    def _leave_behind(self) -> None:
        """Where the next reading is not live any more, let all that is committed go later."""
        segments, last = self._store.segments, self._store.appender.committed
        for row in self._rows(1):
            seq, _, segment, boot, *_ = row
            old = segments.age(segment, boot) > LIVE_US
            if old and seq <= last and standing(row, segments) != "soon":
                self._pass_over(Span(seq, last, BACKLOG))

    def _pass_over(self, span: Span) -> None:
        """Move the cursor over readings that go later, as one write."""
        moved = ("destination", self.name, span.last, self.sent, self.refused)
        self._owed.put_off(self._cursor, span, also=[moved])
        self._cursor = span.last

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
                *self._store.keeper.under_way.arrived(self, batch),
                *(("set_aside", self.name, p.seq, p.series, reason) for p, reason in refused),
                ("destination", self.name, cursor, sent, total),
            ]
            if batch.last <= self._cursor:
                self._owed.settle(batch.last, also=writes)
            else:
                self._store.writer.write(writes)
            self._cursor, self.sent, self.refused = cursor, sent, total
            self._uncounted -= len(batch.points)
            self._store.keeper.under_way.settled(self, batch)
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
        return last > self._cursor or self._owed.overlaps(first, last)

    @property
    def at_hand(self) -> set[int]:
        """The numbers of the samples in the batch that was taken, until it is settled."""
        return {point.seq for point in self._batch.points} if self._batch else set()

    def lose(self, gone: Mapping[int, int]) -> None:
        """Hear of samples that left the store: how many readings each had, by number."""
        at_hand = self.at_hand
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
            found = self._owed.again(first, min(last, self._cursor))
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

    # -- rows after the cursor -----------------------------------------------------------

    def _rows(self, limit: int) -> list[Row]:
        """Read the next rows: first from the file, then what is not committed yet."""
        with self._store.lock:
            committed = self._store.appender.committed
            fresh = self._fresh(max(committed, self._cursor), limit)
        rows: list[Row] = []
        if self._cursor < committed:
            rows += self._arrivals.after(self._cursor, committed, limit)
        return rows + fresh[: limit - len(rows)]

    def _form(self, rows: list[Row], limit: int) -> Batch:
        return form(rows, limit, self._store.segments, self._store.registry.sources)

    def _fresh(self, after: int, limit: int | None = None) -> list[Row]:
        fresh = self._store.appender.fresh
        start = bisect_right(fresh, after, key=itemgetter(1))
        return [write[1:] for write in fresh[start : limit and start + limit]]
