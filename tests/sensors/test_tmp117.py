"""TMP117: one-shot conversions, and the value that means none."""

from __future__ import annotations

import adafruit_tmp117 as peer
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.tmp117 import TMP117, Reading, celsius
from pilogger.testing import MemoryBus, ScriptedBus, run

READY = 0x2420  # shut down again, eight conversions, data ready


def chip(word: int, config: int = READY, device_id: int = 0x0117) -> CommandBus:
    words = {0x00: word, 0x01: config, 0x0F: device_id}
    return CommandBus(0x48, {bytes([at]): it.to_bytes(2, "big") for at, it in words.items()})


def test_one_poll_end_to_end() -> None:
    """The configuration is asked for whether the conversion is done."""
    bus = ScriptedBus(
        ("write", 0x48, b"\x01\x0c\x20"),
        ("write_read", 0x48, b"\x01", b"\x04\x20"),
        ("write_read", 0x48, b"\x01", b"\x24\x20"),
        ("write_read", 0x48, b"\x00", b"\xf3\x80"),
    )

    reading, waits = run(TMP117(bus).read())

    assert reading.temperature == -25
    assert waits == [pytest.approx(0.14), 0.0175]
    bus.done()


@pytest.mark.parametrize(
    ("word", "cel"),
    [
        (0x8000, -256),
        (0xF380, -25),
        (0xFFF0, -0.125),
        (0xFFFF, -0.0078125),
        (0x0000, 0),
        (0x0001, 0.0078125),
        (0x0080, 1),
        (0x0C80, 25),
        (0x3200, 100),
        (0x7FFF, 255.9921875),
    ],
)
def test_the_table_of_the_datasheet(word: int, cel: float) -> None:
    """§7.3.3, table 7-1."""

    assert celsius(word) == cel


@given(st.integers(0, 0xFFFF).filter(lambda word: word != 0x8000))
def test_an_independent_driver_reads_the_same(word: int) -> None:
    """Adafruit's driver on the same chip; both are exact."""
    peer.time = Time()
    bus = chip(word)
    theirs = peer.TMP117(BusIO(bus)).temperature

    ours, _ = run(TMP117(bus).read())

    assert ours.temperature == theirs


def test_start_identifies_and_resets() -> None:
    """What another program set is forgotten; what is burnt into its EEPROM comes back."""
    bus = ScriptedBus(
        ("write_read", 0x48, b"\x0f", b"\x01\x17"),
        ("write", 0x48, b"\x01\x00\x02"),
    )

    _, waits = run(TMP117(bus).start())

    assert waits == [0.002]
    bus.done()


@pytest.mark.parametrize("word", [0x0000, 0xFFFF])
def test_zero_and_all_ones_are_readings_of_a_chip_that_is_done(word: int) -> None:
    assert run(TMP117(chip(word)).read())[0] == Reading(word and -0.0078125)


def test_what_a_reset_leaves_is_no_reading() -> None:
    """-256 Cel, until the first conversion after it (§7.6)."""
    with pytest.raises(BadReading, match="TMP117 at 0x48 did not measure"):
        run(TMP117(chip(0x8000)).read())


@pytest.mark.parametrize("config", [0xDFFC, 0x0000, 0xFFFF, 0x2001, 0x2002])
def test_a_conversion_that_does_not_end_gives_no_reading(config: int) -> None:
    """Nor does a line that is stuck: the last two bits are never set."""
    waits: list[float] = []

    with pytest.raises(BadReading, match="TMP117 at 0x48 does not finish measuring"):
        waits.extend(TMP117(chip(0x0C80, config=config)).read())
    assert waits[1:] == [0.0175] * 4


@pytest.mark.parametrize("stuck", [0x0000, 0xFFFF])
def test_a_line_that_is_stuck_starts_nothing(stuck: int) -> None:
    with pytest.raises(WrongChip):
        run(TMP117(chip(stuck, stuck, stuck)).start())


def test_another_identity_is_refused_and_left_alone() -> None:
    """A TMP116 has the register, an LM75 answers it with something."""
    bus = chip(0x0C80, device_id=0x1116)

    with pytest.raises(WrongChip, match="0x48 answers as 0x1116, not TMP117"):
        run(TMP117(bus).start())
    assert bus.writes == [b"\x0f"]
    assert not TMP117.identify(bus, 0x48)


def test_a_tmp119_and_other_revisions_are_known() -> None:
    assert TMP117.identify(chip(0, device_id=0x2117), 0x48)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x4b"):
        run(TMP117(MemoryBus({}), address=0x4B).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)["temperature"]

    assert (found.unit, found.low, found.high, found.step) == ("Cel", -55, 150, 0.001)
