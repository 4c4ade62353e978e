"""A sick sensor costs only its own slots, is asked again for ever, and is logged once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from schedule_rig import Puppet, Reading, Rig, probe

from pilogger.bus import Kind
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer, NotReady, WrongChip
from pilogger.scheduler import Probe
from pilogger.testing import FakeClock


def silent(times: int) -> list[BaseException]:
    return [NoAnswer("nothing answers at 0x76")] * times


def test_a_glitch_is_over_within_the_slot() -> None:
    """Up to two more tries, 0.1 s apart, cost nothing but that time."""
    rig = Rig(probe(Puppet(NoAnswer("hush"), BadReading("checksum"), 21.0)))

    rig.run(15)

    assert rig.times() == [0.2, 10]
    assert rig.state().retried == 2
    assert rig.state().failures == {}
    assert rig.state().status == "ok"


def test_there_is_no_second_try_when_the_next_slot_is_due() -> None:
    """At 20 polls a second, the next slot is the second try."""
    rig = Rig(probe(Puppet(*silent(1)), every=0.05))

    rig.run(0.12)

    assert rig.times() == [0.05, 0.1]
    assert rig.state().retried == 0


def test_a_sensor_that_failed_is_started_anew() -> None:
    """`start` comes before the first read and again after a failed slot, not in between."""
    puppet = Puppet(20.0, *silent(3))
    rig = Rig(probe(puppet))

    rig.run(35)

    assert puppet.calls == ["start", "read", "read", "read", "read", "start", "read", "read"]
    assert rig.times() == [0, 20, 30]


class Gone:
    """Cannot be started, and remembers when that was tried; retries in a slot count once."""

    def __init__(self, error: BaseException, clock: FakeClock) -> None:
        self.error = error
        self.clock = clock
        self.asked: list[int] = []

    def start(self) -> None:
        second = int(self.clock.monotonic()) - 100
        if second not in self.asked:
            self.asked.append(second)
        raise self.error

    def read(self) -> Reading:
        raise AssertionError("it was never started")


@pytest.mark.fault(84)
@pytest.mark.parametrize(
    ("error", "every", "asked"),
    [
        (NoAnswer("hush"), 1, [0, 1, 3, 7, 15, 31, 63, 123, 183]),
        (NoAnswer("hush"), 10, [0, 10, 30, 70, 130, 190]),
        (ZeroDivisionError(), 10, [0, 10, 30, 70, 130, 190]),
        (NoAnswer("hush"), 90, [0, 90, 180]),
        (WrongChip("chip id is 0x58"), 10, [0, 60, 120, 180]),
        (NotReady("warming up"), 20, [0, 20, 40, 60, 80, 100, 120, 140, 160, 180]),
    ],
)
def test_a_sensor_that_is_gone_is_asked_for_ever(
    error: BaseException, every: float, asked: list[int]
) -> None:
    """After 1, 2, 4, ... slots up to a minute; another chip each minute; a warm-up each slot."""
    clock = FakeClock()
    gone = Gone(error, clock)
    rig = Rig(probe(gone, every=every), clock=clock)

    rig.run(195)

    assert gone.asked == asked
    assert rig.samples == []


def test_the_back_off_begins_anew_after_a_reading() -> None:
    """A sensor that answered once is asked in the next slot when it fails again."""
    puppet = Puppet(*silent(9), 20.0, *silent(3))
    rig = Rig(probe(puppet))

    rig.run(105)

    assert rig.times() == [70, 90, 100]


def test_a_sensor_that_is_not_ready_has_no_fault() -> None:
    """A gap is a gap: no second try, no new start, nothing logged, but it is counted."""
    puppet = Puppet(20.0, NotReady("no new data"))
    rig = Rig(probe(puppet))

    rig.run(25)

    assert puppet.calls == ["start", "read", "read", "read"]
    assert rig.times() == [0, 20]
    assert rig.state().failures == {"not ready": 1}
    assert rig.state().status == "ok"


class Yields:
    def __init__(self, wait: Any) -> None:
        self.wait = wait

    def read(self) -> Iterator[Any]:
        yield self.wait

    def channels(self) -> dict[str, Any]:
        return {}


class Empty(Exception):
    def __len__(self) -> int:
        return 0


class Broken:
    def __str__(self) -> str:
        raise ValueError("this error has no words")


@pytest.mark.parametrize(
    "driver",
    [
        Puppet(ZeroDivisionError("division by zero")),
        Puppet(SystemExit(1)),
        Puppet(KeyboardInterrupt()),
        Puppet(GeneratorExit()),
        Puppet(StopIteration()),
        Puppet(RecursionError()),
        Puppet(Empty()),
        Puppet(RuntimeError(Broken())),
        Yields(-1),
        Yields("soon"),
        Yields(float("nan")),
        Yields(1e9),
        object(),
    ],
    ids=lambda driver: repr(getattr(driver, "script", driver))[:40],
)
def test_a_bug_in_a_driver_costs_only_its_own_slot(driver: object) -> None:
    """Whatever a driver raises or yields, the other sensor of its bus is read on time."""
    rig = Rig(probe(driver, sensor="sick"), probe(Puppet(), sensor="air"))

    rig.run(5)

    assert rig.times("air") == [0]
    assert rig.times("sick") == []
    assert rig.state(0).failures == {"driver bug": 1}
    assert rig.state(1).failures == {}


@pytest.mark.fault(87)
def test_a_lying_driver_is_counted_apart() -> None:
    """A value out of the possible range is tried again, then left out and named."""
    rig = Rig(probe(Puppet(130.0, 130.0, 130.0)))

    rig.run(5)

    assert rig.samples == []
    assert rig.state().failures == {"bad reading": 1}
    assert rig.state().error == "bad reading: temperature is 130.0 Cel, possible is -40 to 85"


def test_trouble_is_logged_when_it_starts_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line for an outage of any length, one with its length at its end."""
    caplog.set_level(logging.INFO, "pilogger.scheduler")
    rig = Rig(probe(Puppet(20.0, *silent(9))))

    rig.run(115)

    assert [record.getMessage() for record in caplog.records] == [
        "air gives no reading: no answer: nothing answers at 0x76",
        "air is back after 70 s; 7 polls missed",
    ]


def test_a_bug_is_logged_with_its_trace_once(caplog: pytest.LogCaptureFixture) -> None:
    """The trace names the line of the driver; the second one would tell nothing new."""
    rig = Rig(probe(Puppet(*[ZeroDivisionError("by\nzero")] * 4)))

    rig.run(200)
    traces = [record for record in caplog.records if "raise found" in record.getMessage()]

    assert len(traces) == 1
    assert traces[0].getMessage().startswith("air: driver bug: ZeroDivisionError: by\\nzero\n")


def test_a_drivers_words_stay_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """A message cannot forge a line of the log, nor fill it."""
    rig = Rig(probe(Puppet(*[NoAnswer("a\nb\x1b[31m 20 °C " + "x" * 1000)] * 3)))

    rig.run(5)

    assert "a\\nb\\x1b[31m 20 °C xxx" in caplog.text
    assert len(caplog.records[0].getMessage()) < 350


@pytest.mark.fault(88)
def test_a_bus_that_cannot_be_opened_is_each_sensors_trouble() -> None:
    """It is tried again at each sensor's next attempt; then all of them go on."""
    attempts: list[object] = []

    def open_bus(name: object) -> str:
        attempts.append(name)
        if len(attempts) <= 6:
            raise NoAnswer("there is no /dev/i2c-1: enable I2C with raspi-config")
        return "bus"

    kind = Kind("i2c", 1, open_bus)
    rig = Rig(
        Probe("air", lambda _bus: Puppet(), 10, kind),
        Probe("soil", lambda _bus: Puppet(), 10, kind),
    )
    rig.run(25)

    assert rig.state(0).failures == rig.state(1).failures == {"no answer": 1}
    assert rig.times("air") == rig.times("soil") == [10, 20]
    assert len(attempts) == 7


class Bus:
    """A USB adapter: once it was pulled, only opening it again helps."""

    def __init__(self) -> None:
        self.pulled = False
        self.closed = False

    def close(self) -> None:
        self.closed = True


def adapters() -> tuple[Kind, list[Bus]]:
    """Return a kind of bus, and the list of those that are opened."""
    opened: list[Bus] = []

    def open_bus(_name: object) -> Bus:
        opened.append(Bus())
        return opened[-1]

    return Kind("i2c", 1, open_bus), opened


class OnBus:
    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def read(self) -> Reading:
        if self.bus.pulled:
            raise NoAnswer("the adapter is gone")
        return Reading(20.0)


@pytest.mark.fault(86)
def test_a_bus_on_which_nobody_answers_is_opened_again() -> None:
    """All sensors of it get new drivers on the new bus."""
    kind, opened = adapters()
    rig = Rig(Probe("air", OnBus, 10, kind), Probe("soil", OnBus, 10, kind))

    rig.run(5)
    opened[0].pulled = True
    rig.run(20)

    assert [bus.closed for bus in opened] == [True, False]
    assert [sensor for sensor, _ in rig.declared] == ["air", "soil"]
    assert rig.times("air") == rig.times("soil") == [0, 20]


def test_a_bus_on_which_somebody_answers_stays_open() -> None:
    """One sensor that is unplugged is no reason to disturb the others."""
    kind, opened = adapters()
    rig = Rig(
        Probe("air", OnBus, 10, kind), Probe("gone", lambda _bus: Puppet(*silent(99)), 10, kind)
    )

    rig.run(100)

    assert [bus.closed for bus in opened] == [False]


def test_no_bus_is_closed_under_a_measurement() -> None:
    """While one driver waits for its chip, the failures of another close nothing."""
    kind, opened = adapters()

    class Late(OnBus):
        def start(self) -> Steps[None]:
            if rig.clock.monotonic() < rig.began + 5:
                raise NoAnswer("not yet")
            yield 1

        def read(self) -> Reading:
            assert not self.bus.closed
            return Reading(20.0)

    rig = Rig(
        Probe("late", Late, 10, kind),
        Probe("gone", lambda _bus: Puppet(*silent(99)), 10, kind),
    )
    rig.run(15)

    assert rig.times("late") == [11]
    assert len(opened) == 2


def told_of_bus(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [said for r in caplog.records if (said := r.getMessage()).startswith("i2c 1: ")]


def test_a_bus_that_is_stuck_is_told_once_and_once_when_it_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who has several sensors hears that it is not they; the bus is opened anew meanwhile."""
    caplog.set_level(logging.INFO, "pilogger.scheduler")
    kind, opened = adapters()
    clock = FakeClock()

    class Stuck(OnBus):
        def read(self) -> Reading:
            if 5 < clock.monotonic() - rig.began < 95:
                raise NoAnswer("timed out: a chip holds the bus")
            return Reading(20.0)

    rig = Rig(Probe("air", Stuck, 10, kind), Probe("soil", Stuck, 10, kind), clock=clock)
    rig.run(200)
    said = told_of_bus(caplog)

    assert len(said) == 2
    assert said[0].startswith("i2c 1: none of its 2 sensors gives a reading; it is opened anew.")
    assert said[1] == "i2c 1: a sensor gives readings again"
    assert len(opened) > 2
    assert rig.times("air") == rig.times("soil") == [0, 140, 150, 160, 170, 180, 190]


def test_a_new_worker_knows_that_its_bus_was_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Else each hang on a stuck bus would tell it again."""
    kind, _ = adapters()
    rig = Rig(
        Probe("air", lambda _bus: Puppet(*silent(99)), 10, kind),
        Probe("soil", lambda _bus: Puppet(*silent(99)), 10, kind),
    )
    rig.run(50)

    rig.worker = rig.worker.successor(hung=False)
    rig.run(100)

    assert len(told_of_bus(caplog)) == 1


@pytest.mark.parametrize("ill", [1, 2])
def test_a_sensor_that_is_silent_alone_says_nothing_of_its_bus(
    ill: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the only one of a bus, nor one whose neighbour answers."""
    kind, _ = adapters()
    sensors = [Probe("ill", lambda _bus: Puppet(*silent(99)), 10, kind)]
    if ill == 2:
        sensors.append(Probe("well", OnBus, 10, kind))

    Rig(*sensors).run(100)

    assert "ill gives no reading" in caplog.text
    assert told_of_bus(caplog) == []


def test_what_cannot_be_recorded_is_told() -> None:
    """A callback that raises against its contract costs that sample, and is counted."""

    def record(sample: object) -> None:
        raise OSError("disk full")

    rig = Rig(probe(Puppet()), record=record)
    rig.run(5)

    assert rig.state().failures == {"driver bug": 1}
    assert rig.state().readings == 0
    assert "disk full" in rig.state().error
