"""ENS160: its status, and its values against the library of Adafruit."""

from __future__ import annotations

import adafruit_ens160 as peer
import pytest
from adafruit_rig import BusIO, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, NotReady, WrongChip
from pilogger.sensors.ens160 import ENS160, Reading
from pilogger.testing import MemoryBus, ScriptedBus, run

peer.time = Time()

STANDARD = 0x02


def chip(
    status: int = 0x82, aqi: int = 2, tvoc: int = 0x8142, eco2: int = 0x92C3, part: int = 0x0160
) -> MemoryBus:
    output = bytes([status, aqi]) + tvoc.to_bytes(2, "little") + eco2.to_bytes(2, "little")
    return MemoryBus({0x53: {0x00: part.to_bytes(2, "little"), 0x20: output}})


def sample(bus: MemoryBus) -> Reading:
    return run(ENS160(bus).read())[0]


def test_the_registers_of_the_datasheet() -> None:
    """§16.1: all little-endian; each byte here is another, and those of two have their top bit."""
    assert sample(chip()) == (2, 0x8142, 0x92C3)


@given(st.integers(1, 5), st.integers(0, 65_000), st.integers(400, 65_000))
def test_an_independent_driver_reads_the_same(aqi: int, tvoc: int, eco2: int) -> None:
    """Adafruit's, from the buffer that it fills in one burst; all are whole numbers."""
    bus = chip(0x82, aqi, tvoc, eco2)
    theirs = peer.ENS160(BusIO(bus))
    assert theirs.new_data_available
    values = theirs.read_all_sensors()

    assert sample(bus) == (values["AQI"], values["TVOC"], values["eCO2"])


@pytest.mark.parametrize("status", [0x86, 0x84, 0x8A, 0x88])
def test_warming_up_is_not_ready(status: int) -> None:
    """DEVICE_STATUS, bits 3:2: 1 warms up for 3 minutes, 2 for an hour."""
    with pytest.raises(NotReady, match="is warming up"):
        sample(chip(status))


@pytest.mark.parametrize("status", [0x8E, 0xC2, 0x02, 0x12, 0x00, 0xFF])
def test_a_chip_that_does_not_measure_gives_no_number(status: int) -> None:
    """Bits 3:2 are 3: no output; bit 6: a fault; bit 7 is 0: it does not run; stuck lines."""
    with pytest.raises(BadReading, match=f"does not measure: its status is {status:#04x}"):
        sample(chip(status))


def test_an_index_of_zero_is_no_reading() -> None:
    """It goes from 1 to 5; zero is what the register holds after a reset."""
    with pytest.raises(BadReading, match="no air quality index"):
        sample(chip(aqi=0))


@pytest.mark.parametrize("status", [0x82, 0x83, 0x92])
def test_other_bits_of_the_status_do_not_matter(status: int) -> None:
    assert sample(chip(status)).aqi == 2


def test_only_three_bits_of_the_index_count() -> None:
    """The others are reserved (DATA_AQI)."""
    assert sample(chip(aqi=0xF8 | 5)).aqi == 5


def test_a_poll_waits_for_values_that_are_new() -> None:
    bus = chip(0x81, tvoc=1)  # bit 0 is of other registers
    steps = ENS160(bus).read()
    assert [next(steps), next(steps), next(steps)] == [0.5, 0.5, 0.5]

    bus.write(0x53, b"\x20\x82\x03\x07\x00\x94\x01")

    assert run(steps)[0] == (3, 7, 404)


def test_values_that_stay_old_are_no_reading() -> None:
    """A number that was given before is no measurement; a new one takes 1 s."""
    bus = chip(0x80)
    steps = ENS160(bus).read()
    assert [next(steps) for _ in range(5)] == [0.5] * 5

    with pytest.raises(BadReading, match="nothing new"):
        next(steps)


def test_start_identifies_and_wakes_the_chip() -> None:
    bus = ScriptedBus(
        ("write_read", 0x53, b"\x00", b"\x60\x01"),
        ("write_read", 0x53, b"\x10", b"\x00"),
        ("write", 0x53, b"\x10\x02"),
    )

    ENS160(bus).start()

    bus.done()


def test_a_chip_that_measures_is_left_warm() -> None:
    """It need not warm up again only because pilogger was started."""
    bus = chip(part=0x0161)
    bus.write(0x53, b"\x10\x02")
    bus.writes.clear()

    ENS160(bus).start()

    assert not bus.writes


def test_a_chip_that_lost_its_supply_is_woken_again() -> None:
    """It sleeps then: its status has no bit 7, and the core starts a sensor that failed."""
    bus = chip(status=0x00)
    sensor = ENS160(bus)
    with pytest.raises(BadReading, match="does not measure"):
        run(sensor.read())

    sensor.start()

    assert bus.writes == [(0x53, b"\x10\x02")]


@pytest.mark.parametrize(
    ("part", "name"), [(0x00E5, r"ADXL345 \(0x00e5\)"), (0x6001, r"another chip \(0x6001\)")]
)
def test_a_lookalike_is_named_and_left_alone(part: int, name: str) -> None:
    bus = chip(part=part)

    with pytest.raises(WrongChip, match=f"0x53 answers as {name}, not ENS160; `pilogger scan`"):
        ENS160(bus).start()
    assert not bus.writes
    assert not ENS160.identify(bus, 0x53)


@pytest.mark.parametrize("part", [b"\x60\x01", b"\x61\x01"])
def test_its_identity_is_known(part: bytes) -> None:
    assert ENS160.identify(ScriptedBus(("write_read", 0x52, b"\x00", part)), 0x52)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x52"):
        ENS160(chip(), address=0x52).start()


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "aqi": ("1", 1, 5, 1),
        "tvoc": ("[ppb]", 0, 65_000, 1),
        "eco2": ("[ppm]", 400, 65_000, 1),
    }


def test_temperature_and_humidity_of_the_air_are_told_when_they_change() -> None:
    """In 1/64 K and 1/512 %, little-endian; Adafruit's library writes the same for 21.5 and 43."""
    air: list[float | None] = [21.5, 43.0]
    bus = chip()
    theirs = peer.ENS160(BusIO(bus))
    theirs.temperature_compensation, theirs.humidity_compensation = 21.5, 43
    expected = bytes(bus.memory[0x53][0x13:0x17])
    bus.writes.clear()
    sensor = ENS160(bus, temperature=lambda: air[0], humidity=lambda: air[1])
    sensor.start()
    bus.writes.clear()

    run(sensor.read())
    run(sensor.read())

    assert bus.writes == [(0x53, b"\x13" + expected[:2]), (0x53, b"\x15" + expected[2:])]
    assert expected == bytes.fromhex("aa49 0056")

    air[:] = [None, None]
    bus.writes.clear()
    run(sensor.read())
    assert bus.writes == [(0x53, b"\x13\x8a\x4a"), (0x53, b"\x15\x00\x64")], "25 Cel and 50 %"


def test_what_is_not_wired_is_not_told() -> None:
    """Nor is anything written that the chip has from its power-on."""
    bus = chip()
    sensor = ENS160(bus)
    sensor.start()
    bus.writes.clear()

    run(sensor.read())

    assert not bus.writes
