"""TSL2561: its packages and settings, and its formula against the library of Adafruit."""

from __future__ import annotations

import adafruit_tsl2561 as peer
import pytest
from adafruit_rig import BusIO
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.tsl2561 import PACKAGES, TSL2561, Reading, lux
from pilogger.testing import MemoryBus, ScriptedBus, run

T, CS = 0x5A, 0x1A  # part number and revision
COUNTS = st.integers(1, 37_000)

Step = tuple[str, int, bytes] | tuple[str, int, bytes, bytes]


def chip(all_light: int, infrared: int, ident: int = T, address: int = 0x39) -> MemoryBus:
    counts = all_light.to_bytes(2, "little") + infrared.to_bytes(2, "little")
    return MemoryBus({address: {0x8A: bytes([ident]), 0xAC: counts}})


def sample(bus: MemoryBus, address: int = 0x39) -> float:
    sensor = TSL2561(bus, address)
    sensor.start()
    return run(sensor.read())[0].illuminance


def measuring(timing: int, all_light: str, infrared: str) -> list[Step]:
    return [
        ("write", 0x39, b"\x80\x03"),
        ("write", 0x39, bytes([0x81, timing])),
        ("write", 0x39, b"\x80\x00"),
        ("write", 0x39, b"\x80\x03"),
        ("write_read", 0x39, b"\xac", bytes.fromhex(all_light)),
        ("write_read", 0x39, b"\xae", bytes.fromhex(infrared)),
        ("write_read", 0x39, b"\x80", b"\x33"),
        ("write", 0x39, b"\x80\x00"),
    ]


def started(bus: ScriptedBus) -> TSL2561:
    sensor = TSL2561(bus)
    sensor.bands = PACKAGES[0b0101]
    return sensor


# The table of the datasheet, "Calculating Lux", once more: counts, and lux by hand.
@pytest.mark.parametrize(
    ("ident", "all_light", "infrared", "expected"),
    [
        (T, 10_000, 0, 304),
        (T, 10_000, 5_000, 304 - 620 * 0.5**1.4),
        (T, 10_000, 5_001, 224 - 0.031 * 5_001),
        (T, 10_000, 6_100, 224 - 0.031 * 6_100),
        (T, 10_000, 6_101, 128 - 0.0153 * 6_101),
        (T, 10_000, 8_000, 128 - 0.0153 * 8_000),
        (T, 10_000, 8_001, 14.6 - 0.00112 * 8_001),
        (T, 10_000, 13_000, 14.6 - 0.00112 * 13_000),
        (T, 10_000, 13_001, 0),
        (CS, 10_000, 0, 315),
        (CS, 10_000, 5_200, 315 - 593 * 0.52**1.4),
        (CS, 10_000, 5_201, 229 - 0.0291 * 5_201),
        (CS, 10_000, 6_500, 229 - 0.0291 * 6_500),
        (CS, 10_000, 6_501, 157 - 0.0180 * 6_501),
        (CS, 10_000, 8_000, 157 - 0.0180 * 8_000),
        (CS, 10_000, 8_001, 33.8 - 0.00260 * 8_001),
        (CS, 10_000, 13_000, 33.8 - 0.00260 * 13_000),
        (CS, 10_000, 13_001, 0),
    ],
)
def test_each_package_has_its_formula(
    ident: int, all_light: int, infrared: int, expected: float
) -> None:
    """At a gain of 16 and 402 ms, for which they are written."""
    assert sample(chip(all_light, infrared, ident)) == pytest.approx(expected, abs=1e-6)


@given(COUNTS, COUNTS)
def test_an_independent_driver_computes_the_same(all_light: int, infrared: int) -> None:
    """Adafruit's, which knows the package T only, at the same setting: only rounding differs."""
    bus = chip(all_light, infrared)
    theirs = peer.TSL2561(BusIO(bus))
    theirs.gain, theirs.integration_time = 1, 2

    assert sample(bus) == pytest.approx(theirs.lux, abs=1e-6)


@given(COUNTS, COUNTS)
def test_an_independent_driver_scales_alike(all_light: int, infrared: int) -> None:
    """Adafruit rounds 81/322 to 0.252: 0.2 % apart."""
    theirs = peer.TSL2561(BusIO(chip(all_light, infrared)))
    theirs.gain, theirs.integration_time = 0, 1

    ours = lux(all_light, infrared, PACKAGES[5]) * 16 * 322 / 81
    assert ours == pytest.approx(theirs.lux, rel=0.002)


def test_dim_light_is_measured_once() -> None:
    """0x03e8 and 0x012c: 1000 and 300 counts are 18.909 lx."""
    bus = ScriptedBus(*measuring(0x12, "e803", "2c01"))

    reading, waits = run(started(bus).read())

    assert reading.illuminance == pytest.approx(18.909, abs=0.0005)
    assert waits == [0.429]
    bus.done()


@pytest.mark.parametrize("full", [("ffff", "2c01"), ("e803", "ffff")])
def test_bright_light_is_measured_again_with_the_lowest_gain(full: tuple[str, str]) -> None:
    bus = ScriptedBus(*measuring(0x12, *full), *measuring(0x01, "e803", "2c01"))

    reading, waits = run(started(bus).read())

    assert reading.illuminance == pytest.approx(18.909 * 16 * 402 / 101, rel=0.002)
    assert waits == [0.429, 0.108]
    bus.done()


@pytest.mark.parametrize("full", [("3991", "2c01"), ("e803", "3991"), ("ffff", "ffff")])
def test_a_full_count_is_no_reading(full: tuple[str, str]) -> None:
    """101 ms can count to 37177 (note 6 of the characteristics)."""
    bus = ScriptedBus(*measuring(0x12, "ffff", "ffff"), *measuring(0x01, *full))

    with pytest.raises(BadReading, match="saturated"):
        run(started(bus).read())


def test_the_brightest_light_is_a_reading_within_the_range() -> None:
    bus = ScriptedBus(*measuring(0x12, "ffff", "ffff"), *measuring(0x01, "3891", "0000"))
    sensor = started(bus)
    sensor.bands = PACKAGES[0b0001]

    reading, _ = run(sensor.read())

    assert 74_000 < reading.illuminance < channels(Reading)["illuminance"].high


def test_just_below_full_is_a_reading() -> None:
    assert sample(chip(0xFFFE, 0)) == pytest.approx(0.0304 * 0xFFFE)


@pytest.mark.parametrize("infrared", [0, 3])
def test_darkness_is_a_reading(infrared: int) -> None:
    assert sample(chip(0, infrared)) == 0


def test_a_chip_that_lost_its_settings_gives_no_number_and_the_next_poll_sets_it_up() -> None:
    """After a dip of the supply it is off (CONTROL reads 0): the counts mean nothing."""
    bus = chip(1000, 300)
    sensor = TSL2561(bus)
    sensor.start()
    steps = sensor.read()
    next(steps)
    bus.write(0x39, b"\x80\x00")

    with pytest.raises(BadReading, match="did not measure"):
        next(steps)
    assert run(sensor.read())[0].illuminance == pytest.approx(18.909, abs=0.0005)


def test_the_counts_are_fetched_after_the_wait() -> None:
    bus = chip(1, 0)
    sensor = TSL2561(bus)
    sensor.start()
    steps = sensor.read()
    next(steps)

    bus.write(0x39, b"\xac\xe8\x03\x2c\x01")

    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value.illuminance == pytest.approx(18.909, abs=0.0005)


@pytest.mark.parametrize(
    ("register", "value", "name"),
    [
        (0xB2, 0x50, "TSL2591: use driver: tsl2591$"),
        (0xC0, 0xEE, "VL53L0X, not TSL2561;"),
        (0x92, 0xAB, "APDS9960, not TSL2561;"),
        (0x8A, 0x4A, r"another chip \(0x4a\), not TSL2561;"),
    ],
)
def test_another_chip_is_named_and_left_alone(register: int, value: int, name: str) -> None:
    """A TSL2560 (4) speaks SMBus; the others have their own registers."""
    bus = MemoryBus({0x39: {register: bytes([value])}})

    with pytest.raises(WrongChip, match=f"0x39 answers as {name}"):
        TSL2561(bus).start()
    assert not bus.writes


def test_its_identity_is_known() -> None:
    assert TSL2561.identify(chip(0, 0), 0x39)
    assert TSL2561.identify(chip(0, 0, ident=CS), 0x39)
    assert not TSL2561.identify(chip(0, 0, ident=0x05), 0x39)


def test_the_other_addresses_are_used() -> None:
    assert sample(chip(1000, 300, address=0x29), 0x29) == pytest.approx(18.909, abs=0.0005)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x39"):
        TSL2561(MemoryBus({})).start()


def test_channels_carry_unit_and_range() -> None:
    illuminance = channels(Reading)["illuminance"]

    assert (illuminance.unit, illuminance.step) == ("lx", 0.01)
    assert (illuminance.low, illuminance.high) == (0, 75_000)
