"""Spans of which only rollups are left, because the readings had to go.

What the rows of a tier were made of is gone there, so nothing computes them anew: they stay
as they are, and what comes late is added to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sqlite3 import Connection

Span = tuple[int, int]
"""Half open, in epoch seconds, whole periods of its tier."""


def spans(db: Connection, series: int, tier: str) -> list[Span]:
    """Return where the rows of a tier have nothing finer below them; in order, apart."""
    return db.execute(
        "SELECT first, last FROM thinned WHERE series = ? AND tier = ? ORDER BY first",
        (series, tier),
    ).fetchall()


def mark(db: Connection, series: int, tier: str, first: int, last: int) -> None:
    """Say that a tier is the finest that is left of a span; neighbours become one."""
    joined = db.execute(
        "DELETE FROM thinned WHERE series = ? AND tier = ? AND first <= ? AND last >= ?"
        " RETURNING first, last",
        (series, tier, last, first),
    ).fetchall()
    first = min([first, *(a for a, _ in joined)])
    last = max([last, *(b for _, b in joined)])
    db.execute("INSERT INTO thinned VALUES (?, ?, ?, ?)", (series, tier, first, last))


def unmark(db: Connection, series: int, tier: str, first: int, last: int) -> None:
    """Let the rows of a span be computed anew."""
    if first >= last:
        return
    cut = db.execute(
        "DELETE FROM thinned WHERE series = ? AND tier = ? AND first < ? AND last > ?"
        " RETURNING first, last",
        (series, tier, last, first),
    ).fetchall()
    left = [part for a, b in cut for part in ((a, min(b, first)), (max(a, last), b))]
    rows = [(series, tier, a, b) for a, b in left if a < b]
    db.executemany("INSERT INTO thinned VALUES (?, ?, ?, ?)", rows)


def within(found: Sequence[Span], at: int) -> bool:
    """Whether a time, in epoch seconds, is in one of the spans."""
    return any(first <= at < last for first, last in found)


def outside(found: Sequence[Span], start: int, end: int) -> Iterator[Span]:
    """Yield the parts of a span that are in none of the others, which are in order and apart."""
    for first, last in found:
        if first >= end:
            break
        if start < first:
            yield start, first
        start = max(start, last)
    if start < end:
        yield start, end
