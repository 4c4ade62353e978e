"""Rollups of what is in blocks: by quarter of an hour, hour and day, in UTC.

A block that is new adds to them. What would change a period that is there already (a value
that replaces another, an erased span, a clock that is known better) makes it stale instead:
readers go to the readings then, until it is computed anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from sqlite3 import Connection

from pilogger.stats import EMPTY, Stats, merge, merge_all
from pilogger.store import thinned
from pilogger.store.blocks import MICRO, Blocks, Row, walls
from pilogger.store.moments import Moment, Moments

TIERS = {"quarter": 900, "hour": 3600, "day": 86_400}
"""The tables, finest first, and the seconds of their periods."""

QUARTER, HOUR, DAY = TIERS.values()
SECOND = 1_000_000_000
PIECE = 6 * HOUR  # no more than that is computed anew at once
FIRST, END = -62_135_596_800, 253_402_300_800  # the years 1 to 9999; no others are rolled up


def add(db: Connection, source: int, segment: int | None, rows: Sequence[Row]) -> None:
    """Take rows that become a block into the rollups of their series."""
    blocks = Blocks(db)
    times = walls([row[4] if segment is None else row[3] for row in rows], blocks.segment(segment))
    (series,) = db.execute("SELECT series FROM source WHERE id = ?", [source]).fetchone()
    for channel, id in enumerate(json.loads(series)):
        moments = [
            (t, row[0], value)
            for t, row in zip(times, rows, strict=True)
            if (value := row[5][channel]) is not None
        ]
        _add(db, blocks, id, moments)


def _add(db: Connection, blocks: Blocks, series: int, moments: list[Moment]) -> None:
    (latest,) = db.execute("SELECT latest FROM series WHERE id = ?", [series]).fetchone()
    fixed = thinned.spans(db, series, "quarter")
    if latest:
        history = Moments(db, blocks, series, latest=True)
        moments = history.hold(moments)
        for t, _, _ in moments:
            # There may be a value that this one replaces.
            if t // MICRO <= history.newest and not thinned.within(fixed, t // SECOND):
                make_stale(db, series, t, t + 1)
    stale = db.execute("SELECT first, last FROM stale WHERE series = ?", [series]).fetchall()
    sums: dict[tuple[str, int], Stats] = {}
    for start, stats in quarters(moments):
        if thinned.within(stale, start) and not thinned.within(fixed, start):
            continue
        for tier, length in TIERS.items():
            place = (tier, start // length * length)
            sums[place] = merge(sums.get(place, EMPTY), stats)
    for (tier, start), stats in sums.items():
        found = db.execute(
            f"SELECT count, sum, min, max, m2 FROM {tier} WHERE series = ? AND start = ?",
            (series, start),
        ).fetchone()
        _put(db, tier, series, start, merge(found or EMPTY, stats))


def quarters(moments: Sequence[Moment]) -> Iterator[tuple[int, Stats]]:
    """Group by quarter of an hour what has a number; yields its start in epoch seconds."""
    numbers = ((t, value) for t, _, value in moments if not isinstance(value, str))
    for quarter, group in groupby(numbers, lambda m: m[0] // (QUARTER * SECOND)):
        start = quarter * QUARTER
        if FIRST <= start < END:
            yield start, Stats.of(value for _, value in group)


def _put(db: Connection, tier: str, series: int, start: int, stats: Stats) -> None:
    row = (series, start, *stats)
    db.execute(f"INSERT OR REPLACE INTO {tier} VALUES (?, ?, ?, ?, ?, ?, ?)", row)


# -- anew ------------------------------------------------------------------------------------


def make_stale(db: Connection, series: int, first: int, last: int) -> None:
    """Have the periods from `first` up to, not with, `last` computed anew; in nanoseconds."""
    start = max(first // SECOND // QUARTER * QUARTER, FIRST)
    end = min(-(-last // SECOND // QUARTER) * QUARTER, END)
    if start < end:
        db.execute("INSERT OR IGNORE INTO stale VALUES (?, ?, ?)", (series, start, end))


def mend(db: Connection) -> bool:
    """Compute a piece of a stale span anew in the caller's transaction; False if there is none."""
    found = db.execute("SELECT series, first, last FROM stale LIMIT 1").fetchone()
    if found is None:
        return False
    series, first, last = found
    history = Moments.of(db, Blocks(db), series)
    db.execute("DELETE FROM stale WHERE series = ? AND first = ? AND last = ?", found)
    start = _next(db, history, series, first)
    if start is None or start >= last:
        return True
    end = min(last, start // PIECE * PIECE + PIECE)
    until = history.until(start * SECOND, end * SECOND) // SECOND // QUARTER * QUARTER
    end = min(end, max(until, start + QUARTER))
    _compute(db, history, series, start, end)
    if end < last:
        db.execute("INSERT OR IGNORE INTO stale VALUES (?, ?, ?)", (series, end, last))
    return True


def _next(db: Connection, history: Moments, series: int, first: int) -> int | None:
    """Find the first quarter that has, or had, readings."""
    there = []
    for tier in TIERS:  # of what was thinned and erased there is no quarter
        (rolled,) = db.execute(
            f"SELECT min(start) FROM {tier} WHERE series = ? AND start >= ?", (series, first)
        ).fetchone()
        if rolled is not None:
            there.append(rolled)
    sealed = history.next_after(first * SECOND)
    if sealed is not None:
        there.append(max(first, sealed // SECOND // QUARTER * QUARTER))
    return min(there, default=None)


def _compute(db: Connection, history: Moments, series: int, start: int, end: int) -> None:
    where = "WHERE series = ? AND start >= ? AND start < ?"
    for a, b in thinned.outside(thinned.spans(db, series, "quarter"), start, end):
        db.execute(f"DELETE FROM quarter {where}", (series, a, b))
        sums: dict[int, list[Stats]] = {}
        for moments in history.pieces(a * SECOND, b * SECOND):
            for quarter, stats in quarters(moments):
                sums.setdefault(quarter, []).append(stats)
        for quarter, found in sums.items():
            _put(db, "quarter", series, quarter, merge_all(found))
    for (finer, _), (tier, length) in zip(TIERS.items(), list(TIERS.items())[1:], strict=False):
        fixed = thinned.spans(db, series, tier)
        for begin in range(start // length * length, end, length):
            if thinned.within(fixed, begin):
                continue
            db.execute(f"DELETE FROM {tier} {where}", (series, begin, begin + length))
            rows = db.execute(
                f"SELECT count, sum, min, max, m2 FROM {finer} {where}",
                (series, begin, begin + length),
            ).fetchall()
            if rows:
                _put(db, tier, series, begin, merge_all(rows))
