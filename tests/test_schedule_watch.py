"""Edges are recorded as they happen, beside the polls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import pytest
from schedule_rig import Puppet, Rig, probe

from pilogger import recorder
from pilogger.channel import Channel
from pilogger.driver import Emit
from pilogger.errors import NoAnswer
from pilogger.recorder import Recorder
from pilogger.scheduler.duty import Duty
from pilogger.store import Store
from pilogger.testing import FakeClock


class Reading(NamedTuple):
    closed: Annotated[bool, Channel("1", 0, 1)]


class Door:
    """A contact: whoever watches it is told each change, until it is closed."""

    def __init__(self) -> None:
        self.watchers: list[Emit] = []
        self.closed = 0
        self.stuck = False

    def read(self) -> Reading:
        if self.stuck:
            raise NoAnswer("the pin is gone")
        return Reading(closed=True)

    def watch(self, emit: Emit) -> None:
        self.watchers.append(emit)

    def move(self, reading: object) -> None:
        for emit in self.watchers:
            emit(reading)  # type: ignore[arg-type]


class ClosingDoor(Door):
    def close(self) -> None:
        self.closed += 1
        self.watchers.clear()


def values(rig: Rig) -> list[tuple[int, bool]]:
    return [(sample.boot - 100_000_000, bool(sample.values["closed"])) for sample in rig.samples]


def test_an_edge_is_stamped_in_microseconds_and_polls_go_on() -> None:
    """An edge needs no poll; the polls are the sign of life in between."""
    clock, door = FakeClock(), Door()
    rig = Rig(probe(door), clock=clock)

    rig.run(3.123456)
    door.move(Reading(closed=False))
    rig.run(10)

    assert values(rig) == [(0, True), (3_123_456, False), (10_000_000, True)]
    assert rig.state().samples == rig.state().readings == 3


def test_a_wrong_edge_is_counted_and_harms_nobody() -> None:
    """An edge is held to the same promise as a reading; the driver's thread sees no error."""
    door = Door()
    rig = Rig(probe(door))

    rig.run(5)
    door.move((False,))
    door.move(Reading(closed=None))  # type: ignore[arg-type]

    assert len(rig.samples) == 1
    assert rig.state().failures == {"bad reading": 2}
    assert rig.state().status == "ok"


def test_a_new_start_doubles_no_edge() -> None:
    """What can be closed is closed before it starts anew; of the rest, old edges are dead."""
    for door in (Door(), ClosingDoor()):
        rig = Rig(probe(door))
        rig.run(5)
        door.stuck = True
        rig.run(10)
        door.stuck = False
        rig.run(10)
        rig.samples.clear()

        door.move(Reading(closed=False))

        assert [value for _, value in values(rig)] == [False]
    assert door.closed == 1


def test_edges_are_recorded_while_the_polls_fail() -> None:
    """Until it is started anew, a driver may still report what it sees."""
    door = Door()
    rig = Rig(probe(door))
    rig.run(5)
    door.stuck = True
    rig.run(7)

    door.move(Reading(closed=False))

    assert values(rig)[-1] == (12_000_000, False)
    assert rig.state().status == "failing"


def test_no_edge_is_recorded_after_the_end() -> None:
    """A closed or abandoned driver may go on reporting; nobody listens."""
    closed, abandoned = Door(), Door()
    rigs = Rig(probe(closed)), Rig(probe(abandoned))
    for rig in rigs:
        rig.run(5)

    rigs[0].worker.close()
    rigs[1].worker.leash.cut()
    for door, rig in zip((closed, abandoned), rigs, strict=True):
        door.move(Reading(closed=False))

        assert len(rig.samples) == 1
        assert rig.state().failures == {}


def test_two_samples_of_a_sensor_never_share_a_stamp() -> None:
    """Polls that fall into one millisecond, and edges into one microsecond, stay apart."""
    clock = FakeClock()
    duty = Duty(probe(Puppet()), clock, lambda _: None, lambda *_: None)
    stamps = [duty.stamp(step) for step in (1000, 1000, 1, 1, 1000, 1)]
    clock.advance(1)
    stamps.append(duty.stamp(1000))

    assert [stamp - stamps[0] for stamp in stamps] == [0, 1000, 1001, 1002, 2000, 2001, 1_000_000]


@pytest.mark.fault(89)
def test_a_storm_of_edges_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory holds the newest while the disk takes nothing, and counts what it dropped."""
    monkeypatch.setattr(recorder, "MOST", 100)
    store = Store.open(tmp_path / "x.db", FakeClock())
    store.declare("air", {"closed": "1"})
    carrier, door = Recorder(store), Door()
    rig = Rig(probe(door), record=carrier.put)

    rig.run(5)
    for n in range(1000):
        door.move(Reading(closed=n % 2 == 0))
    waiting, dropped = carrier.waiting, carrier.dropped
    carrier.start()
    carrier.stop(10)
    stored = store.stored
    store.close()

    assert (waiting, dropped, stored) == (100, 901, 100)
    assert rig.state().readings == 1001
