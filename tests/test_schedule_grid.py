"""The arithmetic of due times."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.scheduler.grid import Grid

STARTS = st.floats(0, 1e8)
INTERVALS = st.floats(0.001, 1e5)
DELAYS = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


@pytest.mark.fault(90)
@given(STARTS, INTERVALS, DELAYS)
def test_no_delay_makes_a_grid_drift_or_fire_twice(
    start: float, every: float, delays: list[float]
) -> None:
    """Whatever happens, each served slot is the newest that is due, and the next lies ahead."""
    grid = Grid(start, every)
    skipped = 0
    for taken, delay in enumerate(delays, start=1):
        now = grid.due + delay
        before = grid.slot
        skipped += grid.take(now)

        assert grid.slot > before
        assert start + grid.slot * every <= now < grid.due
        assert grid.due == start + (grid.slot + 1) * every
        assert taken + skipped == grid.slot + 1


@pytest.mark.parametrize(
    ("start", "every", "slot"),
    [(484.9, 0.7, 1698), (100.0, 0.1, 3)],
)
def test_rounding_serves_no_slot_early_or_late(start: float, every: float, slot: int) -> None:
    """At its due time a slot is due; the moment before it is not, however 1/every is rounded."""
    due = start + slot * every
    before, then = Grid(start, every), Grid(start, every)
    before.take(math.nextafter(due, 0))
    then.take(due)

    assert before.slot == slot - 1
    assert then.slot == slot


@pytest.mark.parametrize(
    ("now", "slot", "skipped"),
    [(100.0, 0, 0), (109.999, 0, 0), (110.0, 1, 1), (119.0, 1, 1), (135.0, 3, 3)],
)
def test_a_slot_that_is_late_by_a_whole_interval_is_skipped(
    now: float, slot: int, skipped: int
) -> None:
    """With slots every 10 s from 100 s on, the one of 100 s may be served until 110 s."""
    grid = Grid(100.0, 10.0)

    assert grid.take(now) == skipped
    assert grid.slot == slot


@given(STARTS, INTERVALS, st.floats(0, 1e6))
def test_holding_off_stays_on_the_grid(start: float, every: float, pause: float) -> None:
    """The first slot after a pause is a slot like any other, and no slot comes back."""
    grid = Grid(start, every)
    grid.take(start)

    grid.hold_until(start + pause)
    held = grid.due
    grid.hold_until(start)

    assert grid.due == held
    assert held >= min(start + pause, start + every) * (1 - 1e-12)
    assert held - max(pause, every) - start <= every * (1 + 1e-9) + 1e-6
