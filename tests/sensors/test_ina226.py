"""INA226: its identity, and the worked example of its datasheet."""

from __future__ import annotations

import pytest
from adafruit_rig import CommandBus
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.inapower import Reading
from pilogger.sensors.ina226 import INA226
from pilogger.testing import MemoryBus, ScriptedBus, run


def chip(
    shunt: int, bus: int, ready: int = 0x0008, maker: int = 0x5449, die: int = 0x2260
) -> CommandBus:
    words = {0x00: 0x4127, 0x01: shunt & 0xFFFF, 0x02: bus, 0x06: ready, 0xFE: maker, 0xFF: die}
    return CommandBus(0x40, {bytes([at]): it.to_bytes(2, "big") for at, it in words.items()})


def test_worked_example_of_the_datasheet() -> None:
    """2 mOhm: 0x1F40 and 0x2570 are 10 A and 11.98 V (SBOS547B, table 8-1)."""
    bus = ScriptedBus(
        ("write", 0x40, b"\x00\x45\x23"),  # sixteen, 1.1 ms each, both once
        ("write_read", 0x40, b"\x06", b"\x00\x00"),
        ("write_read", 0x40, b"\x06", b"\x00\x08"),
        ("write_read", 0x40, b"\x02", b"\x25\x70"),
        ("write_read", 0x40, b"\x01", b"\x1f\x40"),
    )

    reading, waits = run(INA226(bus, shunt=0.002).read())

    assert reading == pytest.approx((11.98, 10, 119.8))
    assert waits == [pytest.approx(0.03872), 0.005]
    bus.done()


@given(st.integers(-0x7FFF, 0x7FFE), st.integers(0, 0x7FFF), st.sampled_from([0.1, 0.01, 0.002]))
def test_the_chips_own_arithmetic_agrees(shunt: int, bus: int, ohms: float) -> None:
    """Its current and power registers by §6.5.2, which cut off what they cannot hold.

    The calibration is rounded to a whole number, which costs 1 in 2000 at worst here.
    """
    lsb = 0.08192 / ohms / 0x8000
    calibration = int(0.00512 / (lsb * ohms))
    register = shunt * calibration / 2048

    reading, _ = run(INA226(chip(shunt, bus), shunt=ohms).read())

    assert reading.current == pytest.approx(register * lsb, rel=5e-4)
    assert reading.power == pytest.approx(register * bus / 20_000 * 25 * lsb, rel=5e-4)


@pytest.mark.parametrize("ready", [0x0000, 0xFFFF, 0x0028, 0x0208])
def test_a_conversion_that_does_not_end_gives_no_reading(ready: int) -> None:
    """Nor does a line that is stuck: bits 9 to 5 are never set."""
    with pytest.raises(BadReading, match="0x40 does not finish measuring"):
        run(INA226(chip(8000, 9584, ready)).read())


@pytest.mark.parametrize("shunt", [0x7FFF, -0x8000])
def test_a_current_beyond_the_range_is_no_reading(shunt: int) -> None:
    with pytest.raises(BadReading, match=r"beyond 0\.819 A"):
        run(INA226(chip(shunt, 9584)).read())


@pytest.mark.parametrize("die", [0x2260, 0x2261])
def test_its_identity_is_known_in_every_revision(die: int) -> None:
    bus = chip(0, 0, die=die)

    INA226(bus).start()

    assert bus.writes == [b"\x00", b"\xff", b"\xfe"]
    assert INA226.identify(bus, 0x40)


def test_an_ina260_is_named_with_its_driver() -> None:
    with pytest.raises(WrongChip, match="0x40 answers as INA260: use driver: ina260"):
        INA226(chip(0, 0, die=0x2270)).start()


@pytest.mark.parametrize(
    ("maker", "die"), [(0x5449, 0x2380), (0x1234, 0x2260), (0, 0), (0xFFFF, 0xFFFF)]
)
def test_another_identity_is_refused(maker: int, die: int) -> None:
    bus = chip(0, 0, maker=maker, die=die)

    with pytest.raises(
        WrongChip, match=f"0x40 answers as maker {maker:#06x}, die {die:#06x}, not INA226"
    ):
        INA226(bus).start()
    assert not INA226.identify(bus, 0x40)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x4f"):
        INA226(MemoryBus({}), address=0x4F).start()


def test_a_shunt_has_some_resistance() -> None:
    with pytest.raises(ValueError, match="more than 0 ohms"):
        INA226(MemoryBus({}), shunt=-0.1)


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert [channel.unit for channel in found.values()] == ["V", "A", "W"]
    assert (found["voltage"].low, found["voltage"].high) == (0, 40.96)
    assert found["current"].low < 0 > found["power"].low
