"""The scheduler with its real threads and the real clock."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from time import monotonic
from typing import Any

import pytest
from schedule_rig import Puppet, Reading, probe

from pilogger.bus import Kind
from pilogger.driver import Emit
from pilogger.errors import NoAnswer
from pilogger.sample import Sample
from pilogger.scheduler import Probe, Scheduler

LONG = 10  # seconds that a test waits for what must happen


class Log:
    """What the scheduler records; a test can wait for it."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._news = threading.Condition()

    def record(self, sample: Sample) -> None:
        with self._news:
            self.samples.append(sample)
            self._news.notify_all()

    def count(self, sensor: str) -> int:
        return sum(sample.sensor == sensor for sample in self.samples)

    def wait(self, sensor: str, more: int) -> None:
        """Wait until there are some more samples of a sensor."""
        with self._news:
            wanted = self.count(sensor) + more
            assert self._news.wait_for(lambda: self.count(sensor) >= wanted, LONG)


@contextmanager
def scheduler(log: Log, *probes: Probe) -> Iterator[Scheduler]:
    running = Scheduler(probes, log.record, lambda _sensor, _channels: None)
    running.start()
    try:
        yield running
    finally:
        running.stop()


class Hanging:
    """Hangs in its first read until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.let_go = threading.Event()
        self.came_back = threading.Event()

    def read(self) -> Reading:
        self.began.set()
        self.let_go.wait(LONG)
        return Reading(50.0)

    def close(self) -> None:
        self.came_back.set()


@pytest.mark.fault(85)
def test_a_hanging_driver_costs_its_bus_the_deadline_and_others_nothing() -> None:
    """The bus is served again by a new worker while the old thread still hangs."""
    log, hanging = Log(), Hanging()
    kind = Kind("i2c", 1, lambda name: name)

    with scheduler(
        log,
        Probe("sick", lambda _bus: hanging, 0.02, kind, deadline=0.1),
        Probe("air", lambda _bus: Puppet(), 0.02, kind),
        probe(Puppet(), 0.02, "pi"),
    ) as running:
        assert hanging.began.wait(LONG)
        log.wait("pi", 3)
        log.wait("air", 3)
        sick, air, pi = running.state()

        hanging.let_go.set()
        assert hanging.came_back.wait(LONG)
        log.wait("air", 3)

    assert (sick.status, sick.failures) == ("hung", {"hung": 1})
    assert (air.status, air.failures) == ("ok", {})
    assert (pi.status, pi.failures) == ("ok", {})
    assert log.count("sick") == 0


def test_a_call_of_c_that_hangs_is_left_behind() -> None:
    """It waits for a byte that never comes; as it holds no GIL, everybody else goes on."""
    end, other_end = os.pipe()
    came_back = threading.Event()

    class InC:
        def read(self) -> Reading:
            ctypes.CDLL(None).read(end, ctypes.create_string_buffer(1), 1)
            came_back.set()
            return Reading(50.0)

    log = Log()
    kind = Kind("i2c", 1, lambda name: name)
    with scheduler(
        log,
        Probe("sick", lambda _bus: InC(), 0.02, kind, deadline=0.1),
        Probe("air", lambda _bus: Puppet(), 0.02, kind),
    ) as running:
        until(lambda: running.state()[0].status == "hung")
        log.wait("air", 3)
        os.write(other_end, b"x")
        assert came_back.wait(LONG)
    os.close(end)
    os.close(other_end)

    assert log.count("sick") == 0
    assert running.state()[0].failures == {"hung": 1}


def test_stop_waits_for_no_thread_that_hangs() -> None:
    """Neither for an abandoned one, nor longer than its patience for one that is just stuck."""
    log, abandoned, stuck = Log(), Hanging(), Hanging()
    running = Scheduler(
        [probe(abandoned, sensor="a", deadline=0.05), probe(stuck, sensor="b", deadline=100)],
        log.record,
        lambda _sensor, _channels: None,
    )
    running.start()
    assert abandoned.began.wait(LONG)
    assert stuck.began.wait(LONG)
    until(lambda: running.state()[0].status == "hung")

    began = monotonic()
    running.stop(patience=0.1)
    took = monotonic() - began
    for driver in (abandoned, stuck):
        driver.let_go.set()
        assert driver.came_back.wait(LONG)

    assert took < 2
    assert log.samples == []


def test_stop_closes_drivers_and_buses() -> None:
    """Each is closed once, in its worker's thread; one that raises stops no other."""
    closed: SimpleQueue[tuple[str, str]] = SimpleQueue()

    class Closing(Puppet):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def close(self) -> None:
            closed.put((self.name, threading.current_thread().name))
            raise NoAnswer("too late") if self.name == "air" else OSError("no")

    kind = Kind("i2c", 1, lambda _name: Closing("bus"))
    log = Log()
    with scheduler(
        log,
        Probe("air", lambda _bus: Closing("air"), 0.02, kind),
        Probe("soil", lambda _bus: Closing("soil"), 0.02, kind),
    ):
        log.wait("soil", 2)

    assert sorted(closed.get_nowait() for _ in range(3)) == [
        ("air", "i2c 1"),
        ("bus", "i2c 1"),
        ("soil", "i2c 1"),
    ]
    assert closed.empty()


def test_nothing_is_recorded_after_stop() -> None:
    """An edge that comes after the end finds nobody; the store may be closed."""
    emits: list[Emit] = []

    class Door(Puppet):
        def watch(self, emit: Emit) -> None:
            emits.append(emit)

    log = Log()
    with scheduler(log, probe(Door(), 60)) as running:
        log.wait("air", 1 - log.count("air"))
        emits[0](Reading(21.0))
    emits[0](Reading(22.0))

    assert [sample.values["temperature"] for sample in log.samples] == [20.0, 21.0]
    assert running.taken == 2


def test_state_tells_what_status_needs() -> None:
    """Every sensor in the order of the probes; taken is the sum of their readings."""
    log = Log()
    with scheduler(
        log, probe(Puppet(), 0.01, "b"), probe(Puppet(*[NoAnswer("hush")] * 99), 60, "a")
    ) as running:
        log.wait("b", 5)
        until(lambda: running.state()[1].status == "failing")
    b, a = running.state()

    assert (b.id, b.status, b.samples, b.values) == ("b", "ok", b.readings, {"temperature": 20.0})
    assert b.age is not None
    assert b.age >= 0
    assert b.lateness is not None
    assert 0 <= b.lateness.p50 <= b.lateness.p99 <= b.lateness.max
    assert (a.id, a.samples, a.age, a.error) == ("a", 0, None, "no answer: hush")
    assert running.taken == len(log.samples) == b.readings


def test_no_sensor_is_no_trouble() -> None:
    """A device without sensors starts and stops; so does a scheduler that never started."""
    with scheduler(Log()) as running:
        assert running.state() == []
    Scheduler([], Log().record, lambda _sensor, _channels: None).stop()


@pytest.mark.parametrize("wrong", [{"every": 0}, {"every": float("nan")}, {"deadline": -1}])
def test_a_probe_without_time_is_refused(wrong: dict[str, Any]) -> None:
    """An interval and a deadline are longer than nothing."""
    with pytest.raises(ValueError, match="longer than 0 s"):
        probe(Puppet(), **wrong)


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread will make true."""
    end = monotonic() + LONG
    while not true():
        assert monotonic() < end, "it never happened"
        threading.Event().wait(0.005)
