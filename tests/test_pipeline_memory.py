"""Steps that look back: windows over the last values, and values that are kept on change."""

from __future__ import annotations

from statistics import fmean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import Channel
from pilogger.pipeline import Chain, Offset, OnChange, Round, Step, Treatment, Window
from pilogger.pipeline.window import FUNCTIONS, Kind
from pilogger.sample import Value

S = 1_000_000
LEVEL = Channel("m")


def chain(*steps: Step | OnChange) -> Chain:
    return Chain(Treatment(steps), LEVEL)


def run(it: Chain, *values: Value, every: float = 1) -> list[Value]:
    return [it.take(value, round(n * every * S))[0] for n, value in enumerate(values)]


def kept(it: Chain, *values: Value, every: float = 1) -> list[Value]:
    """The values that are to be stored."""
    taken = [it.take(value, round(n * every * S)) for n, value in enumerate(values)]
    return [value for value, keep in taken if keep]


def test_a_median_ignores_a_spike() -> None:
    """The first values come at once, from a window that is not full yet."""
    assert run(chain(Window("median", 3)), 1, 2, 90, 3, 4) == [1, 1.5, 2, 3, 4]


@pytest.mark.parametrize(
    ("kind", "found"),
    [("mean", [4, 3, 4, 3]), ("min", [4, 2, 2, 1]), ("max", [4, 4, 6, 6])],
)
def test_windows_give_mean_least_and_greatest(kind: Kind, found: list[float]) -> None:
    """Of the last three of 4, 2, 6, 1."""
    assert run(chain(Window(kind, 3)), 4, 2, 6, 1) == found


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.integers(2, 7))
def test_a_window_of_readings_is_that_of_the_last_ones(values: list[float], size: int) -> None:
    for kind, function in {"median": median, "mean": fmean, "min": min, "max": max}.items():
        found = run(chain(Window(kind, size)), *values)  # type: ignore[arg-type]

        assert found == [
            function(values[max(0, at - size + 1) : at + 1])  # type: ignore[operator]
            for at in range(len(values))
        ]
    assert set(FUNCTIONS) == {"median", "mean", "min", "max"}


def test_a_window_of_time_holds_what_came_within_it() -> None:
    """A gust is the greatest of 3 s; after a gap nothing old counts."""
    gust = chain(Window("max", 3.0))
    values = [(0, 5.0), (1, 9.0), (2, 4.0), (3, 3.0), (4, 2.0), (60, 1.0)]

    assert [gust.take(value, at * S)[0] for at, value in values] == [5, 9, 9, 9, 4, 1]


def test_a_change_is_more_than_the_step() -> None:
    """From 20.0, 20.1 is no change of more than 0.1, whatever binary makes of it; 20.2 is."""
    it = chain(OnChange(by=0.1))

    assert kept(it, 20.0, 20.1, 20.2, 20.1, 20.0) == [20.0, 20.2, 20.0]


def test_a_slow_drift_is_not_missed() -> None:
    """A value is compared with the last one that was kept, not with the last one."""
    assert kept(chain(OnChange(by=1)), 0, 0.5, 1.0, 1.5, 2.0, 2.6) == [0, 1.5, 2.6]


def test_a_heartbeat_says_that_nothing_has_changed() -> None:
    """After 10 s without a value the next one is kept."""
    it = chain(OnChange(heartbeat=10))

    assert [it.take(7, n * S)[1] for n in range(22)].count(True) == 3


def test_text_and_truth_values_change_when_they_are_others() -> None:
    it = chain(OnChange(by=5))

    assert kept(it, "on", "on", "off", True, 1, True, True) == ["on", "off", True, 1, True]


def test_steps_behind_see_every_value() -> None:
    """A mean of all, of which only some are stored; and a step before decides what a change is."""
    assert [one[0] for one in map(chain(OnChange(), Window("mean", 2)).take, [4, 4, 8], [0, S, 2])]
    mean = chain(OnChange(by=3), Window("mean", 3))
    assert [mean.take(v, n) for n, v in enumerate([4, 4, 10])] == [(4, True), (4, False), (6, True)]
    assert kept(chain(Round(1), OnChange()), 1.1, 0.9, 1.4, 1.6) == [1.0, 2.0]


def test_of_two_rules_both_must_want_a_value() -> None:
    """A coarse change before a window, a fine one behind it."""
    assert kept(chain(OnChange(by=5), OnChange()), 0, 1, 9, 9) == [0, 9]
    assert kept(chain(OnChange(), OnChange(by=5)), 0, 1, 9, 9) == [0, 9]


def test_each_channel_has_a_memory_of_its_own() -> None:
    """A treatment is frozen; what it remembers is the chain's."""
    treatment = Treatment((Window("mean", 3), OnChange()))
    one, other = Chain(treatment, LEVEL), Chain(treatment, LEVEL)

    one.take(100.0, 0)

    assert other.take(1.0, 0) == (1.0, True)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1), st.floats(0, 100))
def test_what_is_left_out_is_near_what_was_kept(values: list[float], by: float) -> None:
    last = None
    it = chain(Offset(0), OnChange(by=by, heartbeat=1e6))
    for at, value in enumerate(values):
        _, keep = it.take(value, at)
        last = value if keep else last
        assert last is not None
        assert abs(value - last) <= by * (1 + 1e-6)


@pytest.mark.parametrize("size", [1, 0, -3.0, 0.0])
def test_a_window_holds_something(size: float) -> None:
    with pytest.raises(ValueError, match="window"):
        Window("mean", size)


@pytest.mark.parametrize(("by", "heartbeat"), [(-1, 10), (1, 0)])
def test_a_change_makes_sense(by: float, heartbeat: float) -> None:
    with pytest.raises(ValueError, match="a change is 0 or more"):
        OnChange(by, heartbeat)
