"""Statistics that are merged are those of all the values together."""

from __future__ import annotations

import json
import math
import random
import sqlite3
import statistics
import sys
from fractions import Fraction
from functools import reduce

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilogger.stats import EMPTY, FUNCTIONS, Stats, merge, merge_all

WHOLE = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(-1e12, 1e12)
ANY = st.lists(st.one_of(FLOATS, WHOLE, st.booleans()), min_size=1, max_size=60)
PIECES = st.lists(st.lists(FLOATS, max_size=20), max_size=12)
WHOLE_PIECES = st.lists(st.lists(st.integers(-(2**40), 2**40), max_size=20), max_size=12)


def deviations(values: list[float]) -> float:
    """The sum of squared deviations, by fractions."""
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return float(sum((value - mean) ** 2 for value in exact))


def near(exact: float, values: list[float]) -> object:
    """What a sum of squared deviations may be if the mean is off by a few last digits."""
    off = 4 * sys.float_info.epsilon * max(abs(value) for value in values)
    digits = len(values) * off * (off + math.sqrt(exact))
    return pytest.approx(exact, rel=1e-12, abs=digits + sys.float_info.min)


@given(ANY)
def test_they_are_those_that_fractions_give(values: list[float]) -> None:
    """Floats, whole numbers of 64 bits and truth values, also together."""
    found = Stats.of(values)
    last_digits = sys.float_info.epsilon * sum(map(abs, values))

    assert (found.count, found.low, found.high) == (len(values), min(values), max(values))
    assert found.total == pytest.approx(float(sum(map(Fraction, values))), rel=0, abs=last_digits)
    assert found.m2 == near(deviations(values), values)
    assert found.low <= found.mean <= found.high


@given(st.lists(WHOLE, min_size=1, max_size=60))
def test_whole_numbers_stay_whole(values: list[int]) -> None:
    """Sums are exact, deviations rounded once, also of 64 bits that hardly differ."""
    found = Stats.of(values)

    assert found.m2 == pytest.approx(deviations(list(values)), rel=1e-15, abs=0)
    assert type(found.low) is type(found.high) is int
    if abs(sum(values)) < 2**63:
        assert type(found.total) is int
        assert found.total == sum(values)


@given(st.lists(st.one_of(WHOLE, st.booleans()), max_size=60))
def test_sqlite_holds_them(values: list[int]) -> None:
    """A sum over 64 bits is a float; all comes back from a database as what it was."""
    found = Stats.of(values)
    db = sqlite3.connect(":memory:")
    row = db.execute("SELECT ?, ?, ?, ?, ?", found).fetchone()
    db.close()

    assert row == found
    assert list(map(type, row)) == list(map(type, found))
    assert bool not in map(type, found)


@given(PIECES, st.randoms(use_true_random=False))
def test_pieces_merge_to_the_whole_in_any_order(
    pieces: list[list[float]], shuffled: random.Random
) -> None:
    """One by one or all at once, empty ones too."""
    values = [value for piece in pieces for value in piece]
    whole = Stats.of(values)
    rows = [Stats.of(piece) for piece in pieces]
    shuffled.shuffle(rows)

    for found in (merge_all(rows), reduce(merge, rows, EMPTY)):
        assert (found.count, found.low, found.high) == (whole.count, whole.low, whole.high)
        if values:
            assert found.total == pytest.approx(whole.total, rel=1e-12, abs=1e-3)
            assert found.m2 == near(deviations(values), values * len(pieces))


@given(WHOLE_PIECES)
def test_whole_numbers_merge_exactly(pieces: list[list[int]]) -> None:
    """Their sum is that of all, and the mean's digits are not lost at 2 to the 40."""
    values = [value for piece in pieces for value in piece]
    found = merge_all(Stats.of(piece) for piece in pieces)

    assert found.total == sum(values)
    assert type(found.total) is int
    if values:
        assert found.m2 == pytest.approx(deviations(list(values)), rel=1e-12, abs=1e-12)


def test_values_close_together_and_far_from_zero_keep_their_deviation() -> None:
    """A series of 1e9 +- 1e-3: a sum of squares would have no digit of it left."""
    made = random.Random(4)
    values = [1e9 + made.uniform(-1e-3, 1e-3) for _ in range(9000)]
    exact = math.sqrt(deviations(values) / (len(values) - 1))
    merged = merge_all(Stats.of(values[at : at + 90]) for at in range(0, len(values), 90))

    assert Stats.of(values).stddev == pytest.approx(exact, rel=1e-12)
    assert merged.stddev == pytest.approx(exact, rel=1e-6)


def test_counters_near_64_bits_keep_theirs() -> None:
    """The difference of two means is taken in whole numbers, which have more digits."""
    values = [2**58 + number % 7 for number in range(28)]
    merged = merge_all(Stats.of(values[at : at + 4]) for at in range(0, len(values), 4))

    assert Stats.of(values).variance == pytest.approx(statistics.variance(values), rel=1e-14)
    assert merged.variance == pytest.approx(statistics.variance(values), rel=1e-12)


def test_a_value_that_never_changes_has_no_deviation() -> None:
    """Not even one from rounding, however often it is merged: 0.1 times 900 is no sum of 0.1."""
    pieces = [Stats.of([0.1] * length) for length in (1, 3, 7, 900)]
    merged = reduce(merge, pieces * 3)

    assert all(piece.m2 == 0.0 for piece in pieces)
    assert (merged.m2, merged.mean) == (0.0, 0.1)


def test_a_summary_that_tempodb_gave() -> None:
    """Recorded from the service: n - 1, and `ss` is what deviates from the mean."""
    found = Stats.of([85.94792761803464, 95.87281892782114]).summary()

    assert found == pytest.approx(
        {
            "count": 2,
            "sum": 181.8207465458558,
            "mean": 90.9103732729279,
            "min": 85.94792761803464,
            "max": 95.87281892782114,
            "ss": 49.25173375553775,
            "stddev": 7.0179579476894665,
        },
        rel=1e-14,
    )


def test_every_function_of_some_whole_numbers() -> None:
    """Of 2, 4, 4, 4, 5, 5, 7, 9, with 5 as mean and 32 as the sum of squares."""
    found = Stats.of([2, 4, 4, 4, 5, 5, 7, 9])

    assert {name: found.get(name) for name in FUNCTIONS} == {
        "sum": 40,
        "max": 9,
        "min": 2,
        "avg": 5.0,
        "mean": 5.0,
        "stddev": math.sqrt(32 / 7),
        "count": 8,
        "ss": 32.0,
    }


def test_truth_values_count() -> None:
    """The mean of a door is the share of time that it was open."""

    assert Stats.of([True, False, True, True]) == (4, 3, 0, 1, 0.75)


def test_one_value_and_none() -> None:
    """One deviates from nothing; of none there is a count and a sum."""

    assert Stats.of([21.5]) == (1, 21.5, 21.5, 21.5, 0.0)
    assert Stats.of([21.5]).get("stddev") == 0.0
    assert Stats.of([]) == merge_all([]) == merge(EMPTY, EMPTY) == EMPTY
    assert EMPTY.summary() == {
        "count": 0,
        "sum": 0,
        "mean": None,
        "min": None,
        "max": None,
        "ss": None,
        "stddev": None,
    }


@example([1e308, 1e308, -1e308, -1e308], 2)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12), st.integers(0, 12))
def test_what_a_double_cannot_hold_is_none_and_never_nan(values: list[float], cut: int) -> None:
    """From 1e308 on sums run over; JSON can carry the answer, and no field is NaN."""
    for found in (Stats.of(values), merge(Stats.of(values[:cut]), Stats.of(values[cut:]))):
        assert not any(map(math.isnan, found))
        assert json.dumps(found.summary(), allow_nan=False)


def test_a_sum_that_ran_over_takes_nothing_else_with_it() -> None:
    """Highest and lowest are known still."""
    found = merge(Stats.of([1e308, 1.5e308]), Stats.of([-2.0]))

    assert found.summary() == {
        "count": 3,
        "sum": None,
        "mean": None,
        "min": -2.0,
        "max": 1.5e308,
        "ss": None,
        "stddev": None,
    }
