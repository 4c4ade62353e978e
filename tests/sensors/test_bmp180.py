"""BMP180: Bosch's worked example, a recorded chip, and an independent driver."""

from __future__ import annotations

import struct

import bmp180.bmp180 as peer
import pytest
from adafruit_rig import Time
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.bmp180 import (
    BMP180,
    PRESSURE,
    TEMPERATURE,
    Reading,
    Trim,
    fine_temperature,
    pressure,
)
from pilogger.testing import MemoryBus, ScriptedBus, run

EXAMPLE = Trim(408, -72, -14383, 32741, 32757, 23153, 6190, 4, -32768, -8711, 2868)  # §3.5
WORDS = struct.pack(">hhhHHHhhhhh", *EXAMPLE)
RECORDED = bytes.fromhex("2388fb67c7a9875b628950161973002e8000d1f60a7b")


def polled(
    raw_t: bytes, raw_p: bytes, words: bytes = WORDS, control: bytes | None = None
) -> ScriptedBus:
    """Everything that a start and a poll do, in order; `control` is asked for if it must be."""
    asked = [("write_read", 0x77, b"\xf4", control)] if control is not None else []
    return ScriptedBus(
        ("write_read", 0x77, b"\xd0", b"\x55"),
        ("write_read", 0x77, b"\xaa", words),
        ("write", 0x77, b"\xf4\x2e"),
        ("write_read", 0x77, b"\xf6", raw_t),
        *(asked if raw_t == b"\x80\x00" else []),
        ("write", 0x77, b"\xf4\xf4"),
        ("write_read", 0x77, b"\xf6", raw_p),
        *(asked if raw_p == b"\x80\x00\x00" else []),
    )


def sample(bus: ScriptedBus | MemoryBus) -> tuple[Reading, list[float]]:
    sensor = BMP180(bus)
    sensor.start()
    return run(sensor.read())


def test_worked_example_of_the_datasheet() -> None:
    """§3.5: 15.0 Cel, 69964 Pa by formulas that round at each step; we round nowhere."""
    bus = polled((27898).to_bytes(2, "big"), (23843 << 8).to_bytes(3, "big"))

    reading, waits = sample(bus)

    assert reading.temperature == pytest.approx(15.0, abs=0.005)
    assert reading.pressure == pytest.approx(69_964, abs=1)
    assert waits == [0.0045, 0.0255]
    bus.done()


def test_a_recorded_chip() -> None:
    """periph.io/x/devices, bmxx80/bmp180_test.go: 25.3 Cel, 100568 Pa, rounded at each step."""
    reading, _ = sample(polled(b"\x71\xbf", b"\xab\x96\x00", RECORDED))

    assert reading.temperature == pytest.approx(25.3, abs=0.05)
    assert reading.pressure == pytest.approx(100_568, abs=3)


def test_trim_words_follow_table_5() -> None:
    """Every byte is distinct and above 0x7f: a wrong sign or offset must show."""
    words = bytes(range(0x80, 0x96))
    sensor = BMP180(MemoryBus({0x77: {0xD0: b"\x55", 0xAA: words}}))

    sensor.start()

    s16 = [int.from_bytes(words[at : at + 2], "big", signed=True) for at in range(0, 22, 2)]
    assert sensor.trim == (*s16[:3], *(word + 0x10000 for word in s16[3:6]), *s16[6:])


class SMBus:
    """The bus as the package bmp180 wants it, byte by byte, with a chip that measures at once."""

    def __init__(self, words: bytes, raw_t: int, raw_p: int) -> None:
        self.cells = bytearray(0xAA) + words + bytes(0x56)
        self.answers = {0x2E: raw_t.to_bytes(2, "big"), 0x34: raw_p.to_bytes(2, "big") + b"\0"}

    def read_byte_data(self, _: int, register: int) -> int:
        return self.cells[register]

    def write_byte_data(self, _: int, register: int, value: int) -> None:
        assert register == 0xF4
        answer = self.answers[value]
        self.cells[0xF6 : 0xF6 + len(answer)] = answer


@example(23_201, 39_997, [5, -9, -4, 1, 9, 5, 8, 7, -3, -9, -9])
@given(
    st.integers(23_200, 37_700),
    st.integers(12_000, 40_000),
    st.lists(st.integers(-9, 9), min_size=len(EXAMPLE), max_size=len(EXAMPLE)),
)
def test_an_independent_driver_reads_the_same(raw_t: int, raw_p: int, shifts: list[int]) -> None:
    """The package bmp180, which rounds down at 15 steps as the data sheet does.

    What that costs is the most where it is coldest (-38 Cel) and the air is thick (1045 hPa).
    B5 loses up to 4.1, of which 160 are a degree; with half of a tenth that is 0.076 Cel. In
    the pressure those 4.1 are 6.6 Pa; the halves that B3 and B4 add are 2.7, the low byte that
    is not squared 2.3, the other steps after B4 2.1: 13.7 Pa if all meet, 9.3 the other way.
    The example is the worst that a search has found, 13.04.
    """
    words = [max(word + shift, -32768) for word, shift in zip(EXAMPLE, shifts, strict=True)]
    trim = Trim(*(word or 1 for word in words))
    b5 = fine_temperature(raw_t, trim)
    assume(TEMPERATURE.low <= b5 / 160 <= TEMPERATURE.high)
    assume(PRESSURE.low <= pressure(raw_p, b5, trim) <= PRESSURE.high)
    peer.SMBus = lambda _: SMBus(struct.pack(">hhhHHHhhhhh", *trim), raw_t, raw_p)
    peer.time = Time()
    theirs = peer.BMP180()

    assert b5 / 160 == pytest.approx(theirs.read_temperature(), abs=0.076)
    assert pressure(raw_p, b5, trim) == pytest.approx(theirs.read_pressure(), abs=14)


def test_the_reset_value_is_a_reading_if_the_chip_remembers_its_command() -> None:
    """0x8000 is 51.1 Cel with this calibration, and as good as its neighbours."""
    bus = polled(b"\x80\x00", b"\x80\x00\x00", control=b"\x14")

    reading, _ = sample(bus)

    assert reading.temperature == pytest.approx(51.14, abs=0.01)
    bus.done()


@pytest.mark.parametrize("raw_t", [b"\x80\x00", b"\x6c\xfa"])
def test_the_reset_value_after_a_reset_is_no_reading(raw_t: bytes) -> None:
    """A dip of the supply while it measures: the control register is 0 again, too."""
    bus = polled(raw_t, b"\x80\x00\x00", control=b"\x00")

    with pytest.raises(BadReading, match="BMP180 at 0x77 did not measure"):
        sample(bus)


@pytest.mark.parametrize("stuck", [b"\x00", b"\xff"])
def test_a_line_that_is_stuck_leaves_the_range(stuck: bytes) -> None:
    """The core refuses what no BMP180 can give."""
    reading, _ = sample(polled(stuck * 2, stuck * 3))

    assert not TEMPERATURE.low <= reading.temperature <= TEMPERATURE.high


@pytest.mark.parametrize("at", range(0, 22, 2))
@pytest.mark.parametrize("blank", [b"\x00\x00", b"\xff\xff"])
def test_a_blank_word_of_the_calibration_is_refused(at: int, blank: bytes) -> None:
    """§3.4: none of them is 0 or 0xFFFF."""
    words = WORDS[:at] + blank + WORDS[at + 2 :]

    with pytest.raises(BadReading, match="BMP180 at 0x77 has a blank calibration"):
        BMP180(MemoryBus({0x77: {0xD0: b"\x55", 0xAA: words}})).start()


def test_a_bmp280_is_named_with_its_driver_and_left_alone() -> None:
    bus = MemoryBus({0x77: {0xD0: b"\x58"}})

    with pytest.raises(WrongChip, match=r"0x77 answers as BMP280 \(0x58\): use driver: bmp280"):
        BMP180(bus).start()
    assert not bus.writes
    assert not BMP180.identify(bus, 0x77)
    assert BMP180.identify(MemoryBus({0x77: {0xD0: b"\x55"}}), 0x77)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x77"):
        BMP180(MemoryBus({})).start()


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "temperature": ("Cel", -40, 85, 0.01),
        "pressure": ("Pa", 30_000, 110_000, 0.1),
    }
