"""PCF8591: the first byte that it sends is old."""

from __future__ import annotations

import pytest
from adafruit_pcf8591 import pcf8591 as peer
from adafruit_rig import BusIO
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import NoAnswer
from pilogger.sensors.pcf8591 import PCF8591, Reading
from pilogger.testing import MemoryBus, ScriptedBus


class Chip:
    """Sends the conversion before, and then one of the input that was chosen."""

    def __init__(self, codes: list[int]) -> None:
        self.codes = codes
        self.before = 0x80  # what a reset leaves, §8.4

    def write(self, address: int, data: bytes) -> None:
        assert address == 0x48
        self.chosen = data[0] & 3

    def read(self, address: int, length: int) -> bytes:
        assert address == 0x48
        answer = bytes([self.before]) + bytes([self.codes[self.chosen]] * (length - 1))
        self.before = self.codes[self.chosen]
        return answer

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        self.write(address, data)
        return self.read(address, length)


def test_one_poll_end_to_end() -> None:
    """0x80 at a reference of 3.3 V is 1.65 V; the first byte of each answer is thrown away."""
    bus = ScriptedBus(
        ("write_read", 0x48, b"\x00", b"\x80\x00"),
        ("write_read", 0x48, b"\x01", b"\x00\x80"),
        ("write_read", 0x48, b"\x02", b"\x80\xff"),
        ("write_read", 0x48, b"\x03", b"\xff\x01"),
    )

    assert PCF8591(bus).read() == pytest.approx((0, 1.65, 3.287109375, 0.012890625))
    bus.done()


@given(
    st.lists(st.integers(0, 255), min_size=4, max_size=4),
    st.floats(2.5, 6, allow_nan=False),
)
def test_an_independent_driver_reads_the_same(codes: list[int], reference: float) -> None:
    """Adafruit's, which gives the bare code."""
    theirs = peer.PCF8591(BusIO(Chip(codes)))

    ours = PCF8591(Chip(codes), reference=reference).read()

    assert ours == pytest.approx([theirs.read(n) / 256 * reference for n in (0, 1, 2, 3)])


@pytest.mark.parametrize("reference", [0, 2.4, 6.1])
def test_a_reference_that_it_cannot_have_is_refused(reference: float) -> None:
    with pytest.raises(ValueError, match=r"2\.5 to 6 V"):
        PCF8591(MemoryBus({}), reference=reference)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x4f"):
        PCF8591(MemoryBus({}), address=0x4F).read()


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert list(found) == ["a0", "a1", "a2", "a3"]
    assert {(channel.unit, channel.low, channel.high) for channel in found.values()} == {
        ("V", 0, 6)
    }
