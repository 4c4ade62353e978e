"""LC709203F: checksums over the addresses, and settings that are only written when lost."""

from __future__ import annotations

import adafruit_lc709203f as peer
import pytest
from adafruit_rig import BusIO, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer
from pilogger.sensors.lc709203f import LC709203F, Reading, crc8
from pilogger.testing import MemoryBus, run

OURS = {0x15: 1, 0x0B: 0x10, 0x12: 1, 0x16: 0}
VALUES = {0x06: 3380, 0x08: 2982, 0x09: 3778, 0x0F: 876, 0x11: 0x2AFF}


class Chip:
    """Words with checksums by an algorithm of its own; `naps` refused transfers at first."""

    def __init__(self, words: dict[int, int], naps: int = 0) -> None:
        self.words = {**VALUES, **words}
        self.naps = naps
        self.damage = b"\0\0\0"
        self.writes: list[tuple[int, int]] = []

    def write(self, address: int, data: bytes) -> None:
        self._awake(address)
        register, low, high, crc = data
        assert crc == remainder(bytes([0x16]) + data[:3])
        self.words[register] = high << 8 | low
        self.writes.append((register, high << 8 | low))

    def read(self, address: int, length: int) -> bytes:
        raise NoAnswer(f"{address:#04x} sends no {length} bytes without a register")

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        self._awake(address)
        word = self.words.get(data[0], 0).to_bytes(2, "little")
        answer = word + bytes([remainder(bytes([0x16, data[0], 0x17]) + word)]) + b"\0"
        return bytes(a ^ b for a, b in zip(answer, self.damage + b"\0", strict=True))[:length]

    def _awake(self, address: int) -> None:
        assert address == 0x0B
        if self.naps:
            self.naps -= 1
            raise NoAnswer("asleep")


def remainder(data: bytes) -> int:
    """A long division by x^8 + x^2 + x + 1."""
    number = int.from_bytes(data, "big") << 8
    for shift in range(number.bit_length() - 9, -1, -1):
        if number >> shift + 8 & 1:
            number ^= 0x107 << shift
    return number


@pytest.mark.parametrize(
    ("data", "crc"),
    [("16 09 17 c2 0e", 0x86), ("16 09 55 aa", 0x3B), ("16 09 17 74 0e", 0xB7)],
)
def test_the_checksums_of_the_datasheet(data: str, crc: int) -> None:
    """3778 mV read, and a word written; and a value of another source."""
    assert crc8(bytes.fromhex(data)) == crc
    assert remainder(bytes.fromhex(data)) == crc


def test_one_poll_end_to_end() -> None:
    assert LC709203F(Chip(OURS)).read() == Reading(3.778, 87.6, None)


def test_a_thermistor_gives_a_temperature() -> None:
    """Without one the chip repeats what it was told, or 25 Cel: no reading."""
    gauge = LC709203F(Chip({**OURS, 0x16: 1}), thermistor=3380)

    assert gauge.read().temperature == pytest.approx(25.05)


@given(st.integers(0, 5000), st.integers(0, 1000), st.integers(2532, 3331))
def test_an_independent_driver_reads_the_same(milli: int, tenths: int, kelvin: int) -> None:
    """Adafruit's, with its 500 mAh; but for the last bit of a float."""
    peer.time = Time()
    chip = Chip({**OURS, 0x08: kelvin, 0x09: milli, 0x0F: tenths, 0x16: 1})
    theirs = peer.LC709203F(BusIO(chip))

    ours = LC709203F(chip, thermistor=3380).read()

    assert ours == pytest.approx(
        (theirs.cell_voltage, theirs.cell_percent, theirs.cell_temperature)
    )


def test_start_wakes_the_chip_and_sets_it_up() -> None:
    """The first transfer only wakes it; its guess comes last."""
    chip = Chip({}, naps=1)

    _, waits = run(LC709203F(chip, capacity=2000, nominal="3.8", thermistor=3435).start())

    assert waits == [0.001, 0.1]
    assert chip.writes == [
        (0x15, 1), (0x0B, 0x2D), (0x12, 0), (0x16, 1), (0x06, 3435), (0x07, 0xAA55)
    ]  # fmt: skip


def test_a_chip_that_is_set_up_keeps_what_it_has_learnt() -> None:
    chip = Chip(OURS)

    _, waits = run(LC709203F(chip).start())

    assert chip.writes == []
    assert waits == [0.001]


@pytest.mark.parametrize("register", OURS)
def test_settings_that_are_lost_give_no_reading(register: int) -> None:
    """As after a change of the cell; the core then starts it anew."""
    with pytest.raises(BadReading, match="forgot its settings"):
        LC709203F(Chip({**OURS, register: 7})).read()


@pytest.mark.parametrize("bit", range(24))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    chip = Chip(OURS)
    chip.damage = (1 << bit).to_bytes(3, "big")

    with pytest.raises(BadReading, match="checksum is wrong"):
        LC709203F(chip).read()
    assert not LC709203F.identify(chip, 0x0B)


def test_its_checksum_is_its_identity_even_from_its_sleep() -> None:
    assert LC709203F.identify(Chip(OURS, naps=1), 0x0B)
    assert not LC709203F.identify(MemoryBus({0x0B: {0x11: b"\xff\xff\xff"}}), 0x0B)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x0b"):
        run(LC709203F(MemoryBus({})).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert [channel.unit for channel in found.values()] == ["V", "%", "Cel"]
    with pytest.raises(ValueError, match="B constant"):
        LC709203F(MemoryBus({}), thermistor=-1)
