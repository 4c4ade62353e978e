"""A driver that hangs is left behind; the others of its bus go on with a new worker.

The hang is played on one thread: inside its read, the driver lets the time pass, and the
supervisor do its work, before it comes back too late.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from schedule_rig import Puppet, Reading, Rig, probe

from pilogger.bus import Kind
from pilogger.driver import Emit, Steps
from pilogger.errors import NoAnswer
from pilogger.scheduler import Probe
from pilogger.scheduler.health import SensorState
from pilogger.scheduler.leash import Abandoned
from pilogger.scheduler.worker import Worker


class Stuck:
    """Hangs in each of its reads for a while, in which `meanwhile` happens."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile
        self.closed = 0

    def read(self) -> Reading:
        self.meanwhile()
        return Reading(50.0)

    def close(self) -> None:
        self.closed += 1


class Slow:
    def read(self) -> Steps[Reading]:
        yield 1
        return Reading(5.0)


class Port:
    """Can be claimed by one driver at a time."""

    def __init__(self, claimed: list[Port]) -> None:
        self.claimed = claimed

    def start(self) -> None:
        if self.claimed:
            raise NoAnswer("somebody uses it")
        self.claimed.append(self)

    def read(self) -> Reading:
        return Reading(1.0)

    def close(self) -> None:
        if self in self.claimed:
            self.claimed.remove(self)


class Pin(Port):
    """A port that is watched for edges."""

    def watch(self, emit: Emit) -> None:
        self.emit = emit


class Bus:
    closed = 0

    def close(self) -> None:
        self.closed += 1


class Ward:
    """A bus with some sensors, one of which hangs for 12 s; and its supervisor."""

    def __init__(self) -> None:
        self.stuck: list[Stuck] = []
        self.air: list[Puppet] = []
        self.claimed: list[Port] = []
        self.buses: list[Bus] = []
        self.successors: list[Worker] = []
        kind = Kind("i2c", 1, self.open)
        self.rig = Rig(
            Probe("air", self.build_air, 5, kind),
            Probe("slow", lambda _bus: Slow(), 5, kind),
            Probe("door", lambda _bus: Pin(self.claimed), 1000, kind),
            Probe("sick", self.build_sick, 5, kind),
        )

    def state(self, sensor: str) -> SensorState:
        (found,) = (d for d in self.rig.duties if d.probe.id == sensor)
        return found.health.state()

    def open(self, _name: object) -> Bus:
        self.buses.append(Bus())
        return self.buses[-1]

    def build_air(self, _bus: object) -> Puppet:
        self.air.append(Puppet())
        return self.air[-1]

    def build_sick(self, _bus: object) -> Stuck:
        self.stuck.append(Stuck(self.supervise))
        return self.stuck[-1]

    def supervise(self) -> None:
        leash = self.rig.worker.leash
        self.rig.clock.advance(9.9)
        assert not leash.cut_overdue()
        self.rig.clock.advance(2.1)
        assert leash.cut_overdue()
        self.successors.append(self.rig.worker.successor())

    def run(self, seconds: float) -> None:
        """Run through hangs: the abandoned worker ends, its successor goes on."""
        end = self.rig.clock.monotonic() + seconds
        while self.rig.clock.monotonic() < end:
            try:
                self.rig.run(end - self.rig.clock.monotonic())
            except Abandoned:
                self.rig.worker.release()
                self.rig.worker = self.successors[-1]


@pytest.mark.fault(85)
def test_the_others_of_the_bus_go_on_at_once_on_their_grid() -> None:
    """After a hang of 12 s on a grid of 5 s: one slot skipped, the next ones on time."""
    ward = Ward()
    ward.run(31)

    assert ward.rig.times("air") == [0, 12, 15, 20, 25, 30]
    assert ward.state("air").skipped == 1
    assert ward.state("air").failures == {}
    assert [bus.closed for bus in ward.buses] == [1, 0]
    assert [puppet.calls[0] for puppet in ward.air] == ["start", "start"]


def test_a_result_that_comes_too_late_is_discarded() -> None:
    """The sensor counts as hung, and its reading is none."""
    ward = Ward()
    ward.run(20)

    assert ward.rig.times("sick") == []
    assert ward.state("sick").status == "hung"
    assert ward.state("sick").failures == {"hung": 1}
    assert ward.state("sick").error == "hung: the driver did not return within 10 s"


def test_the_driver_that_hung_is_closed_by_its_own_thread() -> None:
    """Whoever comes back at last closes what it had; a fresh driver takes its place."""
    ward = Ward()
    ward.run(80)

    assert [stuck.closed for stuck in ward.stuck] == [1, 1]


def test_a_slot_that_waited_for_its_chip_is_lost_with_the_bus() -> None:
    """A measurement that was under way cannot be finished on another bus, and is counted."""
    ward = Ward()
    ward.run(14)
    slow = ward.state("slow")

    assert ward.rig.times("slow") == [13]
    assert slow.skipped == 2, "slot 0 was begun and lost, slot 1 was never begun"
    assert slow.failures == {}


def test_edges_are_seen_again_at_once() -> None:
    """A pin that is polled every 1000 s is freed and watched anew as soon as the bus is."""
    ward = Ward()
    ward.run(13)
    (door,) = ward.claimed
    assert isinstance(door, Pin)
    door.emit(Reading(2.0))

    assert ward.rig.times("door") == [0, 13]
    assert ward.state("door").failures == {}


def test_a_driver_is_closed_however_many_workers_are_lost() -> None:
    """Two hangs before a sensor's turn comes: what the first worker had for it is closed."""

    ward = Ward()
    port = Probe("port", lambda _bus: Port(ward.claimed), 1000, ward.rig.duties[0].probe.kind)
    ward.rig = Rig(port, *(duty.probe for duty in ward.rig.duties if duty.probe.id != "door"))

    ward.run(1010)

    assert ward.rig.times("port") == [0, 1000]
    assert len(ward.stuck) > 2


def test_a_driver_that_hangs_again_and_again_is_left_alone_for_longer() -> None:
    """1, 2, 4 ... minutes up to an hour: each hang costs a thread."""
    ward = Ward()
    ward.run(3 * 3600)

    # 12 s of each hang, and then the first slot after the pause
    assert ward.state("sick").failures == {"hung": 8}
    assert len(ward.stuck) == 8


def test_the_time_between_two_waits_is_what_counts() -> None:
    """A poll may take longer than the deadline if no single stretch does."""
    clock_of: list[Rig] = []

    class Patient:
        def read(self) -> Steps[Reading]:
            for _ in range(5):
                clock_of[0].clock.advance(4)
                assert not clock_of[0].worker.leash.cut_overdue()
                yield 4
            return Reading(20.0)

    rig = Rig(probe(Patient(), every=100, deadline=5))
    clock_of.append(rig)
    rig.run(60)

    assert rig.times() == [40]


@pytest.mark.fault(85)
@pytest.mark.parametrize("verb", ["build", "start", "watch", "close", "open"])
def test_every_call_of_a_driver_has_the_deadline(verb: str) -> None:
    """A hang in any of its methods, or while the bus opens, is seen."""
    seen: list[str] = []

    def hang(_arg: object = None) -> None:
        rig.clock.advance(11)
        seen.append(verb)
        assert rig.worker.leash.cut_overdue()

    class Driver(Puppet):
        pass

    def build(_bus: object) -> Driver:
        if verb == "build":
            hang()
        elif verb != "open":
            setattr(driver := Driver(), verb, hang)
            return driver
        return Driver()

    rig = Rig(Probe("air", build, 5, Kind("i2c", 1, hang if verb == "open" else id)))

    def live() -> None:
        rig.run(1)
        rig.worker.close()

    with pytest.raises(Abandoned):
        live()

    assert seen == [verb]
