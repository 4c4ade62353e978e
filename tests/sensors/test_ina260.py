"""INA260: as INA226, but for its constants and its identity."""

from __future__ import annotations

import adafruit_ina260 as peer
import pytest
from adafruit_rig import BusIO, CommandBus
from hypothesis import given
from hypothesis import strategies as st

from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.ina260 import INA260
from pilogger.testing import MemoryBus, ScriptedBus, run


def chip(current: int, bus: int, die: int = 0x2270) -> CommandBus:
    power = round(abs(current) * bus * 0.00125**2 / 0.01) & 0xFFFF
    words = {0x00: 0x6523, 0x01: current & 0xFFFF, 0x02: bus, 0x03: power, 0x06: 8}
    words |= {0xFE: 0x5449, 0xFF: die}
    return CommandBus(0x40, {bytes([at]): it.to_bytes(2, "big") for at, it in words.items()})


def test_one_poll_end_to_end() -> None:
    bus = ScriptedBus(
        ("write", 0x40, b"\x00\x65\x23"),  # sixteen, 1.1 ms each, both once
        ("write_read", 0x40, b"\x06", b"\x00\x08"),
        ("write_read", 0x40, b"\x02", b"\x25\x70"),
        ("write_read", 0x40, b"\x01", b"\xff\x38"),
    )

    reading, waits = run(INA260(bus).read())

    assert reading == pytest.approx((11.98, -0.25, -2.995))
    assert waits == [pytest.approx(0.03872)]
    bus.done()


@given(st.integers(-12_000, 12_000), st.integers(0, 28_800))
def test_an_independent_driver_reads_the_same(current: int, bus: int) -> None:
    """Adafruit's, which gives mA and mW; the chip's power is in steps of 10 mW, without sign."""
    both = chip(current, bus)
    theirs = peer.INA260(BusIO(both))

    ours, _ = run(INA260(both).read())

    assert ours.voltage == pytest.approx(theirs.voltage)
    assert ours.current == pytest.approx(theirs.current / 1000)
    assert abs(ours.power) == pytest.approx(theirs.power / 1000, abs=0.005001)


@pytest.mark.parametrize("current", [0x7FFF, -0x8000])
def test_a_current_beyond_the_range_is_no_reading(current: int) -> None:
    with pytest.raises(BadReading, match=r"beyond 40\.96 A"):
        run(INA260(chip(current, 9584)).read())


def test_an_ina226_is_named_with_its_driver() -> None:
    with pytest.raises(WrongChip, match="0x40 answers as INA226: use driver: ina226"):
        INA260(chip(0, 0, die=0x2260)).start()


def test_its_identity_is_known() -> None:
    INA260(chip(0, 0)).start()

    assert INA260.identify(chip(0, 0, die=0x2271), 0x40)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x45"):
        INA260(MemoryBus({}), address=0x45).start()
