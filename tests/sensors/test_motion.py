"""A motion sensor on made-up pins: a minute of patience, then every motion."""

from __future__ import annotations

import pytest

from pilogger.bus.gpio import PinBus
from pilogger.channel import channels
from pilogger.errors import NoAnswer
from pilogger.sensors.motion import Motion, Reading
from pilogger.testing import run


def test_high_is_motion(pins: PinBus) -> None:
    """The pull is down, so a wire that is loose is none."""
    sensor = Motion(pins, pin=17)
    run(sensor.start())
    pin = pins.factory.pin(17)

    assert pin.pull == "down"
    assert pin.bounce is None
    assert sensor.read() == Reading(motion=False)
    pin.drive_high()
    assert sensor.read() == Reading(motion=True)
    assert sensor.read().motion is True, "a truth value, not 1"


def test_every_beginning_and_end_is_reported(pins: PinBus) -> None:
    seen: list[object] = []
    sensor = Motion(pins, pin=17)
    run(sensor.start())
    sensor.watch(seen.append)

    pins.factory.pin(17).drive_high()
    pins.factory.pin(17).drive_low()

    assert seen == [Reading(motion=True), Reading(motion=False)]


def test_the_first_minute_is_waited_for_once(pins: PinBus) -> None:
    """Started again by the same process, it is warm."""
    sensor = Motion(pins, pin=17)

    assert run(sensor.start())[1] == [60]
    assert run(sensor.start())[1] == []


def test_a_start_that_was_broken_off_waits_again(pins: PinBus) -> None:
    sensor = Motion(pins, pin=17)
    next(sensor.start())

    assert run(sensor.start())[1] == [60]


def test_a_pin_in_use_is_refused_until_it_is_free(pins: PinBus) -> None:
    first, second = Motion(pins, pin=17), Motion(pins, pin=17)
    run(first.start())

    with pytest.raises(NoAnswer, match="GPIO17 cannot be used"):
        run(second.start())
    first.close()
    with pytest.raises(NoAnswer, match="GPIO17 is not open"):
        first.read()
    run(second.start())
    assert second.read() == Reading(motion=False)


def test_its_channel_is_a_flag() -> None:
    found = channels(Reading)["motion"]

    assert (found.unit, found.low, found.high) == ("1", 0, 1)
