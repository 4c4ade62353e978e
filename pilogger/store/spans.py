"""What lies before a destination's cursor and was not sent to it: spans of numbers of samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sqlite3 import Connection
from typing import NamedTuple

from pilogger.store.arrivals import count
from pilogger.store.journal import Write
from pilogger.store.schema import WALL

CLOCK, SALVAGED, REPLAY, BACKLOG = "clock", "salvaged", "replay", "backlog"

NUMBERS = f"""
SELECT min(first), max(last) FROM (
    SELECT min(first) AS first, max(last) AS last FROM block
    WHERE start < :end AND "end" >= :start
    UNION ALL
    SELECT min(seq), max(seq) FROM sample JOIN segment ON segment.id = sample.segment
    WHERE iif(typeof(epoch) = 'integer', epoch / 1000, {WALL}) BETWEEN :start AND :end - 1
)
"""


class Span(NamedTuple):
    """Numbers before the cursor that the destination has not had, and why."""

    first: int
    last: int
    reason: str


def between(db: Connection, start: int, end: int) -> tuple[int | None, int]:
    """Find the first and the last number of what is from `start` up to `end`, in microseconds."""
    first, last = db.execute(NUMBERS, {"start": start, "end": end}).fetchone()
    return first, last or 0


def gaps(spans: Sequence[Span], first: int, last: int) -> Iterator[Span]:
    """Find what of `first` to `last` is in none of the spans, to be sent again."""
    for begin, end, _ in spans:
        if begin > last:
            break
        if first < begin:
            yield Span(first, begin - 1, REPLAY)
        first = max(first, end + 1)
    if first <= last:
        yield Span(first, last, REPLAY)


def source_of(spans: Sequence[Span], first: int, last: int) -> Span | None:
    """Find the span that a batch up to `last` is from, most likely the one from `first`."""
    found = [span for span in spans if span.first <= last <= span.last]
    return next((span for span in found if span.first == first), found[0] if found else None)


def passed(
    spans: Sequence[Span], span: Span, last: int, name: str
) -> tuple[list[Span], list[Write]]:
    """Tell what is left when the destination of this name has all of a span up to `last`."""
    left = [each for each in spans if each != span]
    if last >= span.last:
        return left, [("sent", name, span.first, span.last)]
    return sorted([*left, span._replace(first=last + 1)]), [("sent_to", name, span.first, last)]


def count_pending(db: Connection, name: str, cursor: int, newest: int = 2**63 - 1) -> int:
    """Count the stored readings that a destination has not settled: beyond its cursor, or held."""
    spans = db.execute("SELECT first, last FROM held WHERE destination = ?", [name]).fetchall()
    held = sum(count(db, first - 1, last) for first, last in spans)
    return held + count(db, cursor, newest)
