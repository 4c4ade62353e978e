"""TSL2591: its three settings, and its formula against the library of Adafruit."""

from __future__ import annotations

import adafruit_tsl2591 as peer
import pytest
from adafruit_rig import BusIO
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.tsl2591 import NIGHT, ROOM, SUN, TSL2591, Range, Reading, lux
from pilogger.testing import MemoryBus, ScriptedBus, run

Step = tuple[str, int, bytes] | tuple[str, int, bytes, bytes]


def chip(all_light: int, infrared: int, ident: int = 0x50) -> MemoryBus:
    counts = all_light.to_bytes(2, "little") + infrared.to_bytes(2, "little")
    return MemoryBus({0x29: {0xB2: bytes([ident, 0x01]), 0xB4: counts}})


def measuring(control: int, counts: str) -> list[Step]:
    return [
        ("write", 0x29, bytes([0xA1, control])),
        ("write", 0x29, b"\xa0\x03"),
        ("write_read", 0x29, b"\xb3", b"\x31"),
        ("write_read", 0x29, b"\xb4", bytes.fromhex(counts)),
        ("write", 0x29, b"\xa0\x00"),
    ]


def test_a_room_is_measured_once() -> None:
    """Gain 25, 100 ms: 6.127 counts per lux; 0x1388 = 5000 and 0x03e8 = 1000 counts."""
    bus = ScriptedBus(*measuring(0x10, "8813 e803"))

    reading, waits = run(TSL2591(bus).read())

    assert reading.illuminance == pytest.approx(4000 * 0.8 * 408 / 2500)
    assert waits == [0.12]
    bus.done()


@pytest.mark.parametrize("full", ["ff8f 0000", "ff8f ff8f", "ffff 0010", "0010 ff8f"])
def test_bright_light_is_measured_again_without_gain(full: str) -> None:
    """36863 counts are all that 100 ms can give."""
    bus = ScriptedBus(*measuring(0x10, full), *measuring(0x00, "8813 e803"))

    reading, waits = run(TSL2591(bus).read())

    assert reading.illuminance == pytest.approx(4000 * 0.8 * 408 / 100)
    assert waits == [0.12, 0.12]
    bus.done()


def test_dim_light_is_measured_again_for_longer() -> None:
    bus = ScriptedBus(*measuring(0x10, "6300 1000"), *measuring(0x15, "5402 1c00"))

    reading, waits = run(TSL2591(bus).read())

    assert reading.illuminance == pytest.approx(568**2 / 596 * 408 / 600 / 25)
    assert waits == [0.12, pytest.approx(0.72)]
    bus.done()


def test_a_hundred_counts_are_enough() -> None:
    assert run(TSL2591(chip(100, 0)).read())[1] == [0.12]


@pytest.mark.parametrize(("all_light", "infrared"), [(0, 0), (1, 1), (0, 2), (2, 5)])
def test_darkness_is_a_reading_and_never_less_than_nothing(all_light: int, infrared: int) -> None:
    """Noise may give more infrared than light: two negative factors are no light either."""
    assert run(TSL2591(chip(all_light, infrared)).read())[0].illuminance == 0


@pytest.mark.parametrize("setting", [SUN, ROOM, NIGHT])
@given(st.integers(100, 36_862), st.floats(0, 0.4))
def test_an_independent_driver_computes_much_the_same(
    setting: Range, light: int, part: float
) -> None:
    """Adafruit's for CircuitPython has another formula: within 6 % for light that people make.

    Both are approximations. With more than 0.4 of infrared, as of a fire, they part.
    """
    red = int(light * part)
    theirs = peer.TSL2591(BusIO(chip(light, red)))
    theirs.gain = setting.control & 0x30
    theirs.integration_time = setting.control & 0x07

    assert theirs.raw_luminosity == (light, red)
    assert lux(light, red, setting) == pytest.approx(theirs.lux, rel=0.06)


@pytest.mark.parametrize("counts", [(0x8FFF, 0), (0, 0x8FFF), (0xFFFF, 0xFFFF)])
def test_a_full_count_is_no_reading(counts: tuple[int, int]) -> None:
    with pytest.raises(BadReading, match="saturated"):
        run(TSL2591(chip(*counts)).read())


def test_a_light_that_is_switched_on_meanwhile() -> None:
    """600 ms count to 65535; the same number is a reading just below."""
    dim = measuring(0x10, "6300 1000")

    bright = run(TSL2591(ScriptedBus(*dim, *measuring(0x15, "feff 0000"))).read())[0]

    assert bright.illuminance == pytest.approx(65_534 * 408 / 600 / 25)
    with pytest.raises(BadReading, match="saturated"):
        run(TSL2591(ScriptedBus(*dim, *measuring(0x15, "ffff 0000"))).read())


def test_the_brightest_light_is_a_reading() -> None:
    bus = ScriptedBus(*measuring(0x10, "ff8f 0000"), *measuring(0x00, "fe8f 0000"))

    reading, _ = run(TSL2591(bus).read())

    high = channels(Reading)["illuminance"].high
    assert reading.illuminance == pytest.approx(high, rel=1e-4)
    assert reading.illuminance < high


def test_a_chip_that_lost_its_settings_gives_no_number_and_the_next_poll_sets_it_up() -> None:
    """After a dip of the supply no integration has ended: the counts are left from before."""
    bus = chip(5000, 1000)
    bus.write(0x29, b"\xb3\x30")
    sensor = TSL2591(bus)

    with pytest.raises(BadReading, match="did not measure"):
        run(sensor.read())

    bus.write(0x29, b"\xb3\x01")
    assert run(sensor.read())[0].illuminance == pytest.approx(522.24, abs=0.01)


def test_the_counts_are_fetched_after_the_wait() -> None:
    bus = chip(5000, 1000)
    steps = TSL2591(bus).read()
    next(steps)

    bus.write(0x29, b"\xb4\x10\x27\x00\x00")

    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value.illuminance == pytest.approx(10_000 * 408 / 2500)


def test_its_identity_is_known() -> None:
    TSL2591(chip(0, 0)).start()

    assert TSL2591.identify(chip(0, 0), 0x29)
    assert not TSL2591.identify(chip(0, 0, ident=0x51), 0x29)


@pytest.mark.parametrize(
    ("register", "value", "name"),
    [
        (0x8A, 0x53, "TSL2561: use driver: tsl2561$"),
        (0xC0, 0xEE, "VL53L0X, not TSL2591;"),
        (0x00, 0x00, r"another chip \(0xa5\), not TSL2591;"),
    ],
)
def test_another_chip_is_named_and_left_alone(register: int, value: int, name: str) -> None:
    bus = MemoryBus({0x29: {0xB2: b"\xa5", register: bytes([value])}})

    with pytest.raises(WrongChip, match=f"0x29 answers as {name}"):
        TSL2591(bus).start()
    assert not bus.writes


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x29"):
        TSL2591(MemoryBus({})).start()


def test_channels_carry_unit_and_range() -> None:
    illuminance = channels(Reading)["illuminance"]

    assert (illuminance.unit, illuminance.low, illuminance.step) == ("lx", 0, 0.01)
    assert illuminance.high == pytest.approx(150_401, abs=1)
