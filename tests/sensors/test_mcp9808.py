"""MCP9808: 13 bits beside three of alerts, and a zero that may be true or not."""

from __future__ import annotations

import adafruit_mcp9808 as peer
import pytest
from adafruit_rig import BusIO, CommandBus
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.mcp9808 import MCP9808, Reading, celsius
from pilogger.testing import MemoryBus, ScriptedBus, run


def chip(
    word: int, manufacturer: int = 0x0054, device: int = 0x0400, upper: int = 0x07D0
) -> CommandBus:
    words = {5: word, 6: manufacturer, 7: device, 2: upper}
    return CommandBus(0x18, {bytes([at]): it.to_bytes(2, "big") for at, it in words.items()})


@pytest.mark.parametrize(
    ("word", "cel"),
    [(0xC190, 25), (0x00A0, 10), (0x1F60, -10), (0x2191, 25.0625), (0x1FFF, -0.0625)],
)
def test_one_poll_end_to_end(word: int, cel: float) -> None:
    """The alerts in the upper three bits are no part of the value (§5.1.3)."""
    bus = ScriptedBus(("write_read", 0x18, b"\x05", word.to_bytes(2, "big")))

    reading, waits = run(MCP9808(bus).read())

    assert reading.temperature == cel
    assert waits == []
    bus.done()


@pytest.mark.parametrize(("word", "cel"), [(0x0FFF, 255.9375), (0x1000, -256), (0xE000, 0)])
def test_the_ends_of_the_scale(word: int, cel: float) -> None:
    assert celsius(word) == cel


@given(st.integers(0, 0xFFFE))
def test_an_independent_driver_reads_the_same(word: int) -> None:
    """Adafruit's driver on the same chip; both are exact."""
    bus = chip(word)
    theirs = peer.MCP9808(BusIO(bus)).temperature

    ours, _ = run(MCP9808(bus).read())

    assert ours.temperature == theirs


def test_start_identifies_and_sets_up() -> None:
    """Another program may have shut it down, or asked for less resolution."""
    bus = ScriptedBus(
        ("write_read", 0x18, b"\x06", b"\x00\x54"),
        ("write_read", 0x18, b"\x07", b"\x04\x01"),
        ("write", 0x18, b"\x01\x00\x00"),
        ("write", 0x18, b"\x02\x07\xd0"),
        ("write", 0x18, b"\x08\x03"),
    )

    _, waits = run(MCP9808(bus).start())

    assert waits == [0.25]
    bus.done()


@pytest.mark.parametrize("alerts", [0x0000, 0x8000, 0xE000])
def test_zero_is_a_reading_while_the_limit_is_ours(alerts: int) -> None:
    assert run(MCP9808(chip(alerts)).read())[0] == Reading(0)


@pytest.mark.parametrize("alerts", [0x0000, 0x8000])
def test_zero_after_a_reset_is_no_reading(alerts: int) -> None:
    """As after a dip of the supply: the limit is 0 again, and so is the value until it measured."""
    with pytest.raises(BadReading, match="MCP9808 at 0x18 did not measure"):
        run(MCP9808(chip(alerts, upper=0)).read())


def test_a_value_after_a_reset_is_a_reading() -> None:
    """It measures by itself, with the finest steps."""

    assert run(MCP9808(chip(0xC190, upper=0)).read())[0] == Reading(25)


@pytest.mark.parametrize("stuck", [0x0000, 0xFFFF])
def test_a_line_that_is_stuck_is_no_reading(stuck: int) -> None:
    """All ones would be -0.0625 Cel, above and below the limits at once."""
    with pytest.raises(BadReading, match="MCP9808 at 0x18 did not measure"):
        run(MCP9808(chip(stuck, upper=stuck)).read())


@pytest.mark.parametrize(("manufacturer", "device"), [(0x0055, 0x0400), (0x0054, 0x0500), (0, 0)])
def test_another_identity_is_refused_and_left_alone(manufacturer: int, device: int) -> None:
    """An accelerometer may live at this address."""
    bus = chip(0x0190, manufacturer, device)

    with pytest.raises(
        WrongChip,
        match=f"0x18 answers as maker {manufacturer:#06x}, device {device:#06x}, not MCP9808",
    ):
        run(MCP9808(bus).start())
    assert all(len(written) == 1 for written in bus.writes)
    assert not MCP9808.identify(bus, 0x18)


def test_any_revision_is_known() -> None:
    assert MCP9808.identify(chip(0, device=0x04FF), 0x18)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x1f"):
        run(MCP9808(MemoryBus({}), address=0x1F).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)["temperature"]

    assert (found.unit, found.low, found.high, found.step) == ("Cel", -40, 125, 0.01)
