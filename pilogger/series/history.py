"""History of series: raw, rolled up over any periods, summed up.

A period is made of the largest rolled-up pieces that fit in it, and of single readings at
its edges, where nothing is rolled up yet, and where the rollups are known to be wrong.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from sqlite3 import Connection

from pilogger.epoch import FAR
from pilogger.series.cover import RAW, Piece, cover, find_spans, join, within
from pilogger.stats import Row, Stats, merge_all
from pilogger.store.blocks import Blocks, clamp
from pilogger.store.connection import snapshot
from pilogger.store.moments import Moment, Moments
from pilogger.store.rollups import SECOND, TIERS

PERIODS = 1024  # that are rolled up together

Part = tuple[int, Stats]
"""The start of a period, in nanoseconds, and the statistics of what it holds."""

Rows = defaultdict[int, list[Row]]
"""Statistics of pieces, by the number of their period."""

when = itemgetter(0)


class History:
    """Reads a store through one connection; one thread at a time.

    Series go by their id (see `pilogger.series.find`), epochs are whole nanoseconds,
    spans are half open. What arrives or changes while somebody reads may be in it or not.
    """

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._blocks = Blocks(db)

    def read(self, series: int, start: int, end: int) -> Iterator[Moment]:
        """Yield every reading from `start` up to, not with, `end`, in the order of time.

        Of a series that keeps the latest value at an epoch, only that one.
        """
        while start < end:
            with snapshot(self._db):
                moments = Moments.of(self._db, self._blocks, series)
                until = moments.until(start, end)
                found = moments.between(start, until, moments.fresh(start, until))
            yield from found
            start = until

    def rollup(self, series: int, edges: Iterable[int]) -> Iterator[Part]:
        """Yield each period with numbers in it: its start, and its statistics.

        Periods go from each edge up to, not with, the next one; edges ascend.
        """
        rest = iter(edges)
        held = list(islice(rest, 1))
        while more := list(islice(rest, PERIODS)):
            held += more
            yield from self._roll(series, held)
            held = more[-1:]

    def summary(self, series: int, start: int, end: int) -> Stats | None:
        """Sum up the numbers of a span; None if there are none."""
        return next((stats for _, stats in self.rollup(series, (start, end))), None)

    def next_after(self, series: int, start: int) -> int | None:
        """Return the time from `start` on before which there is nothing; None: nor after it."""
        with snapshot(self._db):
            moments = Moments.of(self._db, self._blocks, series)
            found = [moments.next_after(start)]
            found += [t for t, _, _ in moments.fresh(start, FAR + 1)[:1]]
            for tier in TIERS:  # of what was thinned there is no more than these
                rows = self._db.execute(
                    f"SELECT min(start) FROM {tier} WHERE series = ? AND start >= ?",
                    (series, clamp(-(-start // SECOND))),
                )
                found += [begin * SECOND for (begin,) in rows if begin is not None]
        return min((t for t in found if t is not None), default=None)

    def _roll(self, series: int, edges: Sequence[int]) -> list[Part]:
        rows: Rows = defaultdict(list)
        with snapshot(self._db):
            moments = Moments.of(self._db, self._blocks, series)
            fresh = moments.fresh(edges[0], edges[-1])
            spans = find_spans(self._db, series, moments, fresh)
            loud = [moment for moment in fresh if within(spans, moment[0])]
            quiet = [moment for moment in fresh if not within(spans, moment[0])]
            borders = [-(-edge // SECOND) for edge in edges]  # rows begin at whole seconds
            _sort(moments.hold(quiet), edges, rows)
            for piece in join(cover(edges, spans)):
                if piece[0] == RAW:
                    for found in moments.pieces(*piece[1:], loud):
                        _sort(found, edges, rows)
                else:
                    self._sort_rollups(series, piece, borders, rows)
        return [
            (edges[number], Stats(*found[0]) if len(found) == 1 else merge_all(found))
            for number, found in sorted(rows.items())
        ]

    def _sort_rollups(self, series: int, piece: Piece, borders: Sequence[int], rows: Rows) -> None:
        tier, first, last = piece
        found = self._db.execute(
            f"SELECT start, count, sum, min, max, m2 FROM {tier}"
            " WHERE series = ? AND start >= ? AND start < ?",
            (series, -(-first // SECOND), -(-last // SECOND)),
        )
        period = 0
        for row in found:
            if row[0] >= borders[period + 1]:
                period = bisect_right(borders, row[0]) - 1
            rows[period].append(row[1:])


def _sort(found: Sequence[Moment], edges: Sequence[int], rows: Rows) -> None:
    """Sum up readings in the order of time, period by period; text has no statistics."""
    numbers = [(t, value) for t, _, value in found if not isinstance(value, str)]
    begin = 0
    while begin < len(numbers):
        period = bisect_right(edges, numbers[begin][0]) - 1
        end = bisect_left(numbers, edges[period + 1], begin, key=when)
        rows[period].append(Stats.of(value for _, value in numbers[begin:end]))
        begin = end
