"""Questions that people ask of a series: from when to when, by what period, folded how.

The semantics are those of TempoDB: a span is half open, `[start, end)`; a period is labelled by
its own start, also where that is before the span, and counts only what is in both; periods without
a number are left out. Who names no interval gets one that fits the span, who names no
function the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, tzinfo
from itertools import islice
from typing import NamedTuple, Protocol

from pilogger.errors import BadValue
from pilogger.periods import Interval, automatic, edges, find_zone
from pilogger.sample import Value
from pilogger.series.find import Info
from pilogger.series.history import PERIODS, History
from pilogger.stats import EMPTY, FUNCTIONS, Stats

MEAN = "mean"


class Rolling(Protocol):
    """What folds periods: a `History`, or another that keeps series."""

    def rollup(self, series: int, edges: Iterable[int]) -> Iterator[tuple[int, Stats]]:
        """Yield start and statistics of each period with numbers, from one edge to the next."""
        ...

    def next_after(self, series: int, start: int) -> int | None:
        """Return a time from `start` on before which there is nothing; None: nor after it."""
        ...


class Rollup(NamedTuple):
    """By what period values are folded, how, and the name of whose calendar it follows."""

    interval: Interval
    function: str
    zone: str


class DataSet(NamedTuple):
    """What a series has from `start` up to, not with, `end`; all in nanoseconds.

    `points` are epochs and values; they are read while somebody goes through them, once,
    because years of readings fit into no memory. Without a `rollup` they are the readings
    themselves. `summary` is of all numbers in the span, by TempoDB's names; `ss` is the sum of
    squared deviations from the mean, `stddev` that of a sample.
    """

    series: Info
    start: int
    end: int
    rollup: Rollup | None
    points: Iterator[tuple[int, Value]]
    summary: dict[str, float | None]


def read(
    history: History,
    info: Info,
    start: int,
    end: int,
    *,
    interval: str | None = None,
    function: str | None = None,
    zone: str = "UTC",
) -> DataSet:
    """Ask as TempoDB's clients do: `15min`, `raw` or nothing; a time zone's IANA name.

    For several series ask for each that `find` finds.

    Raises:
        BadValue: there is no such interval, function or time zone, or `start` is after `end`.
    """
    if start > end:
        raise BadValue("start is after end")
    where = find_zone(zone)
    folded = check_function(function or MEAN)
    by = Interval.parse(interval) if interval else automatic(start, end)
    points = query(history, info, start, end, interval=by, function=folded, zone=where)
    summary = (history.summary(info.id, start, end) or EMPTY).summary()
    rollup = Rollup(by, folded, zone) if by else None
    return DataSet(info, start, end, rollup, points, summary)


def query(
    history: History,
    info: Info,
    start: int,
    end: int,
    *,
    interval: Interval | None = None,
    function: str = MEAN,
    zone: tzinfo = UTC,
) -> Iterator[tuple[int, Value]]:
    """Yield epochs and values from `start` up to, not with, `end`; all in nanoseconds.

    Without an interval the readings themselves. A value that no double holds, such as the
    sum of 1e308 and 1e308, is left out.

    Raises:
        BadValue: there is no such function.
    """
    if interval is None:
        for t, _, value in history.read(info.id, start, end):
            yield t, value
        return
    check_function(function)
    for begin, stats in fold(history, info.id, (start, end), interval, zone):
        found = stats.get(function)
        if found is not None:
            yield begin, found


def check_function(name: str) -> str:
    """Return the name of a function that a period can be folded by.

    Raises:
        BadValue: it is none; the sentence says what is.
    """
    if name not in FUNCTIONS:
        raise BadValue(f"{name[:40]!r} is no function: expected one of {', '.join(FUNCTIONS)}")
    return name


def fold(
    history: Rolling, series: int, span: tuple[int, int], interval: Interval, zone: tzinfo
) -> Iterator[tuple[int, Stats]]:
    """Yield the periods of a span that have numbers, each with its own start.

    The first and the last may reach out of the span, their readings may not. Nobody walks
    through empty centuries.
    """
    start, end = span
    at: int | None = start
    while at is not None:
        borders = edges(at, end, interval, zone)
        held = list(islice(borders, 1))
        at = None
        while more := list(islice(borders, PERIODS)):
            held += more
            inside = [min(max(edge, start), end) for edge in held]
            found = list(history.rollup(series, inside))
            for begin, stats in found:
                yield (held[0] if begin == inside[0] else begin), stats
            if not found:
                at = history.next_after(series, held[-1])
                break
            held = more[-1:]
