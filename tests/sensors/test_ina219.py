"""INA219: one conversion at a time, from its shunt voltage and without its calibration."""

from __future__ import annotations

import adafruit_ina219 as peer
import pytest
from adafruit_rig import BusIO, CommandBus
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.ina219 import INA219, Reading
from pilogger.testing import MemoryBus, ScriptedBus, run


def chip(shunt: int, bus: int, **more: int) -> CommandBus:
    words = {0x00: 0x399F, 0x01: shunt & 0xFFFF, 0x02: bus, 0x05: 0, 0xFE: 0, 0xFF: 0}
    words |= {int(register, 16): word for register, word in more.items()}
    return CommandBus(0x40, {bytes([at]): it.to_bytes(2, "big") for at, it in words.items()})


def test_worked_example_of_the_datasheet() -> None:
    """2 mOhm, 20 mV at the shunt, 11.98 V on the bus: 10 A and 119.8 W (SBOS448F, table 8)."""
    bus = ScriptedBus(
        ("write", 0x40, b"\x00\x3e\x63"),  # 32 V, 320 mV, sixteen of both, once
        ("write_read", 0x40, b"\x02", b"\x5d\x98"),  # not ready yet
        ("write_read", 0x40, b"\x02", b"\x5d\x9a"),
        ("write_read", 0x40, b"\x01", b"\x07\xd0"),
    )

    reading, waits = run(INA219(bus, shunt=0.002).read())

    assert reading == pytest.approx((11.98, 10, 119.8))
    assert waits == [pytest.approx(0.01875, abs=1e-4), 0.003]
    bus.done()


@given(st.integers(-31_999, 31_999), st.integers(0, 0x1FFF))
def test_an_independent_driver_reads_the_same(shunt: int, bus: int) -> None:
    """Adafruit's, with the same constants; but for the last bit of a float."""
    both = chip(shunt, bus << 3 | 0b010)
    theirs = peer.INA219(BusIO(both))

    ours, _ = run(INA219(both).read())

    assert ours.voltage == pytest.approx(theirs.bus_voltage)
    assert ours.current == pytest.approx(theirs.shunt_voltage / 0.1)
    assert ours.power == pytest.approx(ours.voltage * ours.current)


@pytest.mark.parametrize("bus", [0x0000, 0xFFFF, 0x5D98, 0x5D9B, 0x5D9E])
def test_a_conversion_that_does_not_end_gives_no_reading(bus: int) -> None:
    """Nor does a line that is stuck: bit 2 is never set."""
    with pytest.raises(BadReading, match="INA219 at 0x40 does not finish measuring"):
        run(INA219(chip(2000, bus)).read())


@pytest.mark.parametrize("shunt", [32_000, -32_000, 0x7FFF, -0x8000])
def test_a_current_beyond_the_range_is_no_reading(shunt: int) -> None:
    with pytest.raises(BadReading, match=r"beyond 3\.2 A"):
        run(INA219(chip(shunt, 0x5D9A)).read())


def test_start_resets_and_recognises() -> None:
    """It has no identity but the settings that a reset leaves (p. 25)."""
    bus = ScriptedBus(
        ("write_read", 0x40, b"\xfe", b"\x39\x9f"),
        ("write", 0x40, b"\x00\x80\x00"),
        ("write_read", 0x40, b"\x00", b"\x39\x9f"),
    )

    _, waits = run(INA219(bus).start())

    assert waits == [0.001]
    bus.done()


def test_a_chip_that_refuses_the_question_may_be_an_ina219() -> None:
    bus = chip(0, 0)
    del bus.answers[b"\xfe"]

    run(INA219(bus).start())

    assert b"\x00\x80\x00" in bus.writes


@pytest.mark.parametrize(("die", "name"), [(0x2260, "ina226"), (0x2271, "ina260")])
def test_its_successors_are_named_with_their_drivers_and_left_alone(die: int, name: str) -> None:
    bus = chip(0, 0, fe=0x5449, ff=die)

    with pytest.raises(WrongChip, match=f"answers as {name.upper()}: use driver: {name}"):
        run(INA219(bus).start())
    assert bus.writes == [b"\xfe", b"\xff"]


@pytest.mark.parametrize("found", [0x4127, 0x0000, 0xFFFF])
def test_what_comes_back_otherwise_is_no_ina219(found: int) -> None:
    with pytest.raises(WrongChip, match=f"0x40 answers as {found:#06x}, not INA219"):
        run(INA219(chip(0, 0, **{"0": found})).start())


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x4f"):
        run(INA219(MemoryBus({}), address=0x4F).start())


def test_a_shunt_has_some_resistance() -> None:
    with pytest.raises(ValueError, match="more than 0 ohms"):
        INA219(MemoryBus({}), shunt=0)


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert [channel.unit for channel in found.values()] == ["V", "A", "W"]
    assert (found["voltage"].low, found["voltage"].high) == (0, 32)
    assert found["voltage"].step == 0.001
