"""What periods are made of: rows of rollups, and what must be read one by one.

Usually the coarsest rows that fit into a period, finer ones towards its edges, and single
readings for what is left. There are spans where it is otherwise:

* where the rollups are known to be wrong, everything is read one by one;
* where the readings had to go, the finest rows that are left are all there is, and each
  counts whole in the period that it begins in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from sqlite3 import Connection
from typing import NamedTuple

from pilogger.epoch import FAR
from pilogger.store import thinned
from pilogger.store.blocks import MICRO
from pilogger.store.moments import Moment, Moments
from pilogger.store.rollups import END, FIRST, QUARTER, SECOND, TIERS

RAW = "raw"


class Span(NamedTuple):
    """A half-open span in nanoseconds, and the finest that may be read in it: a tier, or `RAW`.

    Where that is `RAW` no tier may be.
    """

    first: int
    last: int
    finest: str


Piece = tuple[str, int, int]
"""A tier or `RAW`, and a half-open span in nanoseconds; rows count by where they begin."""

Tiers = Sequence[tuple[str, int]]

COARSEST_FIRST: Tiers = [(tier, length * SECOND) for tier, length in reversed(TIERS.items())]
UP_TO: dict[str, Tiers] = {
    tier: COARSEST_FIRST[: number + 1] for number, (tier, _) in enumerate(COARSEST_FIRST)
} | {RAW: ()}


def cover(edges: Sequence[int], spans: Sequence[Span]) -> Iterator[Piece]:
    """Cut periods, each from one edge to the next, into pieces in the order of time."""
    number = 0
    for start, end in pairwise(edges):
        while number < len(spans) and spans[number].last <= start:
            number += 1
        at, done = number, start
        while at < len(spans) and spans[at].first < end:
            first, last, finest = spans[at]
            yield from _tile(done, first, COARSEST_FIRST, RAW)
            done = min(end, last)
            yield from _tile(max(start, first), done, UP_TO[finest], finest)
            at += 1
        yield from _tile(done, end, COARSEST_FIRST, RAW)


def _tile(start: int, end: int, tiers: Tiers, rest: str) -> Iterator[Piece]:
    """Use the coarsest tier for the middle, finer ones towards the edges."""
    if start >= end:
        return
    for number, (tier, length) in enumerate(tiers):
        first, last = -(-start // length) * length, end // length * length
        if first < last:
            finer = tiers[number + 1 :]
            yield from _tile(start, first, finer, rest)
            yield tier, first, last
            yield from _tile(last, end, finer, rest)
            return
    yield rest, start, end


def join(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Make one of neighbours from the same tier, so that they are read together."""
    held: Piece | None = None
    for piece in pieces:
        if held and held[0] == piece[0] and held[2] == piece[1]:
            held = (held[0], held[1], piece[2])
            continue
        if held:
            yield held
        held = piece
    if held:
        yield held


# -- where it is otherwise -------------------------------------------------------------------


def find_spans(
    db: Connection, series: int, moments: Moments, fresh: Sequence[Moment]
) -> list[Span]:
    """Find the spans in which a series is read otherwise, in order and apart."""
    left = {tier: thinned.spans(db, series, tier) for tier in TIERS}
    wrong = _apart(_outward(*span) for span in _touched(db, series, moments, fresh))
    found = []
    for (tier, length), coarser in zip(TIERS.items(), [*TIERS, RAW][1:], strict=True):
        gone = _apart(_inward(*span[:2], length) for span in moments.erased if span.seq)
        for first, last in left[tier]:
            for a, b in thinned.outside(left.get(coarser, ()), first, last):
                found += [(a, b, tier) for a, b in thinned.outside(gone, a, b)]
    fixed = sorted((first, last) for first, last, _ in found)
    found += [(a, b, RAW) for span in wrong for a, b in thinned.outside(fixed, *span)]
    return sorted(Span(first * SECOND, last * SECOND, finest) for first, last, finest in found)


def within(spans: Sequence[Span], t: int) -> bool:
    """Whether a time is where everything is read one by one."""
    number = bisect_right(spans, t, key=itemgetter(0)) - 1
    return number >= 0 and t < spans[number].last and spans[number].finest == RAW


def _touched(
    db: Connection, series: int, moments: Moments, fresh: Sequence[Moment]
) -> Iterator[tuple[int, int]]:
    """Yield where rollups may be wrong, in nanoseconds."""
    yield -2 * FAR, FIRST * SECOND  # no calendar goes so far, and no rollup
    yield END * SECOND, 2 * FAR
    for first, last in db.execute("SELECT first, last FROM stale WHERE series = ?", [series]):
        yield first * SECOND, last * SECOND
    for first, last, _ in moments.erased:
        yield first, last
    if moments.latest:
        for t, _, _ in fresh:
            if t // MICRO <= moments.newest:  # there may be a value that this one replaces
                yield t, t + 1


def _outward(first: int, last: int) -> tuple[int, int]:
    """Widen to whole quarters of an hour, in seconds."""
    length = QUARTER * SECOND
    return first // length * QUARTER, -(-last // length) * QUARTER


def _inward(first: int, last: int, length: int) -> tuple[int, int]:
    """Narrow to whole periods, in seconds."""
    return -(-first // (length * SECOND)) * length, last // (length * SECOND) * length


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sort, and make one of those that touch."""
    apart: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if first >= last:
            continue
        if apart and first <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], last))
        else:
            apart.append((first, last))
    return apart
