"""A contact on made-up pins: state, edges, and letting go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pilogger.bus.gpio import PinBus
from pilogger.errors import NoAnswer
from pilogger.sample import Value
from pilogger.sensors.contact import Contact, Reading


class Edges:
    """Collects what a driver emits."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...] | Mapping[str, Value]] = []

    def __call__(self, reading: tuple[Any, ...] | Mapping[str, Value]) -> None:
        self.seen.append(reading)


def test_a_contact_to_ground_pulls_its_pin_low(pins: PinBus) -> None:
    door = Contact(pins, pin=17)
    door.start()
    pin = pins.factory.pin(17)

    assert pin.pull == "up"
    assert door.read() == Reading(closed=False)
    pin.drive_low()
    assert door.read() == Reading(closed=True)
    assert door.read().closed is True, "a truth value, not 1"


def test_a_contact_to_3v3_lifts_its_pin(pins: PinBus) -> None:
    door = Contact(pins, pin=17, pull="down")
    door.start()
    pin = pins.factory.pin(17)

    assert pin.pull == "down"
    assert door.read() == Reading(closed=False)
    pin.drive_high()
    assert door.read() == Reading(closed=True)


def test_every_edge_is_reported_once_in_order(pins: PinBus) -> None:
    """Level changes only: driving a low pin low again is no edge."""
    edges = Edges()
    door = Contact(pins, pin=17)
    door.start()
    door.watch(edges)
    pin = pins.factory.pin(17)

    pin.drive_low()
    pin.drive_low()
    pin.drive_high()

    assert edges.seen == [Reading(closed=True), Reading(closed=False)]


def test_watching_survives_a_new_start(pins: PinBus) -> None:
    """A sensor may be watched before it starts, and started again at any time."""
    edges = Edges()
    door = Contact(pins, pin=17)
    door.watch(edges)
    door.start()
    door.start()

    pins.factory.pin(17).drive_low()

    assert edges.seen == [Reading(closed=True)]


def test_a_contact_that_nobody_watches_can_change(pins: PinBus) -> None:
    door = Contact(pins, pin=17)
    door.start()

    pins.factory.pin(17).drive_low()

    assert door.read().closed


@pytest.mark.parametrize(("debounce", "bounce"), [(0.02, 0.02), (0, None)])
def test_the_pin_library_is_told_to_debounce(
    pins: PinBus, debounce: float, bounce: float | None
) -> None:
    Contact(pins, pin=17, debounce=debounce).start()

    assert pins.factory.pin(17).bounce == bounce


def test_a_pin_in_use_is_refused_until_it_is_free(pins: PinBus) -> None:
    first, second = Contact(pins, pin=17), Contact(pins, pin=17)
    first.start()

    with pytest.raises(NoAnswer, match="GPIO17 cannot be used"):
        second.start()
    first.close()
    second.start()
    assert second.read() == Reading(closed=False)


def test_a_closed_contact_reports_nothing(pins: PinBus) -> None:
    edges = Edges()
    door = Contact(pins, pin=17)
    door.watch(edges)

    with pytest.raises(NoAnswer, match="GPIO17 is not open"):
        door.read()
    door.start()
    door.close()
    door.close()
    pins.factory.pin(17).drive_low()

    assert edges.seen == []
    with pytest.raises(NoAnswer, match="GPIO17 is not open"):
        door.read()
