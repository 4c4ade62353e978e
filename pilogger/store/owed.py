"""What a destination has yet to get from before its cursor, and batches of that.

Readings that are *held* until their time is estimated and the policy lets them go; and those
that the destination is *owed*: salvaged, to be sent again, or passed over for what is live.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import TYPE_CHECKING, Literal

from pilogger.store.arrivals import Arrivals, count
from pilogger.store.batch import Batch, form, leading, standing
from pilogger.store.journal import Write
from pilogger.store.segments import Standing
from pilogger.store.spans import BACKLOG, CLOCK, SALVAGED, Span, gaps, passed, source_of

if TYPE_CHECKING:
    from pilogger.store.log import Store

Policy = Literal["hold", "send-marked", "drop"]
"""What becomes of readings whose clock was never right, when their time is estimated."""

HELD = "readings of earlier starts wait, as their clock was never right (clock.unsynced is hold)"
LATER = "readings of earlier starts wait until the clock is right and their time is estimated"
PUT_OFF = {CLOCK: "held", BACKLOG: "behind"}
"""What is written of readings that the cursor passes over."""

SALVAGING = "readings of a damaged store wait until all that can be saved of it is there"


class Owed:
    """The spans of one outbox, which calls this while nobody evicts readings."""

    def __init__(self, store: Store, name: str, unsynced: Policy) -> None:
        self.spans: list[Span] = []
        self._store = store
        self._name = name
        self._unsynced = unsynced
        self._source: Span | None = None  # of the last batch
        self._soon = ""  # why some must wait for the clock

    def read(self, reader: Connection, arrivals: Arrivals) -> None:
        """Read the spans from the file that the store has now."""
        self._reader, self._arrivals = reader, arrivals
        rows = reader.execute(
            "SELECT first, last, reason FROM held WHERE destination = ? ORDER BY first",
            [self._name],
        )
        self.spans = [Span(*row) for row in rows]

    def overlaps(self, first: int, last: int) -> bool:
        """Whether anything numbered `first` to `last` is in a span."""
        return any(span.first <= last and first <= span.last for span in self.spans)

    def why(self) -> str:
        """Tell why readings are held back; empty when none are."""
        if self._soon:
            return self._soon
        reasons = {span.reason for span in self.spans}
        if SALVAGED in reasons and self._store.salvage.pending:
            return SALVAGING
        if CLOCK not in reasons:
            return ""
        return HELD if self._unsynced == "hold" else LATER

    # -- readings out --------------------------------------------------------------------

    def take(self, limit: int) -> Batch | None:
        """Form a batch of the oldest readings that may leave."""
        segments = self._store.segments
        while True:
            self._source, self._soon = None, ""
            for span in self.spans:
                if self._waits(span):
                    continue
                rows = self._arrivals.after(span.first - 1, span.last, limit)
                fit: Standing = "estimated" if span.reason == CLOCK else "right"
                if ready := leading(rows, segments, fit):
                    self._source = span
                    return form(ready, limit, segments, self._store.registry.sources)
                if rows and standing(rows[0], segments) == "soon":
                    self._soon = segments.why(rows[0][2])
                if not rows and span.last <= self._store.appender.committed:
                    self._pass(span)
                    break
                lost = leading(rows, segments, "estimated", "unknown")
                if lost and span.reason != CLOCK:
                    self._hold(span, lost[-1][0])
                    break
            else:
                return None

    def drops(self) -> bool:
        """Whether the last batch is to be set aside, as its clock was never right."""
        return self._unsynced == "drop" and bool(self._source and self._source.reason == CLOCK)

    def settle(self, last: int, also: Sequence[Write]) -> None:
        """Go on behind a batch up to `last`; what is `also` to be written shares its fate."""
        first = self._source.first if self._source else last
        spans, left = self.spans, list[Write]()
        if span := source_of(spans, first, last):  # else the file was replaced
            spans, left = passed(spans, span, last, self._name)
        self._store.writer.write([*also, *left])  # some of `also` looks at the span as it was
        self.spans = spans

    # -- spans in ------------------------------------------------------------------------

    def put_off(self, cursor: int, span: Span, also: Sequence[Write]) -> None:
        """Let what is after the cursor go later, with what was put off for that just before it."""
        first, last, reason = span
        before = self.spans
        if before and before[-1].last == cursor and before[-1].reason == reason:
            first, before = before[-1].first, before[:-1]
        self._store.writer.write([(PUT_OFF[reason], self._name, first, last), *also])
        self.spans = [*before, Span(first, last, reason)]

    def again(self, first: int, last: int) -> int:
        """Owe what was sent already, and is not owed again yet; count its readings."""
        found = list(gaps(self.spans, first, last))
        readings = sum(count(self._reader, span.first - 1, span.last) for span in found)
        self._store.writer.write([("again", self._name, first, last) for first, last, _ in found])
        self.spans = sorted([*self.spans, *found])
        return readings

    # -- one span ------------------------------------------------------------------------

    def _waits(self, span: Span) -> bool:
        """Whether a span must stay as it is for now."""
        salvage = self._store.salvage
        held = span.reason == CLOCK and self._unsynced == "hold"
        return held or (salvage.pending and span.first < salvage.floor)

    def _pass(self, span: Span) -> None:
        """Forget a span of which nothing is left."""
        spans, writes = passed(self.spans, span, span.last, self._name)
        self._store.writer.write(writes)
        self.spans = spans

    def _hold(self, span: Span, last: int) -> None:
        """Hold the readings of a span up to `last`, with those that are held just before it."""
        spans, writes = passed(self.spans, span, last, self._name)
        held = [it for it in spans if it.reason == CLOCK and it.last + 1 == span.first]
        first = held[0].first if held else span.first
        self._store.writer.write([*writes, ("untimed", self._name, first, last)])
        self.spans = sorted([*(it for it in spans if it not in held), Span(first, last, CLOCK)])
