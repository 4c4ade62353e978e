"""Made-up values: they follow from the options, and stay between the bounds."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilogger.sensors.simulated import Shape, Simulated, walk

SHAPES: tuple[Shape, ...] = get_args(Shape)
bounds = st.floats(-1e6, 1e6, allow_nan=False)


def values(sensor: Simulated, polls: int) -> list[float]:
    return [sensor.read()["value"] for _ in range(polls)]


def test_a_sine_swings_once_in_a_period() -> None:
    assert values(Simulated(low=10, high=20, period=4), 8) == pytest.approx(
        [15, 20, 15, 10, 15, 20, 15, 10]
    )


def test_a_square_is_low_for_half_a_period() -> None:
    square = Simulated(shape="square", low=1, high=3, period=4)

    assert values(square, 6) == [1, 1, 3, 3, 1, 1]


def test_a_counter_counts_in_whole_numbers_and_starts_again() -> None:
    counted = values(Simulated(shape="counter", low=7.0, high=9.5), 5)

    assert counted == [7, 8, 9, 7, 8]
    assert {type(value) for value in counted} == {int}
    assert values(Simulated(shape="counter", low=0.5, high=2.7), 4) == [0.5, 1.5, 2.5, 0.5]


def test_a_walk_is_chosen_by_its_seed() -> None:
    """The same seed walks the same way in every process; another one another way."""
    first = values(Simulated(shape="walk", seed=1), 20)

    assert first[:3] == pytest.approx([50.0, 40.5593, 49.5300], abs=0.0001)
    assert first == values(Simulated(shape="walk", seed=1), 20)
    assert first != values(Simulated(shape="walk", seed=2), 20)


def test_a_walk_goes_further_in_a_shorter_period() -> None:
    def longest_step(period: int) -> float:
        walked = values(Simulated(shape="walk", period=period), 200)
        return max(abs(b - a) for a, b in pairwise(walked))

    assert longest_step(400) <= 100 / 20
    assert longest_step(25) > longest_step(400)


def test_a_walk_turns_at_its_bounds() -> None:
    """It does not wander on outside, to come back much later."""
    assert all(-1 <= value <= 1 for value in islice(walk(-1, 1, period=2, seed=0), 200))


@example("sine", -5.0, -1.8, 4, 0)  # its crest is computed as -1.7999999999999998
@given(st.sampled_from(SHAPES), bounds, bounds, st.integers(1, 1000), st.integers())
def test_no_value_leaves_the_range_that_the_channel_declares(
    shape: Shape, one: float, other: float, period: int, seed: int
) -> None:
    low, high = sorted((one, other))
    if low == high:
        high += 1
    sensor = Simulated(shape=shape, low=low, high=high, period=period, seed=seed, unit="Cel")
    channel = sensor.channels()["value"]

    assert all(channel.low <= value <= channel.high for value in values(sensor, 50))
    assert (channel.unit, channel.low, channel.high) == ("Cel", low, high)
    assert channel.step is not None
    assert channel.step <= (high - low) / 1000 * (1 + 1e-9)


@pytest.mark.parametrize(
    "options", [{"low": 1, "high": 1}, {"low": 2, "high": 1}, {"high": float("inf")}]
)
def test_an_impossible_range_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="nothing to simulate"):
        Simulated(low=options.get("low", 0), high=options["high"])


def test_an_empty_period_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one poll, not 0"):
        Simulated(period=0)
