"""The VOC index against two others that follow Sensirion's publication."""

from __future__ import annotations

from itertools import accumulate
from random import Random

import pytest
from adafruit_sgp40.voc_algorithm import VOCAlgorithm
from hypothesis import given
from hypothesis import strategies as st
from ph4gas.sensirion import GasIndexAlgorithm

from pilogger.gasindex import VOCIndex

STEPS = st.lists(st.integers(-3000, 3000), min_size=20, max_size=120)
INTERVALS = pytest.mark.parametrize("interval", [1, 10])


def indices(interval: float, signals: list[int]) -> list[int]:
    """Ours; 0 while there is none, as the others have it."""
    index = VOCIndex(interval)
    return [index.update(signal) or 0 for signal in signals]


def port(interval: float, signals: list[int]) -> list[int]:
    """A port of 3.2 to Python, by Dusan Klinec."""
    index = GasIndexAlgorithm(GasIndexAlgorithm.ALGORITHM_TYPE_VOC, interval)
    return [index.process(signal) for signal in signals]


def walk(steps: list[int], first: int = 30_000) -> list[int]:
    return [min(max(signal, 1), 64_999) for signal in accumulate(steps, initial=first)]


def day(seed: int, length: int) -> list[int]:
    """A restless day: noise and drift, cooking now and then, and one event that does not end."""
    random = Random(seed)
    steps = [random.randint(-40, 40) for _ in range(length)]
    for at in range(0, length, length // 8):
        steps[at] -= 2500
        steps[at + length // 40] += 2500
    steps[length // 3] -= 9000
    return walk(steps, 35_000)


@INTERVALS
@given(st.integers(1, 64_999), STEPS)
def test_a_port_of_the_publication_gives_the_same(
    interval: float, first: int, steps: list[int]
) -> None:
    """Both calculate in doubles: only what lies just between two whole numbers could differ."""
    signals = walk([0] * 50 + steps, first)

    assert indices(interval, signals) == pytest.approx(port(interval, signals), abs=1)


@INTERVALS
def test_a_port_of_the_publication_gives_the_same_for_a_whole_day(interval: int) -> None:
    """All of it: the short memory, the long one, events, and the event that becomes the usual."""
    signals = day(7, 50_000 // interval)

    assert indices(interval, signals) == port(interval, signals)


def test_the_first_edition_in_fixed_point_gives_much_the_same() -> None:
    """Adafruit's port of edition 1, which has steps of 1/65536 and knows 1 s only."""
    theirs = VOCAlgorithm()
    theirs.vocalgorithm_init()
    signals = day(11, 6000)

    ours = indices(1, signals)

    assert ours == pytest.approx([theirs.vocalgorithm_process(s) for s in signals], abs=2)


def test_a_steady_room_is_100_and_a_worse_one_is_more() -> None:
    steady = indices(10, [30_000] * 400)
    worse = indices(10, [30_000] * 400 + [29_500] * 10)

    assert steady[-1] == 100
    assert 150 < worse[-1] < 500


@pytest.mark.parametrize(("signal", "bound"), [(1, 20_001), (64_999, 52_767)])
def test_signals_beyond_the_bounds_count_as_the_bounds(signal: int, bound: int) -> None:
    usual = [30_000] * 60

    assert indices(10, [*usual, signal]) == indices(10, [*usual, bound])


@INTERVALS
def test_after_a_break_it_goes_on_as_the_publication_does(interval: int) -> None:
    """`set_states` gives mean and deviation back, and three hours of learning with them."""
    before = VOCIndex(interval)
    signals = day(3, 16_000 // interval)
    for signal in signals:
        before.update(signal)
    assert before.learnt is not None
    mean, std = before.learnt
    ours = VOCIndex(interval)
    theirs = GasIndexAlgorithm(GasIndexAlgorithm.ALGORITHM_TYPE_VOC, interval)
    theirs.mean_variance_estimator_initialized = True  # the port has no `set_states`
    theirs.sraw_offset, theirs.mean, theirs.std = 0.0, mean - 20_000, std
    theirs.uptime_gamma = theirs.PERSISTENCE_UPTIME_GAMMA
    theirs.mox_model_set_parameters(theirs.mve_get_std(), theirs.mve_get_mean())

    ours.resume(mean, std)
    after = day(5, 4000)

    assert [ours.update(s) or 0 for s in after] == pytest.approx(
        [theirs.process(s) for s in after], abs=1
    )
