"""VEML7700 against the numbers of its application note, and the library of Adafruit."""

from __future__ import annotations

import adafruit_veml7700 as peer
import pytest
from adafruit_rig import BusIO, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer
from pilogger.sensors.veml7700 import DAYLIGHT, DUSK, VEML7700, Reading, lux
from pilogger.testing import MemoryBus, ScriptedBus, run

peer.time = Time()


def chip(count: int, ident: int = 0x81) -> MemoryBus:
    return MemoryBus({0x10: {0x04: count.to_bytes(2, "little"), 0x07: bytes([ident, 0xC4])}})


def measuring(
    count: int, config: bytes
) -> list[tuple[str, int, bytes] | tuple[str, int, bytes, bytes]]:
    return [
        ("write", 0x10, bytes([0, config[0] | 1, config[1]])),
        ("write", 0x10, b"\x00" + config),
        ("write_read", 0x10, b"\x04", count.to_bytes(2, "little")),
        ("write_read", 0x10, b"\x00", config),
    ]


def test_the_correction_has_the_value_of_the_application_note() -> None:
    """84323: 1500 lx by the table are 1658 lx."""
    count = round(1500 / 0.5376)

    assert lux(count, DAYLIGHT) == pytest.approx(1658, abs=0.5)


def test_daylight_is_measured_once() -> None:
    """Gain 1/8 and 100 ms: 0.5376 lx per count (84323, 2025); 1000 counts are 537.6 lx raw."""
    bus = ScriptedBus(*measuring(1000, b"\x00\x10"))

    reading, waits = run(VEML7700(bus).read())

    assert reading.illuminance == pytest.approx(560.98, abs=0.005)
    assert waits == [pytest.approx(0.2025)]
    bus.done()


def test_dim_light_is_measured_again_with_more_gain() -> None:
    """Gain 2 and 400 ms: 0.0084 lx per count, and no correction."""
    bus = ScriptedBus(*measuring(100, b"\x00\x10"), *measuring(0x1A2B, b"\x80\x08"))

    reading, waits = run(VEML7700(bus).read())

    assert reading.illuminance == pytest.approx(0x1A2B * 0.0084)
    assert waits == [pytest.approx(0.2025), pytest.approx(0.8025)]
    bus.done()


def test_darkness_is_a_reading() -> None:
    assert run(VEML7700(chip(0)).read())[0].illuminance == 0


def test_the_count_is_fetched_after_the_wait() -> None:
    """A shut down chip shows its last count until it has integrated anew."""
    bus = chip(200)
    steps = VEML7700(bus).read()
    next(steps)

    bus.write(0x10, b"\x04\xe8\x03")

    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value.illuminance == pytest.approx(560.98, abs=0.005)


@given(st.integers(101, 45_000))
def test_an_independent_driver_computes_the_same_in_daylight(count: int) -> None:
    """Adafruit's on the same chip: the same formula, so that only rounding differs."""
    bus = chip(count)
    ours = run(VEML7700(bus).read())[0].illuminance

    theirs = peer.VEML7700(BusIO(bus))
    theirs.light_integration_time = theirs.ALS_100MS

    assert ours == pytest.approx(theirs.compute_lux(theirs.light, True), rel=1e-9)


@given(st.integers(0, 0xFFFE))
def test_an_independent_driver_computes_the_same_at_dusk(count: int) -> None:
    theirs = peer.VEML7700(BusIO(chip(count)))
    theirs.light_gain = theirs.ALS_GAIN_2
    theirs.light_integration_time = theirs.ALS_400MS

    assert lux(count, DUSK) == pytest.approx(theirs.lux, rel=1e-9)


@given(st.integers(1, 0xFFFF))
def test_more_light_is_never_less_lux(count: int) -> None:
    """The correction is a polynomial: it must not bend back anywhere."""
    assert lux(count, DAYLIGHT) > lux(count - 1, DAYLIGHT)


def test_both_settings_give_much_the_same_where_they_meet() -> None:
    """54 lx: the corrected one is 0.7 % more, well within the chip's 10 %."""
    assert lux(100, DAYLIGHT) == pytest.approx(lux(6400, DUSK), rel=0.01)


def test_a_full_count_is_no_reading() -> None:
    with pytest.raises(BadReading, match="saturated"):
        run(VEML7700(chip(0xFFFF)).read())


def test_a_chip_that_lost_its_settings_gives_no_number_and_the_next_poll_sets_it_up() -> None:
    """A dip of the supply shuts it down: ALS_CONF is 0x0001, the count is left from before."""
    bus = chip(1000)
    sensor = VEML7700(bus)
    steps = sensor.read()
    next(steps)
    bus.write(0x10, b"\x00\x01\x00")

    with pytest.raises(BadReading, match="lost its settings"):
        next(steps)
    assert run(sensor.read())[0].illuminance == pytest.approx(560.98, abs=0.005)


def test_newer_parts_identify_themselves() -> None:
    assert VEML7700.identify(ScriptedBus(("write_read", 0x10, b"\x07", b"\x81\xc4")), 0x10)
    assert not VEML7700.identify(chip(0, ident=0x00), 0x10)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x10"):
        run(VEML7700(MemoryBus({})).read())


def test_channels_carry_unit_and_range() -> None:
    illuminance = channels(Reading)["illuminance"]

    assert (illuminance.unit, illuminance.step) == ("lx", 0.001)
    assert (illuminance.low, illuminance.high) == (0, 140_000)
