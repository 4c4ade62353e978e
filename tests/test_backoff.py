"""How long a destination is left alone."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.destinations import LockedOut, Wait
from pilogger.uploader.backoff import Backoff

SILENT = Wait("no answer")
BUSY = Wait("503", answered=True)


class Highest(Random):
    """The least lucky jitter."""

    def random(self) -> float:
        return 1.0


class Lowest(Random):
    """The luckiest jitter."""

    def random(self) -> float:
        return 0.0


def pauses(trouble: Wait | LockedOut, random: Random, *, lasting: float = 0) -> list[float]:
    backoff = Backoff(random)
    return [backoff.pause(trouble, lasting) for _ in range(8)]


def test_no_answer_is_tried_again_within_a_second_at_first() -> None:
    """Wi-Fi that comes back is used at once, with full jitter."""
    assert pauses(SILENT, Highest(), lasting=299) == [1] * 8
    assert pauses(SILENT, Lowest(), lasting=299) == [0] * 8


@pytest.mark.fault(51)
def test_after_five_minutes_of_silence_pauses_grow_to_a_minute() -> None:
    assert pauses(SILENT, Highest(), lasting=300) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pauses(SILENT, Lowest(), lasting=300) == [0] * 8


@pytest.mark.fault(64)
def test_a_server_in_trouble_gets_growing_pauses_from_the_start() -> None:
    """Half of each is certain, so that a thousand devices do not add to its trouble."""
    assert pauses(BUSY, Highest()) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pauses(BUSY, Lowest()) == [0.5, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.fault(61, 62)
def test_locked_out_is_probed_every_quarter_of_an_hour() -> None:
    assert pauses(LockedOut("401"), Random(1)) == [900] * 8


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    ("asked", "pause"),
    [(0, 1), (0.5, 1), (30, 30), (3600, 3600), (4e8, 3600), (float("inf"), 3600)],
)
def test_the_longer_of_ours_and_the_servers_is_taken(asked: float, pause: float) -> None:
    """But a server cannot send us away for more than an hour."""
    trouble = Wait("429", answered=True, retry_after=asked)

    assert Backoff(Highest()).pause(trouble, 0) == pause


@given(
    st.lists(st.tuples(st.booleans(), st.none() | st.floats(0), st.floats(0, 1e6))),
    st.randoms(use_true_random=False),
)
def test_a_pause_is_never_negative_nor_over_an_hour(
    troubles: list[tuple[bool, float | None, float]], random: Random
) -> None:
    backoff = Backoff(random)

    for answered, asked, lasting in troubles:
        assert 0 <= backoff.pause(Wait("", answered, asked), lasting) <= 3600
