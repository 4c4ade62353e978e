"""One destination's loop, on a real store: all arrives once, in order, or is accounted for."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Event

import pytest

from pilogger.clock import SystemClock
from pilogger.destinations import Accepted, LockedOut, Outcome, Refused, Wait
from pilogger.errors import StoreBroken
from pilogger.sample import Point, Sample
from pilogger.store import Batch, Outbox, SetAside, Store, open_reader
from pilogger.testing import FakeClock, FlakyDestination
from pilogger.uploader import Uploader

SILENT = Wait("no answer")
BUSY = Wait("503", answered=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    opened = Store.open(tmp_path / "pilogger.db", clock)
    opened.declare("air", {"t": "Cel"})
    yield opened
    opened.close()


@pytest.fixture
def outbox(store: Store) -> Iterator[Outbox]:
    opened = store.outbox("hub")
    yield opened
    opened.close()


def feed(store: Store, count: int) -> None:
    first = store.stored
    store.append([Sample("air", {"t": n}, n, str(n)) for n in range(first, first + count)])


def uploader(destination: FlakyDestination, outbox: Outbox, clock: FakeClock) -> Uploader:
    return Uploader(destination, outbox, clock, "hub", Random(1))


def work(uploader: Uploader, clock: FakeClock, seconds: float = 5) -> list[float]:
    """Let the loop run for a while of fake time; return its pauses."""
    end = clock.monotonic() + seconds
    pauses = []
    while clock.monotonic() < end:
        pause = uploader.step()
        if pause:
            pauses.append(pause)
            clock.advance(min(max(pause, 1e-6), end - clock.monotonic()))
    return pauses


def values(points: list[Point]) -> list[object]:
    return [point.value for point in points]


def aside(store: Store) -> list[tuple[object, str]]:
    """Look up what was set aside, by value, in the file itself."""
    store.flush()
    with closing(open_reader(store.path)) as reader:
        return reader.execute(
            "SELECT value, reason FROM set_aside JOIN reading USING (seq, series)"
            " WHERE destination = 'hub' ORDER BY seq"
        ).fetchall()


# -- the four outcomes ---------------------------------------------------------------------


def test_readings_arrive_in_order_and_once(store: Store, outbox: Outbox, clock: FakeClock) -> None:
    destination = FlakyDestination(limit=100)
    feed(store, 1000)

    work(uploader(destination, outbox, clock), clock)

    assert values(destination.arrived) == list(range(1000))
    assert outbox.pending() == 0
    assert (outbox.sent, outbox.refused) == (1000, 0)


@pytest.mark.fault(70)
def test_a_full_batch_leaves_at_once(store: Store, outbox: Outbox, clock: FakeClock) -> None:
    """A backlog never waits between two batches."""
    destination = FlakyDestination(limit=100)
    feed(store, 900)
    sender = uploader(destination, outbox, clock)

    pauses = [sender.step() for _ in range(20)]

    assert pauses == [0] * 20
    assert len(destination.arrived) == 900


def test_what_waits_is_sent_again_with_the_same_readings(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """The batch does not grow meanwhile: the same bytes, so a receiver can tell."""
    destination = FlakyDestination(SILENT, BUSY, LockedOut("401"), limit=100)
    feed(store, 10)
    sender = uploader(destination, outbox, clock)
    for _ in range(4):
        work(sender, clock, 900)
        feed(store, 1)

    first, *again = destination.attempts[:4]
    assert values(list(first)) == list(range(10))
    assert again == [first] * 3


@pytest.mark.fault(59)
def test_an_answer_that_was_lost_costs_a_repetition(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """At least once: the receiver sees the very same readings twice, and nothing is missing."""
    destination = FlakyDestination()
    destination.lost_answers = 1
    feed(store, 10)

    work(uploader(destination, outbox, clock), clock)

    assert destination.attempts == [tuple(destination.arrived[:10])] * 2
    assert values(destination.arrived) == [*range(10)] * 2
    assert outbox.sent == 10


@pytest.mark.fault(60)
def test_only_the_poisoned_reading_is_set_aside(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """With the server's words; the others arrive, each once."""
    destination = FlakyDestination()
    destination.poison = lambda point: point.value == 321
    feed(store, 900)
    sender = uploader(destination, outbox, clock)

    work(sender, clock)

    assert values(destination.arrived) == [n for n in range(900) if n != 321]
    assert aside(store) == [(321, "1 bad")]
    assert (outbox.pending(), outbox.sent, outbox.refused) == (0, 899, 1)
    assert sender.state().reasons == ("air.t: 1 bad",)
    refusals = [part for part in destination.attempts if 321 in values(list(part))]
    assert len(refusals) <= 11, "log2(900) is 9.8"


@pytest.mark.fault(60, 71)
def test_an_outage_in_the_middle_of_a_search_repeats_nothing(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """Halves that were accepted stay accepted."""
    destination = FlakyDestination(Refused("bad"), limit=100)
    destination.script.extend([Accepted(), BUSY, SILENT])
    destination.poison = lambda point: point.value == 70
    feed(store, 90)

    work(uploader(destination, outbox, clock), clock)

    assert values(destination.arrived) == [n for n in range(90) if n != 70]


@pytest.mark.fault(65)
def test_too_large_shrinks_the_batches_that_follow(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """And the smaller size is remembered: one refusal each, not one for every batch."""
    destination = FlakyDestination(limit=1000)
    destination.largest = 300
    feed(store, 9000)
    sender = uploader(destination, outbox, clock)

    work(sender, clock)

    assert values(destination.arrived) == list(range(9000))
    assert sum(len(part) > 300 for part in destination.attempts) == 2
    assert sender.state().limit == 225
    assert aside(store) == []


def test_after_many_successes_larger_batches_are_tried_again(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """The readings may be smaller now; and if not, nothing is lost by asking."""
    destination = FlakyDestination(limit=40)
    destination.largest = 10
    feed(store, 400)
    sender = uploader(destination, outbox, clock)
    work(sender, clock)
    shrunk = sender.state().limit
    destination.largest = 40
    feed(store, 10_000)

    work(sender, clock)

    assert shrunk <= 10
    assert sender.state().limit == 40
    assert values(destination.arrived) == list(range(10_400))


class OneMegabyte(FlakyDestination):
    """Says "too large" for the size of one reading, not for their number."""

    def send(self, points: Sequence[Point]) -> Outcome:
        if any(point.value == 7 for point in points):
            return Refused("over 1 MB", too_large=True)
        return super().send(points)


@pytest.mark.fault(65)
def test_one_reading_that_is_too_large_alone_is_set_aside(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """And does not make small batches of all that follow."""
    destination = OneMegabyte(limit=100)
    feed(store, 200)
    sender = uploader(destination, outbox, clock)

    work(sender, clock)

    assert values(destination.arrived) == [n for n in range(200) if n != 7]
    assert aside(store) == [(7, "over 1 MB")]
    assert sender.state().limit == 100


def test_a_bug_in_a_destination_costs_no_reading(
    store: Store, outbox: Outbox, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits and tries again; the traceback is logged once."""
    destination = FlakyDestination(*[ZeroDivisionError("oops")] * 5)
    feed(store, 10)
    sender = uploader(destination, outbox, clock)
    work(sender, clock, 2)
    why = sender.state().why

    work(sender, clock, 100)

    assert why == "ZeroDivisionError: oops"
    assert values(destination.arrived) == list(range(10))
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == 1
    assert "a bug, please report it" in tracebacks[0].getMessage()


class FullDisk(Outbox):
    """An outbox whose store takes nothing for the first `failures` times."""

    failures = 3

    def settle(self, batch: Batch, refused: Sequence[SetAside] = ()) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreBroken("the disk is full")
        super().settle(batch, refused)


def test_a_full_disk_does_not_send_a_batch_twice(store: Store, clock: FakeClock) -> None:
    """What was accepted is settled as soon as the disk takes it."""
    destination = FlakyDestination()
    with closing(FullDisk(store, "hub", "all")) as outbox:
        feed(store, 10)
        sender = uploader(destination, outbox, clock)
        work(sender, clock, 1.2)
        why = sender.state().why
        work(sender, clock, 60)

        assert why == "the store: the disk is full"
        assert values(destination.arrived) == list(range(10))
        assert (outbox.pending(), outbox.sent) == (0, 10)


# -- when it sends -------------------------------------------------------------------------


def test_single_readings_wait_a_second_for_company(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """20 readings in a second are one request; the oldest waits for one second at most."""
    destination = FlakyDestination()
    sender = uploader(destination, outbox, clock)
    sender.step()
    for _ in range(20):
        feed(store, 1)
        pause = sender.step()
        clock.advance(0.04)

    assert pause == pytest.approx(1 - 19 * 0.04)
    clock.advance(0.2)
    work(sender, clock, 0.1)
    assert [len(part) for part in destination.attempts] == [20]


def test_what_came_during_an_outage_does_not_wait_again(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    destination = FlakyDestination(limit=100)
    destination.down = SILENT
    feed(store, 100)
    sender = uploader(destination, outbox, clock)
    work(sender, clock, 10)
    feed(store, 50)
    work(sender, clock, 10)
    destination.down = None
    clock.advance(1)

    while len(destination.arrived) < 150:
        assert sender.step() == 0

    assert values(destination.arrived) == list(range(150))


@pytest.mark.fault(51)
def test_a_thousand_readings_during_an_outage_arrive_within_a_second_of_it(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """20 s without any answer, 50 readings a second."""
    destination = FlakyDestination(limit=100)
    destination.down = SILENT
    sender = uploader(destination, outbox, clock)
    for _ in range(200):
        feed(store, 5)
        work(sender, clock, 0.1)
    destination.down = None

    work(sender, clock, 1)

    assert values(destination.arrived) == list(range(1000))


def test_no_attempt_is_made_before_its_time(store: Store, outbox: Outbox, clock: FakeClock) -> None:
    """However often something new wakes the loop."""
    destination = FlakyDestination(Wait("429", answered=True, retry_after=600))
    feed(store, 1)
    sender = uploader(destination, outbox, clock)
    work(sender, clock, 2)
    before = clock.monotonic()

    for _ in range(10):
        feed(store, 1)
        assert sender.step() > 500

    assert clock.monotonic() == before
    assert len(destination.attempts) == 1


@pytest.mark.fault(61)
def test_locked_out_asks_every_quarter_of_an_hour(
    store: Store, outbox: Outbox, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost, nobody is hammered, and the log hears of it once."""
    destination = FlakyDestination()
    destination.down = LockedOut("the server answered 401")
    feed(store, 10)
    sender = uploader(destination, outbox, clock)

    work(sender, clock, 24 * 3600)

    assert len(destination.attempts) == 24 * 4
    assert outbox.pending() == 10
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "locked out, a person must act" in record.getMessage()
    assert "401" in record.getMessage()


def test_readings_without_a_time_are_held_and_told(tmp_path: Path) -> None:
    """And go when the clock is right, with nothing else to wake the loop."""
    clock = FakeClock(synced=False)
    destination = FlakyDestination()
    with closing(Store.open(tmp_path / "x.db", clock)) as store:
        store.declare("air", {"t": "Cel"})
        with closing(store.outbox("hub")) as outbox:
            store.append([Sample("air", {"t": 1}, clock.boot())])
            sender = uploader(destination, outbox, clock)
            work(sender, clock)
            state = sender.state()
            clock.is_synced = True
            store.tend_clock()
            sender.step()
            sender.step()

    assert (state.pending, state.outcome) == (1, "none yet")
    assert "clock" in state.held
    assert values(destination.arrived) == [1]


def test_readings_that_never_knew_the_time_do_not_hurry_the_others(tmp_path: Path) -> None:
    """They count as pending for ever, but not as company to leave with."""
    path, destination = tmp_path / "x.db", FlakyDestination(limit=50)
    with closing(Store.open(path, FakeClock(synced=False, boot_id="before"))) as store:
        store.declare("air", {"t": "Cel"})
        store.append([Sample("air", {"t": n}, n) for n in range(100)])
    clock = FakeClock(boot_id="now")
    with closing(Store.open(path, clock)) as store, closing(store.outbox("hub")) as outbox:
        store.declare("air", {"t": "Cel"})
        sender = uploader(destination, outbox, clock)
        sender.step()
        feed(store, 1)

        assert sender.step() == 1.0
        work(sender, clock, 2)
        assert values(destination.arrived) == [0]
        assert outbox.pending() == 100


# -- what it tells -------------------------------------------------------------------------


@pytest.mark.fault(51)
def test_an_outage_is_told_once_when_it_starts_and_once_when_it_ends(
    store: Store, outbox: Outbox, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    destination = FlakyDestination()
    destination.down = SILENT
    feed(store, 10)
    sender = uploader(destination, outbox, clock)
    work(sender, clock, 3600)
    destination.down = None
    work(sender, clock, 120)

    began, ended = [record.getMessage() for record in caplog.records]
    assert began == "hub: not delivered; readings are kept: no answer"
    assert re.fullmatch(
        r"hub: delivers again after 1:0\d:\d\d and \d{3} attempts; 0 readings to send", ended
    )


def test_one_failure_alone_is_not_told(
    store: Store, outbox: Outbox, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A kept connection that the server closed just now is no outage."""
    destination = FlakyDestination(SILENT)
    feed(store, 10)

    work(uploader(destination, outbox, clock), clock)

    assert len(destination.attempts) == 2
    assert caplog.records == []


@pytest.mark.parametrize(
    ("trouble", "outcome"), [(BUSY, "waiting"), (LockedOut("503"), "locked out")]
)
def test_the_state_tells_what_is_wrong(
    store: Store, outbox: Outbox, clock: FakeClock, trouble: Outcome, outcome: str
) -> None:
    destination = FlakyDestination(Accepted(), trouble, limit=10)
    feed(store, 29)
    sender = uploader(destination, outbox, clock)
    before = sender.state()
    while destination.script:
        sender.step()
    clock.advance(0.25)

    after = sender.state()

    assert (before.outcome, before.why, before.lasting, before.retry_in) == ("none yet", "", 0, 0)
    assert (after.name, after.outcome, after.why) == ("hub", outcome, "503")
    assert (after.sent, after.refused, after.pending, after.requests) == (9, 0, 20, 2)
    assert after.lasting == pytest.approx(0.25)
    assert after.retry_in > 0
    work(sender, clock, 1000)
    assert sender.state().outcome == "accepted"


# -- the thread ----------------------------------------------------------------------------


@pytest.fixture
def running(store: Store, outbox: Outbox) -> Iterator[Callable[[FlakyDestination], Uploader]]:
    """Start an uploader with the real clock, and stop it at the end."""
    started: list[Uploader] = []

    def start(destination: FlakyDestination) -> Uploader:
        sender = Uploader(destination, outbox, SystemClock(), "hub")
        sender.start()
        started.append(sender)
        return sender

    yield start
    for sender in started:
        sender.stop(5)


def test_drain_waits_until_all_is_sent(
    store: Store, running: Callable[[FlakyDestination], Uploader]
) -> None:
    """And hurries: a reading that came just now does not wait for company."""
    destination = FlakyDestination(limit=100)
    sender = running(destination)
    feed(store, 950)
    began = time.monotonic()

    assert sender.drain(10)

    assert time.monotonic() - began < 0.9
    assert values(destination.arrived) == list(range(950))


def test_drain_gives_up_in_time(
    store: Store, running: Callable[[FlakyDestination], Uploader]
) -> None:
    destination = FlakyDestination()
    destination.down = SILENT
    sender = running(destination)
    feed(store, 10)

    assert not sender.drain(0.05)


@pytest.mark.parametrize("trouble", [None, BUSY, LockedOut("401")])
def test_stop_is_prompt_also_in_a_long_pause(
    store: Store,
    running: Callable[[FlakyDestination], Uploader],
    trouble: Outcome | None,
) -> None:
    destination = FlakyDestination()
    destination.down = trouble
    sender = running(destination)
    feed(store, 1000)
    sender.drain(0.05)
    began = time.monotonic()

    sender.stop(5)

    assert time.monotonic() - began < 1
    assert destination.closed


class Stuck(FlakyDestination):
    """Hangs in a request until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = Event()
        self.release = Event()
        self.left = Event()

    def send(self, points: Sequence[Point]) -> Outcome:
        self.entered.set()
        self.release.wait(10)
        try:
            return super().send(points)
        finally:
            self.left.set()


def test_stop_does_not_wait_for_the_network(
    store: Store, outbox: Outbox, running: Callable[[FlakyDestination], Uploader]
) -> None:
    """The request is left behind; what it carried stays pending, whatever becomes of it."""
    destination = Stuck()
    sender = running(destination)
    feed(store, 1000)
    assert destination.entered.wait(10)
    began = time.monotonic()

    sender.stop(0.05)

    assert time.monotonic() - began < 1
    destination.release.set()
    assert destination.left.wait(10)
    sender.stop(5)
    assert (outbox.pending(), outbox.sent) == (1000, 0)


def test_an_uploader_that_never_started_can_be_stopped(outbox: Outbox, clock: FakeClock) -> None:
    destination = FlakyDestination()

    uploader(destination, outbox, clock).stop(1)

    assert destination.closed


# -- company, and pauses -------------------------------------------------------------------


def test_enough_readings_wait_for_no_company(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """Fewer wait for as long as they are told to."""
    destination = FlakyDestination()
    sender = Uploader(destination, outbox, clock, "hub", gather=20.0, enough=3)
    feed(store, 2)
    early = work(sender, clock, 10)
    feed(store, 1)
    work(sender, clock, 0.1)
    enough = values(destination.arrived)
    feed(store, 1)
    work(sender, clock, 30)

    assert early == [20.0]
    assert enough == [0, 1, 2]
    assert values(destination.arrived) == [0, 1, 2, 3]


@pytest.mark.fault(66)
def test_a_destination_that_wants_a_pause_gets_it(
    store: Store, outbox: Outbox, clock: FakeClock
) -> None:
    """It has accepted everything so far: that is no outage."""
    destination = FlakyDestination(Accepted(7.5), limit=10)
    feed(store, 20)
    sender = uploader(destination, outbox, clock)

    assert [sender.step() for _ in range(3)] == [0, 0, 7.5]
    assert sender.state().outcome == "accepted"

    clock.advance(7.5)
    work(sender, clock)

    assert len(destination.arrived) == 20
