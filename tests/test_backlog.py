"""What waited for weeks goes out oldest first, as fast as it is taken, and costs no byte twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from pilogger.destinations import Accepted, Outcome, Wait
from pilogger.sample import Point, Sample
from pilogger.store import Store
from pilogger.testing import FakeClock, FlakyDestination
from pilogger.uploader import Uploader

DAY = 86_400
SILENT = Wait("no answer")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    opened = Store.open(tmp_path / "x.db", clock)
    opened.declare("air", {"t": "Cel", "rh": "%"})
    yield opened
    opened.close()


def feed(store: Store, clock: FakeClock, count: int = 1) -> None:
    """Take samples of two readings each, 10 ms apart."""
    first, now = store.stored, clock.boot()
    store.append(
        [
            Sample("air", {"t": first + 2 * n, "rh": first + 2 * n + 1}, now + n * 10_000)
            for n in range(count)
        ]
    )
    clock.advance(count / 100)


def values(points: Sequence[Point]) -> list[object]:
    return [point.value for point in points]


def work(sender: Uploader, clock: FakeClock, seconds: float) -> None:
    end = clock.monotonic() + seconds
    while (left := end - clock.monotonic()) > 0:
        clock.advance(min(max(sender.step(), 0.01), left))


class Slow(FlakyDestination):
    """Takes a while for each request, by a fake clock."""

    def __init__(self, clock: FakeClock, seconds: float, *script: Outcome, limit: int) -> None:
        super().__init__(*script, limit=limit)
        self._clock, self._seconds = clock, seconds

    def send(self, points: Sequence[Point]) -> Outcome:
        self._clock.advance(self._seconds)
        return super().send(points)


@pytest.mark.fault(70)
def test_a_backlog_goes_out_oldest_first_and_what_is_new_after_it(
    store: Store, clock: FakeClock
) -> None:
    """Full requests without a pause; the newest reading is late by what is still before it.

    There is no way around the queue, but by `order: live_first`: within a series a receiver may
    count on order, as some take nothing that is older than what they have. What is new is stored,
    shown and served on this machine meanwhile as ever, and nothing new is given up for what is old.
    """
    feed(store, clock, 10_000)
    store.seal()
    destination = Slow(clock, 0.05, limit=1000)
    with closing(store.outbox("hub")) as outbox:
        sender = Uploader(destination, outbox, clock, "hub", Random(1))
        while outbox.pending() > 1000:
            feed(store, clock)  # live ones
            assert sender.step() == 0
        last = store.stored - 1
        while last not in values(destination.arrived):
            clock.advance(sender.step())

    assert values(destination.arrived) == list(range(last + 1))
    assert len(destination.attempts) <= last / 800 + 3


@pytest.mark.fault(70, 66)
def test_a_backlog_keeps_to_the_limit_of_its_server(store: Store, clock: FakeClock) -> None:
    """One that says how many requests it takes in ten seconds is asked no more often."""
    feed(store, clock, 2000)
    destination = FlakyDestination(*[Accepted(pause=10.0)] * 20, limit=1000)
    began = clock.monotonic()
    with closing(store.outbox("hub")) as outbox:
        sender = Uploader(destination, outbox, clock, "hub", Random(1))
        while outbox.pending():
            clock.advance(sender.step())

    assert clock.monotonic() - began >= 10 * (len(destination.attempts) - 1)


@pytest.mark.fault(71)
@pytest.mark.parametrize("lost", [0, 1])
def test_a_link_that_flaps_makes_progress(store: Store, clock: FakeClock, lost: int) -> None:
    """It is there for three requests, then gone for half a minute, again and again.

    What was accepted is settled at once, also for the next start; only the request under way
    goes again, the same. None is made smaller for a link that is new: too large for it is
    told by silence like any outage, and the option `batch` of a destination is for that.
    """
    feed(store, clock, 5000)
    destination = Slow(clock, 1.0, limit=1000)
    left = [10_000]
    while left[-1]:
        with closing(store.outbox("hub")) as outbox:  # it starts anew, too
            sender = Uploader(destination, outbox, clock, "hub", Random(len(left)))
            destination.lost_answers, destination.down = lost, None
            work(sender, clock, 3)
            destination.down = SILENT
            work(sender, clock, 30)
            left.append(outbox.pending())
        assert left[-1] < left[-2]
    arrived = values(destination.arrived)

    assert list(dict.fromkeys(arrived)) == list(range(10_000))
    assert len(arrived) <= 10_000 + lost * 1000 * len(left)


@pytest.mark.fault(72)
def test_a_link_that_costs_money_carries_readings_and_no_more(
    store: Store, clock: FakeClock
) -> None:
    """Nothing to send is no request; readings of a moment share one; nothing goes twice.

    There is no budget of bytes for a day: it would keep readings back that a later day has no
    more room for. How much there is to send is said where it is made: by `every`.
    """
    destination = FlakyDestination(limit=1000)
    with closing(store.outbox("hub")) as outbox:
        sender = Uploader(destination, outbox, clock, "hub", Random(1))
        for _ in range(24):
            feed(store, clock)
            work(sender, clock, DAY / 24)

    assert [len(part) for part in destination.attempts] == [2] * 24
