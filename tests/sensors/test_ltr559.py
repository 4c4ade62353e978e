"""LTR-559: its gains, its flags, and its formula against the library of Pimoroni."""

from __future__ import annotations

import ltr559 as peer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.ltr559 import LTR559, Reading, lux
from pilogger.testing import MemoryBus, ScriptedBus, run

Step = tuple[str, int, bytes] | tuple[str, int, bytes, bytes]

COUNTS = st.integers(0, 0xFFFE)


def chip(visible: int, infrared: int, near: int = 0, status: int = 0x24) -> MemoryBus:
    """A chip that has measured with a gain of 4; channel 1 comes first."""
    data = b"".join(word.to_bytes(2, "little") for word in (infrared, visible))
    after = bytes([status]) + near.to_bytes(2, "little")
    return MemoryBus({0x23: {0x81: b"\x23", 0x86: b"\x92\x05", 0x88: data + after}})


def sample(bus: MemoryBus) -> Reading:
    return run(LTR559(bus).read())[0]


def measuring(control: int, status: int, data: str) -> list[Step]:
    return [
        ("write", 0x23, bytes([0x80, control])),
        ("write_read", 0x23, b"\x8c", bytes([status])),
        ("write_read", 0x23, b"\x81", b"\x23"),
        ("write_read", 0x23, b"\x88", bytes.fromhex(data)),
    ]


NEAR: Step = ("write_read", 0x23, b"\x8d", b"\x01\x02")


@pytest.mark.parametrize(
    ("visible", "infrared", "expected"),
    [
        (1000, 0, 1774.3),
        (5501, 4499, 1.7743 * 5501 + 1.1059 * 4499),
        (5500, 4500, 4.2785 * 5500 - 1.9548 * 4500),
        (3601, 6399, 4.2785 * 3601 - 1.9548 * 6399),
        (3600, 6400, 0.5926 * 3600 + 0.1185 * 6400),
        (1501, 8499, 0.5926 * 1501 + 0.1185 * 8499),
        (1500, 8500, 0),
        (0, 7, 0),
        (0, 0, 0),
    ],
)
def test_the_formula_in_each_of_its_bands(visible: int, infrared: int, expected: float) -> None:
    """Both sides of each bound: 0.45, 0.64 and 0.85 of all counts are infrared."""
    assert lux(visible, infrared, 1) == pytest.approx(expected)


class SMBus:
    """The bus as Pimoroni's library wants it, of a chip whose reset takes no time."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus

    def read_i2c_block_data(self, address: int, register: int, length: int) -> list[int]:
        return list(self.bus.write_read(address, bytes([register]), length))

    def write_i2c_block_data(self, address: int, register: int, values: list[int]) -> None:
        if register == 0x80:
            values = [values[0] & ~0b10]
        self.bus.write(address, bytes([register, *values]))


@given(COUNTS, COUNTS, st.integers(0, 2047))
def test_an_independent_driver_reads_the_same(visible: int, infrared: int, near: int) -> None:
    """Pimoroni's at the same gain; its coefficients are ours times 10000, so they round alike."""
    bus = chip(visible, infrared, near, status=0x25)
    theirs = peer.LTR559(i2c_dev=SMBus(bus))
    theirs.set_light_integration_time_ms(100)
    theirs.update_sensor()

    assert lux(visible, infrared, 4) == pytest.approx(theirs.get_lux(passive=True), abs=1e-6)
    assert near == theirs.get_proximity(passive=True)
    assert theirs.get_raw_als() == (visible, infrared)


def test_a_room_is_measured_once() -> None:
    """0x03e8 visible, 0x0064 infrared, gain 4; 0x0201 back from things nearby."""
    bus = ScriptedBus(*measuring(0x09, 0x24, "6400 e803"), NEAR)

    reading, waits = run(LTR559(bus).read())

    assert reading.illuminance == pytest.approx((1774.3 + 110.59) / 4)
    assert reading.proximity == 0x201
    assert waits == [0.25]
    bus.done()


@pytest.mark.parametrize("full", ["6400 ffff", "ffff 6400"])
def test_bright_light_is_measured_again_without_gain(full: str) -> None:
    bus = ScriptedBus(*measuring(0x09, 0x24, full), *measuring(0x01, 0x04, "6400 e803"), NEAR)

    reading, waits = run(LTR559(bus).read())

    assert reading.illuminance == pytest.approx(1774.3 + 110.59)
    assert waits == [0.25, 0.25]
    bus.done()


def test_dim_light_is_measured_again_with_the_highest_gain() -> None:
    bus = ScriptedBus(
        *measuring(0x09, 0x24, "0a00 6300"), *measuring(0x1D, 0x74, "6400 e803"), NEAR
    )

    reading, _ = run(LTR559(bus).read())

    assert reading.illuminance == pytest.approx((1774.3 + 110.59) / 96)
    bus.done()


def test_a_hundred_counts_are_enough() -> None:
    assert sample(chip(100, 0)).illuminance == pytest.approx(44.36, abs=0.005)


def test_full_counts_without_gain_are_no_reading() -> None:
    bus = ScriptedBus(*measuring(0x09, 0x24, "ffff ffff"), *measuring(0x01, 0x04, "6400 ffff"))

    with pytest.raises(BadReading, match="saturated"):
        run(LTR559(bus).read())


@pytest.mark.parametrize("status", [0x20, 0x21, 0xA4, 0x04, 0x34, 0x64])
def test_old_invalid_and_otherwise_amplified_counts_are_not_taken(status: int) -> None:
    """ALS_PS_STATUS: bit 2 new, bit 7 invalid, bits 6:4 the gain that was measured with."""
    with pytest.raises(BadReading, match="does not measure"):
        sample(chip(1000, 100, status=status))


def test_a_poll_waits_until_the_counts_are_new() -> None:
    bus = chip(1000, 100, status=0x20)
    steps = LTR559(bus).read()

    assert [next(steps) for _ in range(5)] == [0.25, 0.1, 0.1, 0.1, 0.1]

    bus.write(0x23, b"\x8c\x24")
    assert run(steps)[0].illuminance == pytest.approx(471.2, abs=0.1)


def test_it_does_not_wait_for_ever() -> None:
    steps = LTR559(chip(1000, 100, status=0x20)).read()
    assert sum(next(steps) for _ in range(6)) == pytest.approx(0.75)

    with pytest.raises(BadReading, match="does not measure"):
        next(steps)


@pytest.mark.parametrize("status", [0x25, 0x26, 0x2C])
def test_the_flags_of_nearness_and_interrupts_do_not_matter(status: int) -> None:
    assert sample(chip(1000, 100, status=status)).illuminance == pytest.approx(471.2, abs=0.1)


def test_dazzled_it_still_gives_the_light() -> None:
    """Bit 15 of PS_DATA; what it counts then means nothing (PS saturation flag)."""
    reading = sample(chip(1000, 100, near=0x87FF))

    assert reading.illuminance == pytest.approx(471.2, abs=0.1)
    assert reading.proximity is None


def test_only_eleven_bits_of_nearness_count() -> None:
    assert sample(chip(1000, 100, near=0x7FFF)).proximity == 2047


def test_start_identifies_resets_and_sets_up() -> None:
    bus = ScriptedBus(
        ("write_read", 0x23, b"\x86", b"\x92\x05"),
        ("write", 0x23, b"\x80\x02"),
        ("write", 0x23, b"\x85\x01"),
        ("write", 0x23, b"\x81\x23"),
    )

    _, waits = run(LTR559(bus).start())

    assert waits == [0.1]
    bus.done()


def test_a_chip_that_lost_its_settings_gives_no_number_and_is_set_up_anew() -> None:
    """A dip of the supply switches nearness off: its register would stay as it is for ever."""
    bus = chip(1000, 100)
    bus.write(0x23, b"\x81\x00")
    sensor = LTR559(bus)

    with pytest.raises(BadReading, match="lost its settings"):
        run(sensor.read())

    run(sensor.start())
    assert run(sensor.read())[0].illuminance == pytest.approx(471.2, abs=0.1)


@pytest.mark.parametrize("identity", [b"\x00\x00", b"\x92\x00", b"\x93\x05"])
def test_another_chip_is_left_alone(identity: bytes) -> None:
    """The BH1750 has the same address, and no identity."""
    bus = MemoryBus({0x23: {0x86: identity}})

    with pytest.raises(WrongChip, match=r"0x23 does not answer as LTR559.*use driver: bh1750$"):
        run(LTR559(bus).start())
    assert not bus.writes
    assert not LTR559.identify(bus, 0x23)


def test_its_identity_is_known() -> None:
    assert LTR559.identify(chip(0, 0), 0x23)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x23"):
        run(LTR559(MemoryBus({})).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "illuminance": ("lx", 0, 64_000, 0.01),
        "proximity": ("1", 0, 2047, 1),
    }
