"""The latest value of another sensor, for a driver that is wired to it."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import pytest
from schedule_rig import Puppet, Rig, probe

from pilogger.channel import Channel
from pilogger.driver import Source, latest, options, sources
from pilogger.pipeline import Convert, OnChange, Treatment
from pilogger.scheduler import Probe, Wire
from pilogger.scheduler.board import Board
from pilogger.testing import FakeClock

CELSIUS = Channel("Cel", -45, 130)
WIRE = Wire("air.temperature", CELSIUS)


class Heard(NamedTuple):
    warm: Annotated[float | None, Channel("Cel")]
    polls: Annotated[int, Channel("1")]


class Listener:
    """Gives what it hears from another sensor."""

    def __init__(
        self, start: int = 0, *, temperature: Annotated[Source | None, CELSIUS] = None
    ) -> None:
        self.polls = start
        self.temperature = temperature

    def read(self) -> Heard:
        self.polls += 1
        return Heard(latest(self.temperature), self.polls)


def listener(every: float = 10) -> Probe:
    return Probe("voc", lambda _bus, **given: Listener(**given), every, wires={"temperature": WIRE})


def heard(it: Rig) -> list[Any]:
    return [s.values.get("warm") for s in it.samples if s.sensor == "voc"]


def together(*probes: Probe) -> Rig:
    """Sensors of one scheduler: they share a board."""
    it = Rig(*probes)
    for duty in it.duties:
        duty.board = it.duties[0].board
    return it


def test_a_source_is_no_option() -> None:
    assert list(options(Listener)) == ["start"]
    assert sources(Listener) == {"temperature": CELSIUS}


def test_a_driver_hears_the_latest_value() -> None:
    it = together(probe(Puppet(20, 21, 22)), listener())
    it.run(25)

    assert heard(it) == [20, 21, 22]


def test_the_value_comes_in_the_drivers_unit() -> None:
    """77 degF are 25 Cel; what is out of its range it does not hear."""
    treatments = {"temperature": Treatment((Convert("[degF]"),))}
    it = together(probe(Puppet(25.0), treatments=treatments), listener())
    it.run(5)
    board = it.duties[0].board

    assert heard(it) == [25.0]
    assert board.latest("air.temperature", Channel("Cel", 30, 40)) is None
    assert board.latest("air.temperature", Channel("K")) == pytest.approx(298.15)


def test_a_value_that_was_not_stored_is_heard_all_the_same() -> None:
    treatments = {"temperature": Treatment((OnChange(by=100),))}
    it = together(probe(Puppet(20, 21, 22), treatments=treatments), listener())
    it.run(25)

    assert heard(it) == [20, 21, 22]


def test_a_value_older_than_three_polls_is_none() -> None:
    """The other sensor is unplugged; this one goes on without."""
    clock = FakeClock()
    board = Board(clock)
    board.post("air", 20, {"temperature": 21.5}, {"temperature": Channel("Cel")})
    source = board.source(WIRE)

    assert source() == 21.5
    clock.advance(60)
    assert source() == 21.5
    clock.advance(0.1)
    assert source() is None


def test_a_fast_sensor_may_be_late() -> None:
    """Three polls of 0.1 s are soon over: 10 s count."""
    clock = FakeClock()
    board = Board(clock)
    board.post("air", 0.1, {"temperature": 21.5}, {"temperature": Channel("Cel")})
    clock.advance(9.9)

    assert board.latest(*WIRE) == 21.5


@pytest.mark.parametrize("value", ["warm", True])
def test_what_is_no_number_is_none(value: Any) -> None:
    board = Board(FakeClock())
    board.post("air", 10, {"temperature": value}, {"temperature": Channel("Cel")})

    assert board.latest(*WIRE) is None


def test_without_a_source_there_is_nothing_to_hear() -> None:
    assert latest(None) is None
    assert Board(FakeClock()).latest(*WIRE) is None
