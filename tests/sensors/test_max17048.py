"""MAX17048 and MAX17043: one register map, two scales."""

from __future__ import annotations

import adafruit_max1704x as peer
import pytest
from adafruit_rig import BusIO, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.max17048 import MAX17048, Reading
from pilogger.testing import MemoryBus, ScriptedBus


def chip(cell: int, charge: int = 0, version: int = 0x0012) -> MemoryBus:
    words = {0x02: cell, 0x04: charge, 0x08: version}
    return MemoryBus({0x36: {at: word.to_bytes(2, "big") for at, word in words.items()}})


class Rebooting(MemoryBus):
    """Takes the command to reset as the chip does: without an acknowledgement."""

    def write(self, address: int, data: bytes) -> None:
        if data == b"\xfe\x54\x00":
            raise NoAnswer("gone")
        super().write(address, data)


def test_one_poll_end_to_end() -> None:
    """Both in one burst: 0xC350 is 3.906 V in steps of 78.125 uV, 0x5780 is 87.5 %."""
    bus = ScriptedBus(("write_read", 0x36, b"\x02", b"\xc3\x50\x57\x80"))

    assert MAX17048(bus).read() == pytest.approx((3.90625, 87.5))
    bus.done()


@pytest.mark.parametrize("version", [2, 3])
def test_a_max17043_has_twelve_bits_and_other_steps(version: int) -> None:
    """0xC350 is 3125 steps of 1.25 mV: the same voltage, and the last four bits mean nothing."""
    for word in (0xC350, 0xC35F):
        gauge = MAX17048(chip(word, version=version))
        gauge.start()
        assert gauge.read().voltage == pytest.approx(3.90625)


@given(st.integers(1, 64_000), st.integers(0, 0x7FFF))
def test_an_independent_driver_reads_the_same(cell: int, charge: int) -> None:
    """Adafruit's, with the same constants; but for the last bit of a float."""
    peer.time = Time()
    bus = Rebooting({0x36: {0: bytes(chip(cell, charge).memory[0x36])}})
    theirs = peer.MAX17048(BusIO(bus))

    ours = MAX17048(bus).read()

    assert ours == pytest.approx((theirs.cell_voltage, theirs.cell_percent))


def test_what_a_reset_leaves_is_no_reading() -> None:
    with pytest.raises(BadReading, match="has not measured"):
        MAX17048(chip(0, 0x5780)).read()


@pytest.mark.parametrize("version", [0x0010, 0x0012, 0x0003])
def test_its_identity_is_known_and_nothing_is_written(version: int) -> None:
    bus = chip(0, version=version)

    MAX17048(bus).start()

    assert MAX17048.identify(bus, 0x36)
    assert bus.writes == []


@pytest.mark.parametrize("version", [0x0000, 0xFFFF, 0x0020, 0x1012])
def test_another_identity_is_refused(version: int) -> None:
    with pytest.raises(WrongChip, match=f"0x36 answers as {version:#06x}, not MAX17048"):
        MAX17048(chip(0xC350, version=version)).start()
    assert not MAX17048.identify(chip(0, version=version), 0x36)


def test_without_a_cell_it_is_silent() -> None:
    with pytest.raises(NoAnswer, match="0x36"):
        MAX17048(MemoryBus({})).start()


def test_channels_carry_units_and_ranges() -> None:
    """A stuck line would give 5.12 V."""
    found = channels(Reading)

    assert (found["voltage"].unit, found["voltage"].high) == ("V", 5)
    assert (found["charge"].unit, found["charge"].low) == ("%", 0)
