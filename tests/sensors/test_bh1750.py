"""BH1750 against its datasheet's worked example."""

from __future__ import annotations

import pytest

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer
from pilogger.sensors.bh1750 import BH1750, Reading
from pilogger.testing import MemoryBus, ScriptedBus, run


def measuring(answer: bytes, address: int = 0x23) -> ScriptedBus:
    return ScriptedBus(
        ("write", address, b"\x01"),  # power on
        ("write", address, b"\x20"),  # one-time H-resolution
        ("read", address, answer),
    )


def test_worked_example_of_the_datasheet() -> None:
    """0x83 0x90 is 28067 lx (Technical Note Rev.B, p. 10)."""
    bus = measuring(b"\x83\x90")

    reading, waits = run(BH1750(bus).read())

    assert reading.illuminance == pytest.approx(28067, abs=1)
    assert sum(waits) >= 0.180, "the result is stale until the conversion ends"
    bus.done()


def test_the_result_is_fetched_after_the_wait() -> None:
    """Fetched at once it would be the value of the conversion before (p. 2: 180 ms)."""
    bus = measuring(b"\x83\x90")

    assert next(BH1750(bus).read()) >= 0.180
    assert bus.script == [("read", 0x23, b"\x83\x90")]


@pytest.mark.parametrize(("answer", "lux"), [(b"\x00\x00", 0), (b"\xff\xfe", 54611.7)])
def test_darkness_and_the_brightest_light_are_readings(answer: bytes, lux: float) -> None:
    reading, _ = run(BH1750(measuring(answer)).read())

    assert reading.illuminance == pytest.approx(lux, abs=0.05)


def test_a_full_count_is_no_reading() -> None:
    """All ones means more light than the chip counts, or a line that is stuck high."""
    with pytest.raises(BadReading, match="saturated: brighter than 54612 lx"):
        run(BH1750(measuring(b"\xff\xff")).read())


def test_channels_carry_unit_and_range() -> None:
    illuminance = channels(Reading)["illuminance"]

    assert illuminance.unit == "lx"
    assert illuminance.low == 0
    assert illuminance.high == pytest.approx(54612.5)
    assert illuminance.step == 0.1


def test_the_other_address_is_used() -> None:
    """0x5C with ADDR high."""
    bus = measuring(b"\x83\x90", address=0x5C)

    run(BH1750(bus, address=0x5C).read())

    bus.done()


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x23"):
        run(BH1750(MemoryBus({})).read())
