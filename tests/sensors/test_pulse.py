"""A pulse counter on made-up pins: totals, rates, and what a new start keeps."""

from __future__ import annotations

from typing import Any

import pytest
from adafruit_rig import Time

from pilogger.bus.gpio import PinBus
from pilogger.errors import NoAnswer
from pilogger.sensors import pulse
from pilogger.sensors.pulse import Pulse


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(pulse, "monotonic", fake.monotonic)
    return fake


def pulses(pins: PinBus, count: int) -> None:
    for _ in range(count):
        pins.factory.pin(17).drive_low()
        pins.factory.pin(17).drive_high()


def test_pulses_are_counted_and_their_rate_is_by_elapsed_time(pins: PinBus, time: Time) -> None:
    """70 in 4 s; a late poll changes nothing. The first poll has no rate yet."""
    counter = Pulse(pins, pin=17, debounce=0)
    counter.start()

    pulses(pins, 3)
    assert counter.read() == {"total": 3}
    time.sleep(4)
    pulses(pins, 70)
    assert counter.read() == {"total": 73, "frequency": 17.5}
    time.sleep(0.5)
    assert counter.read() == {"total": 73, "frequency": 0}


def test_a_total_has_the_unit_of_what_is_counted(pins: PinBus, time: Time) -> None:
    """A tip of a rain gauge's bucket is 0.2794 mm; whole numbers stay whole."""
    gauge = Pulse(pins, pin=17, each=0.2794, unit="mm")
    gauge.start()
    pulses(pins, 3)

    assert gauge.read() == {"total": 0.8382}
    assert {name: channel.unit for name, channel in gauge.channels().items()} == {
        "total": "mm",
        "frequency": "Hz",
    }
    assert isinstance(Pulse(pins, pin=4, each=2.0).each, int)


def test_a_new_start_keeps_the_total_and_makes_no_rate_up(pins: PinBus, time: Time) -> None:
    counter = Pulse(pins, pin=17)
    counter.start()
    pulses(pins, 5)
    counter.read()
    time.sleep(1)

    counter.start()
    pulses(pins, 1)

    assert counter.read() == {"total": 6}


def test_two_polls_at_one_moment_have_no_rate(pins: PinBus, time: Time) -> None:
    counter = Pulse(pins, pin=17)
    counter.start()
    counter.read()

    assert counter.read() == {"total": 0}


def test_a_pulse_upwards_is_counted_when_it_comes(pins: PinBus, time: Time) -> None:
    """Each has two edges; one of them counts."""
    counter = Pulse(pins, pin=17, pull="down")
    counter.start()
    pin = pins.factory.pin(17)

    assert pin.pull == "down"
    pin.drive_high()
    assert counter.read()["total"] == 1
    pin.drive_low()
    assert counter.read()["total"] == 1


@pytest.mark.parametrize(("debounce", "bounce"), [(0.05, 0.05), (0, None)])
def test_the_pin_library_is_told_to_debounce(pins: PinBus, debounce: float, bounce: Any) -> None:
    Pulse(pins, pin=17, debounce=debounce).start()

    assert pins.factory.pin(17).bounce == bounce
    assert pins.factory.pin(17).pull == "up"


def test_a_closed_counter_counts_nothing(pins: PinBus) -> None:
    counter = Pulse(pins, pin=17)

    with pytest.raises(NoAnswer, match="GPIO17 is not open"):
        counter.read()
    counter.start()
    counter.close()
    counter.close()
    pulses(pins, 1)
    assert counter.count == 0
    with pytest.raises(NoAnswer, match="GPIO17 is not open"):
        counter.read()


def test_a_pulse_stands_for_something(pins: PinBus) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Pulse(pins, pin=17, each=0)


def test_a_total_goes_on_after_a_restart(pins: PinBus, time: Time) -> None:
    """As a fraction or as a whole number, and whatever a pulse stands for now."""
    gauge = Pulse(pins, pin=17, each=0.2794, unit="mm")
    gauge.start()
    pulses(pins, 3)
    after = Pulse(pins, pin=17, each=0.3, unit="mm")

    after.state = gauge.state
    gauge.close()
    after.start()
    pulses(pins, 1)

    assert after.read() == {"total": 1.1382}
    assert after.state == {"total": 1.1382, "unit": "mm"}
    counter = Pulse(pins, pin=17)
    counter.state = {"total": 41, "unit": "1"}
    assert counter.state == {"total": 41, "unit": "1"}
    assert isinstance(counter.state["total"], int)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"total": 5, "unit": "l"}, "it was counted in l, not mm"),
        ({"total": -1, "unit": "mm"}, "-1 is no total"),
        ({"total": float("nan"), "unit": "mm"}, "nan is no total"),
    ],
)
def test_a_total_of_something_else_is_not_taken(
    pins: PinBus, state: dict[str, Any], sentence: str
) -> None:
    gauge = Pulse(pins, pin=17, each=0.2794, unit="mm")

    with pytest.raises(ValueError, match=sentence):
        gauge.state = state
    assert gauge.state["total"] == 0


def test_the_state_is_never_behind_the_reading(pins: PinBus, time: Time) -> None:
    """It is asked for after the reading, and saved before it."""
    counter = Pulse(pins, pin=17)
    counter.start()
    pulses(pins, 2)
    total = counter.read()["total"]
    pulses(pins, 1)

    assert counter.state["total"] == 3 > total
    assert Pulse.state_exact
