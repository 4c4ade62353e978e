"""An HC-SR04 on made-up pins: echoes, none, and pins that are given back."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from gpiozero import DistanceSensor

from pilogger.bus.gpio import PinBus
from pilogger.channel import channels
from pilogger.errors import NoAnswer, NotReady
from pilogger.sensors.distance import Distance, Reading, speed_of_sound


class Echoes:
    """What gpiozero's thread finds, as parts of 4 m; `all_heard` once it took every one."""

    def __init__(self, *parts: float | None) -> None:
        self.parts = iter(parts)
        self.all_heard = Event()

    def method(self) -> Callable[[Any], float | None]:
        def read(sensor: Any) -> float | None:
            self.facts = sensor.trigger, sensor.echo, sensor.max_distance, sensor.speed_of_sound
            try:
                return next(self.parts)
            except StopIteration:
                self.all_heard.set()
                return None

        return read


@pytest.fixture
def sensor(pins: PinBus) -> Distance:
    found = Distance(pins, trigger=23, echo=24)
    found.start()
    return found


def sample(sensor: Distance, monkeypatch: pytest.MonkeyPatch, *parts: float | None) -> Reading:
    """Let gpiozero's thread find so many echoes, and give the median of them."""
    echoes = Echoes(*parts)
    monkeypatch.setattr(DistanceSensor, "_read", echoes.method())
    steps = sensor.read()
    assert next(steps) == pytest.approx(0.9)
    assert echoes.all_heard.wait(10)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    reading: Reading = stop.value.value
    return reading


def test_the_median_counts(sensor: Distance, monkeypatch: pytest.MonkeyPatch) -> None:
    """One echo was listened to late; one was missed."""
    assert sample(sensor, monkeypatch, 0.25, 0.9, None, 0.25) == Reading(1.0)


def test_nothing_near_is_a_gap(sensor: Distance, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotReady, match="nothing is within 4 m"):
        sample(sensor, monkeypatch, 1.0, 1.0)


def test_no_echo_at_all_says_where_to_look(
    sensor: Distance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoAnswer, match="no echo at GPIO24: is it wired, and Trig at GPIO23"):
        sample(sensor, monkeypatch, None)


def test_pins_speed_and_range_are_as_configured(
    pins: PinBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    echoes = Echoes()
    monkeypatch.setattr(DistanceSensor, "_read", echoes.method())
    steps = Distance(pins, trigger=5, echo=6, temperature=-20).read()
    next(steps)
    assert echoes.all_heard.wait(10)
    steps.close()

    pin = pins.factory.pin
    assert echoes.facts == (pin(5), pin(6), 4, pytest.approx(319.18))


def test_the_speed_of_sound() -> None:
    """1 m takes 5.83 ms at 20 Cel, there and back."""
    assert 2 / speed_of_sound(20) == pytest.approx(0.00583, abs=1e-5)


def test_pins_are_free_between_polls(
    pins: PinBus, sensor: Distance, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample(sensor, monkeypatch, 0.5)
    another = Distance(pins, trigger=23, echo=24)

    another.start()

    steps = sensor.read()
    next(steps)
    with pytest.raises(NoAnswer, match="GPIO24 cannot be used"):
        another.start()
    steps.close()  # as a poll that is given up
    another.start()


def test_channels_carry_unit_and_range() -> None:
    found = channels(Reading)["distance"]

    assert (found.unit, found.low, found.high) == ("m", 0, 4)
