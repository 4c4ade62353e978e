"""Statistics of readings that can be merged: of a block, a rollup row, a year.

Kept is the sum of squared deviations from the mean (M2), never a sum of squares, whose digits are
gone when values lie close together and far from zero. Two are merged as in Chan, Golub and LeVeque,
"Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).

Whole numbers stay whole: their sum, minimum and maximum are ints, and their deviations exact; a
sum over 64 bits, which SQLite cannot hold, becomes a float. Truth values count as 0 and 1.
Text has no statistics: whoever has some leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import fsum, inf, isfinite, isnan, sqrt
from operator import attrgetter, mul
from typing import NamedTuple

Row = tuple[int, float, float, float, float]
"""The fields of a `Stats`, as a database gives them."""


class Stats(NamedTuple):
    """The statistics of some values.

    Those of no values (`EMPTY`) have inf as `low` and -inf as `high`: merging them changes
    nothing. What no double can hold, such as the sum of 1e308 and 1e308, is infinite; NaN
    does not occur.
    """

    count: int  # type: ignore[assignment]  # that of the values hides that of a tuple's items
    total: float
    low: float
    high: float
    m2: float
    """The sum of squared deviations from the mean."""

    @classmethod
    def of(cls, values: Iterable[float]) -> Stats:
        """Compute them in two passes; the values are finite numbers and truth values."""
        held = list(values)
        if not held:
            return EMPTY
        count, total = len(held), _sum(held)
        low, high = +min(held), +max(held)  # + makes an int of a bool
        if low == high:
            return cls(count, _fit(total), low, high, 0.0)
        centre = _centre(count, total, low, high)
        apart = [value - centre for value in held]
        squares = list(map(mul, apart, apart))
        m2 = _about_mean(_sum(squares), _sum(apart), count)
        return cls(count, _fit(total), low, high, m2)

    @property
    def mean(self) -> float:
        """The mean of at least one value; rounding never takes it out of `low` to `high`."""
        found = self.total / self.count
        return min(max(found, self.low), self.high) if isfinite(found) else found

    @property
    def variance(self) -> float:
        """The sample variance (n - 1); 0.0 for a single value."""
        return self.m2 / (self.count - 1) if self.count > 1 else 0.0

    @property
    def stddev(self) -> float:
        """The sample standard deviation (n - 1); 0.0 for a single value."""
        return sqrt(self.variance)

    def get(self, function: str) -> float | None:
        """Return what one of `FUNCTIONS` gives; None if no values or no double have it."""
        if not self.count and function not in ("count", "sum"):
            return None
        found = FUNCTIONS[function](self)
        return found if isfinite(found) else None

    def summary(self) -> dict[str, float | None]:
        """Return all of them by TempoDB's names; `ss` is M2."""
        return {name: self.get(name) for name in SUMMARY}


EMPTY = Stats(0, 0, inf, -inf, 0.0)

FUNCTIONS: dict[str, Callable[[Stats], float]] = {
    "sum": attrgetter("total"),
    "max": attrgetter("high"),
    "min": attrgetter("low"),
    "avg": attrgetter("mean"),
    "mean": attrgetter("mean"),
    "stddev": attrgetter("stddev"),
    "count": attrgetter("count"),
    "ss": attrgetter("m2"),
}
"""What a period can be folded into."""

SUMMARY = ("count", "sum", "mean", "min", "max", "ss", "stddev")


def merge(one: Row, other: Row) -> Stats:
    """Return the statistics of the values of both."""
    return merge_all((one, other))


def merge_all(rows: Iterable[Row]) -> Stats:
    """Return the statistics of the values of all; thousands of rows are merged at once."""
    held = [row for row in rows if row[0]]
    if len(held) < 2:
        return Stats(*held[0]) if held else EMPTY
    counts, totals, lows, highs, m2s = zip(*held, strict=True)
    count, total, low, high = sum(counts), _sum(totals), min(lows), max(highs)
    if low == high:
        return Stats(count, _fit(total), low, high, 0.0)
    centre = _centre(count, total, low, high)
    apart = [subtotal - n * centre for n, subtotal in zip(counts, totals, strict=True)]
    squares = [x * x / n for n, x in zip(counts, apart, strict=True)]
    m2 = _about_mean(_sum([*m2s, *squares]), _sum(apart), count)
    return Stats(count, _fit(total), low, high, m2)


def _sum(values: Sequence[float]) -> float:
    """Add exactly: whole numbers to an int of any size, others with one rounding."""
    total = sum(values)
    if isinstance(total, int):
        return total
    try:
        return fsum(values)
    except (OverflowError, ValueError):  # beyond a double on the way, or infinite both ways
        return inf if isnan(total) else total


def _fit(total: float) -> float:
    """Make a float of an int over 64 bits."""
    return total if -(2**63) <= total < 2**63 else float(total)


def _centre(count: int, total: float, low: float, high: float) -> float:
    """Return a number close to the mean, from which deviations lose no digits."""
    if isinstance(total, int):
        return (2 * total + count) // (2 * count)
    return Stats(count, total, low, high, 0.0).mean


def _about_mean(squares: float, apart: float, count: int) -> float:
    """Correct the sum of squared deviations for a centre that is not quite the mean."""
    m2 = (count * squares - apart * apart) / count
    return inf if isnan(m2) else max(m2, 0.0)
