"""MPU-6050: one burst of seven words, four ranges each, and waking up."""

from __future__ import annotations

import math
import struct
from typing import Any

import adafruit_mpu6050 as peer
import pytest
from adafruit_rig import BusIO, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.mpu6050 import MPU6050, Reading, celsius
from pilogger.testing import MemoryBus, ScriptedBus, run

COUNTS = st.lists(st.integers(-0x7FFF, 0x7FFE), min_size=7, max_size=7)


def chip(counts: list[int], who: int = 0x68, power: int = 0x01) -> MemoryBus:
    return MemoryBus(
        {0x68: {0x3B: struct.pack(">7h", *counts), 0x6B: bytes([power]), 0x75: bytes([who])}}
    )


class Resetting(MemoryBus):
    """The bit that resets clears itself."""

    def write(self, address: int, data: bytes) -> None:
        super().write(address, data)
        if data[0] == 0x6B:
            self.memory[address][0x6B] &= 0x7F


def test_every_word_has_its_place() -> None:
    """§4.17 to §4.19: X, Y, Z, temperature, X, Y, Z; each sign and scale shows."""
    bus = ScriptedBus(
        ("write_read", 0x68, b"\x6b", b"\x01"),
        ("write_read", 0x68, b"\x3b", struct.pack(">7h", 16384, -8192, 4096, -521, 131, -262, 655)),
    )

    reading = MPU6050(bus).read()

    assert reading == pytest.approx((9.80665, -4.903325, 2.4516625, 1, -2, 5, 34.9976), abs=1e-4)
    bus.done()


def test_the_worked_temperature_of_the_datasheet() -> None:
    """-521 is 35 Cel, within the rounding of its constants (§4.18)."""
    assert celsius(-521) == pytest.approx(35, abs=0.005)


@given(COUNTS, st.integers(0, 3), st.integers(0, 3))
def test_an_independent_driver_reads_the_same(counts: list[int], g: int, turn: int) -> None:
    """Adafruit's, which gives rad/s; but for the last bits of a float."""
    peer.sleep = Time().sleep
    bus = Resetting({0x68: {0: bytes(chip(counts).memory[0x68])}})
    theirs = peer.MPU6050(BusIO(bus))
    theirs.accelerometer_range, theirs.gyro_range = g, turn
    options: Any = {"acceleration": (2, 4, 8, 16)[g], "rotation": (250, 500, 1000, 2000)[turn]}

    ours = MPU6050(bus, **options).read()

    assert ours[:3] == pytest.approx(theirs.acceleration)
    assert ours[3:6] == pytest.approx([math.degrees(rate) for rate in theirs.gyro])
    assert ours.temperature == pytest.approx(theirs.temperature)


@pytest.mark.parametrize(
    ("g", "turn", "rotation_range", "acceleration_range"),
    [(2, 250, 0x00, 0x00), (4, 2000, 0x18, 0x08), (8, 1000, 0x10, 0x10), (16, 500, 0x08, 0x18)],
)
def test_start_resets_wakes_and_sets_up(
    g: Any, turn: Any, rotation_range: int, acceleration_range: int
) -> None:
    bus = chip([0] * 7)

    _, waits = run(MPU6050(bus, acceleration=g, rotation=turn).start())

    assert waits == [0.1, 0.1]
    assert [data for _, data in bus.writes] == [
        b"\x6b\x80",
        b"\x6b\x01",
        b"\x1a\x04",
        bytes([0x1B, rotation_range]),
        bytes([0x1C, acceleration_range]),
    ]


@pytest.mark.parametrize("power", [0x40, 0x41, 0x00, 0xFF])
def test_a_chip_that_sleeps_gives_no_reading(power: int) -> None:
    """A dip of the supply leaves 0x40; the values stand still then."""
    with pytest.raises(BadReading, match="MPU-6050 at 0x68 fell asleep"):
        MPU6050(chip([1] * 7, power=power)).read()


@pytest.mark.parametrize("place", [0, 1, 2, 4, 5, 6])
@pytest.mark.parametrize("end", [-0x8000, 0x7FFF])
def test_what_is_beyond_the_range_is_no_reading(place: int, end: int) -> None:
    counts = [1] * 7
    counts[place] = end

    with pytest.raises(BadReading, match="beyond the range of 2 g and 250 deg/s"):
        MPU6050(chip(counts)).read()


@pytest.mark.parametrize(
    ("who", "name"), [(0x70, "MPU-6500"), (0x98, "ICM-20689"), (0x00, "another chip")]
)
def test_look_alikes_are_named_and_left_alone(who: int, name: str) -> None:
    """Their temperature has another formula."""
    bus = chip([1] * 7, who)

    with pytest.raises(WrongChip, match=f"0x68 answers as {name}"):
        run(MPU6050(bus).start())
    assert bus.writes == []
    assert not MPU6050.identify(bus, 0x68)


def test_its_identity_is_known() -> None:
    assert MPU6050.identify(chip([0] * 7), 0x68)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x69"):
        run(MPU6050(MemoryBus({}), address=0x69).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert [c.unit for c in found.values()] == ["m/s2"] * 3 + ["deg/s"] * 3 + ["Cel"]
    assert found["z"].high == pytest.approx(16 * 9.80665, abs=0.2)
