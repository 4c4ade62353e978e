"""A network that comes is used at once, however long it was away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest

from pilogger.clock import SystemClock
from pilogger.destinations import LockedOut, Outcome, Wait
from pilogger.links import LinkWatcher
from pilogger.sample import Point, Sample
from pilogger.store import Outbox, Store
from pilogger.testing import FakeClock, FlakyDestination
from pilogger.uploader import Uploader, backoff, loop

DAY = 86_400
WEEKS = 3 * 7 * DAY
SILENT = Wait("no answer")
alone = pytest.mark.skipif(os.getuid() != 0, reason="a network of its own needs root")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    opened = Store.open(tmp_path / "x.db", clock)
    opened.declare("air", {"t": "Cel"})
    yield opened
    opened.close()


@pytest.fixture
def outbox(store: Store) -> Iterator[Outbox]:
    with closing(store.outbox("hub")) as opened:
        yield opened


def work(sender: Uploader, clock: FakeClock, seconds: float) -> None:
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        clock.advance(min(max(sender.step(), 0.001), end - clock.monotonic()))


@pytest.mark.fault(51)
def test_weeks_without_a_link_cost_nothing(store: Store, outbox: Outbox, clock: FakeClock) -> None:
    """All wait in the store; an attempt each half a minute; then all arrive, in order."""
    destination = FlakyDestination()
    destination.down = SILENT
    sender = Uploader(destination, outbox, clock, "hub", Random(1))
    for hour in range(WEEKS // 3600):
        store.append([Sample("air", {"t": hour}, clock.boot())])
        work(sender, clock, 3600)
    attempts = len(destination.attempts)
    destination.down = None
    work(sender, clock, backoff.LONGEST + 2)

    assert [point.value for point in destination.arrived] == list(range(WEEKS // 3600))
    assert attempts < WEEKS / 25


@pytest.mark.fault(51)
def test_a_network_that_comes_is_used_at_once(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """And within a second again, if it is not whole yet: a link, an address, a route, a name."""
    destination = FlakyDestination()
    destination.down = SILENT
    store.append([Sample("air", {"t": 1}, clock.boot())])
    sender = Uploader(destination, outbox, clock, "hub", Random(1))
    work(sender, clock, DAY)
    while sender.step() < 10:
        work(sender, clock, 1)
    before = len(destination.attempts)
    sender.network_came()
    sender.step()
    tried = len(destination.attempts)
    work(sender, clock, 60)
    again = len(destination.attempts)
    destination.down = None
    work(sender, clock, 1)

    assert tried == before + 1
    assert again > tried + 60
    assert len(destination.arrived) == 1


@pytest.mark.fault(51, 61, 66)
@pytest.mark.parametrize("why", [LockedOut("401"), Wait("429", answered=True, retry_after=600)])
def test_a_network_is_no_help_where_somebody_answers(
    store: Store, outbox: Outbox, clock: FakeClock, why: Wait | LockedOut
) -> None:
    """A pause that a server asked for is kept, whatever flaps."""
    destination = FlakyDestination()
    destination.down = why
    store.append([Sample("air", {"t": 1}, clock.boot())])
    sender = Uploader(destination, outbox, clock, "hub", Random(1))
    work(sender, clock, 2)
    sender.network_came()

    assert sender.step() > 500
    assert len(destination.attempts) == 1


def test_the_pause_of_a_thread_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only that of a fake clock."""
    monkeypatch.setattr(backoff, "HOPEFUL", 0.0)
    monkeypatch.setattr(backoff, "SHORTEST", 3600.0)
    monkeypatch.setattr(backoff, "LONGEST", 3600.0)
    with closing(Store.open(tmp_path / "x.db", SystemClock("system"))) as store:
        store.declare("air", {"t": "Cel"})
        store.append([Sample("air", {"t": 1}, 0, "5")])
        destination = FlakyDestination(SILENT)
        sender = Uploader(
            destination, store.outbox("x"), SystemClock("system"), "x", Random(1), gather=0
        )
        sender.start()
        while not sender.state().why:
            Event().wait(0.01)
        sender.network_came()
        assert sender.drain(20)
        sender.stop(5)
        sender.outbox.close()


class Dead(FlakyDestination):
    """Waits for an answer on a connection that a router has forgotten, once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self._interrupted = Event(), Event()

    def send(self, points: Sequence[Point]) -> Outcome:
        if not self.asked.is_set():
            self.asked.set()
            assert self._interrupted.wait(20)
            return SILENT
        return super().send(points)

    def interrupt(self) -> None:
        self._interrupted.set()

    @property
    def is_interrupted(self) -> bool:
        return self._interrupted.is_set()


@pytest.mark.fault(51, 56)
def test_a_request_on_a_dead_connection_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has been waiting for long; the kernel would try again ever more seldom."""
    monkeypatch.setattr(loop, "LONG", 0.0)
    with closing(Store.open(tmp_path / "x.db", SystemClock("system"))) as store:
        store.declare("air", {"t": "Cel"})
        store.append([Sample("air", {"t": 1}, 0, "5")])
        destination, outbox = Dead(), store.outbox("x")
        sender = Uploader(destination, outbox, SystemClock("system"), "x", gather=0)
        sender.start()
        assert destination.asked.wait(20)
        sender.network_came()
        assert sender.drain(20)
        sender.stop(5)
        outbox.close()

    assert [point.value for point in destination.arrived] == [1]


def test_a_request_that_is_young_is_left_alone(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """Its answer is on its way."""
    destination = Dead()
    store.append([Sample("air", {"t": 1}, clock.boot())])
    sender = Uploader(destination, outbox, clock, "hub", Random(1), gather=0)
    thread = Thread(target=lambda: [sender.step(), sender.step()])
    thread.start()
    assert destination.asked.wait(20)
    clock.advance(loop.LONG)
    sender.network_came()
    left_alone = not destination.is_interrupted
    clock.advance(1)
    sender.network_came()
    thread.join()

    assert left_alone
    assert destination.is_interrupted


WATCH = """
import subprocess, sys
from threading import Event
from pilogger.links import LinkWatcher

told = Event()
watcher = LinkWatcher(told.set).start()
for command in sys.argv[1:]:
    subprocess.run(["ip", *command.split()], check=True)
    print(told.wait(0.3 if "down" in command else 10), flush=True)
    while told.wait(0.3):  # addresses and routes follow a link
        told.clear()
watcher.stop()
"""


@alone
@pytest.mark.fault(50, 51)
def test_the_kernel_tells() -> None:
    """Of a link that comes up and of an address, and not of one that goes."""
    commands = ["link set lo up", "link set lo down", "address add 192.0.2.1/24 dev lo",
                "link set lo up", "route add 198.51.100.0/24 dev lo"]  # fmt: skip
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", WATCH, *commands],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert done.stdout.split() == ["True", "False", "True", "True", "True"]


def test_a_kernel_that_tells_nothing_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a sandbox, perhaps; then pauses end by themselves."""
    monkeypatch.setattr("socket.AF_NETLINK", -1)
    told: list[bool] = []
    watcher = LinkWatcher(lambda: told.append(True)).start()
    watcher.stop()

    assert told == []
