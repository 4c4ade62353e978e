"""One worker serves the sensors of one bus, each on its own grid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schedule_rig import Puppet, Reading, Rig, probe

from pilogger.bus import Kind
from pilogger.driver import Steps
from pilogger.scheduler import Probe
from pilogger.testing import FakeClock


class Slow:
    """Waits for its chip for a while, as an SCD41 does, or works that long without a pause."""

    def __init__(self, clock: FakeClock, *, waits: float = 0, works: float = 0) -> None:
        self.clock = clock
        self.waits = waits
        self.works = works

    def read(self) -> Steps[Reading]:
        self.clock.advance(self.works)
        yield self.waits
        return Reading(20.0)


def test_polls_are_due_at_start_plus_n_times_every() -> None:
    """The first poll is at once, and a poll that takes long shifts no other."""
    clock = FakeClock()
    rig = Rig(probe(Slow(clock, works=0.3, waits=0.4), every=10), clock=clock)

    rig.run(35)

    assert rig.times() == [0.7, 10.7, 20.7, 30.7]
    assert rig.state().skipped == 0


def test_stamps_are_whole_milliseconds_right_after_the_read() -> None:
    """A poll is stamped when its reading is there, with CLOCK_BOOTTIME to the millisecond."""
    clock = FakeClock()
    rig = Rig(probe(Slow(clock, waits=0.1239)), clock=clock)

    rig.run(1)

    assert [sample.boot for sample in rig.samples] == [100_123_000]


@pytest.mark.fault(37, 38)
def test_the_wall_clock_is_never_asked() -> None:
    """NTP may set the clock by years in either direction."""
    rig = Rig(probe(Puppet(), every=10))

    rig.run(15)
    rig.clock.step_wall(-3e8)
    rig.run(10)
    rig.clock.step_wall(6e8)
    rig.run(10)

    assert rig.times() == [0, 10, 20, 30]


@pytest.mark.fault(47, 90)
def test_a_late_poll_is_skipped_and_counted_never_queued() -> None:
    """A poll of 25 s on a grid of 10 s: what was due meanwhile is due no more."""
    clock = FakeClock()
    rig = Rig(probe(Slow(clock, waits=25), every=10), clock=clock)

    rig.run(99)

    assert rig.times() == [25, 50, 75]  # slots 0, 2, 5, and 7 is on its way
    assert rig.state().skipped == 4


@given(st.lists(st.floats(0, 35), min_size=1, max_size=20))
def test_no_sequence_of_delays_makes_polls_drift(delays: list[float]) -> None:
    """A poll begins on its grid or, after a long one, as soon as it can; none begins twice."""
    began: list[float] = []

    class Erratic:
        def read(self) -> Steps[Reading]:
            began.append(rig.clock.monotonic() - rig.began)
            yield delays[len(began) % len(delays)]
            return Reading(20.0)

    rig = Rig(probe(Erratic(), every=10))
    rig.run(500)
    slots = [int((moment + 1e-6) // 10) for moment in began]

    assert len(set(slots)) == len(slots)
    assert rig.state().skipped == slots[-1] + 1 - len(slots)
    assert max(delays) >= 10 or all(moment % 10 < 2e-6 for moment in began)


def test_a_driver_that_waits_leaves_the_bus_to_the_others() -> None:
    """While one sensor waits 5 s for its chip, the other one is polled each second."""
    clock = FakeClock()
    rig = Rig(
        probe(Slow(clock, waits=5), every=10, sensor="co2"),
        probe(Puppet(), every=1, sensor="air"),
        clock=clock,
    )

    rig.run(9.5)

    assert rig.times("co2") == [5]
    assert rig.times("air") == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_measurement_that_is_under_way_ends_with_its_worker() -> None:
    """A driver that waits may have something to switch off, even if that fails."""
    ended: list[str] = []

    class Heater:
        def read(self) -> Steps[Reading]:
            try:
                yield 3600
            finally:
                ended.append("off")
                raise OSError("the wire is cut")

        def close(self) -> None:
            ended.append("closed")

    rig = Rig(probe(Heater()))
    rig.run(5)
    rig.worker.close()

    assert ended == ["off", "closed"]


def test_one_bus_is_opened_once_and_given_to_all() -> None:
    """The worker opens the bus that the sensors name, at the first use."""
    opened: list[object] = []
    given: list[object] = []

    def open_bus(name: object) -> str:
        opened.append(name)
        return f"bus {name}"

    def build(bus: object) -> Puppet:
        given.append(bus)
        return Puppet()

    kind = Kind("i2c", 1, open_bus)
    rig = Rig(Probe("air", build, 10, kind, 3), Probe("soil", build, 10, kind, 3))
    rig.run(25)

    assert opened == [3]
    assert given == ["bus 3", "bus 3"]


def test_channels_are_declared_once_before_the_first_sample() -> None:
    """The store must know a sensor's channels before it can take a sample."""
    order: list[str] = []
    rig = Rig(probe(Puppet()), record=lambda _sample: order.append(f"sample {len(rig.declared)}"))

    rig.run(15)

    assert rig.declared == [("air", ["temperature"])]
    assert order == ["sample 1", "sample 1"]


def test_a_bus_that_nobody_named_is_the_kinds_default() -> None:
    """Sensors share a worker when their buses have the same kind and name."""
    kind = Kind("i2c", 1, lambda _name: None)

    assert probe(Puppet(), kind=kind).line == probe(Puppet(), kind=kind, bus=1).line
    assert probe(Puppet(), kind=kind).line != probe(Puppet(), kind=kind, bus=2).line
    assert probe(Puppet(), sensor="a").line != probe(Puppet(), sensor="b").line
