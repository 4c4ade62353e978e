"""DS3231: ten bits of temperature, and what tells a clock from a stuck line."""

from __future__ import annotations

import adafruit_ds3231 as peer
import pytest
from adafruit_rig import BusIO, RegisterBus
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, NotReady, WrongChip
from pilogger.sensors.ds3231 import DS3231, Reading
from pilogger.testing import MemoryBus, ScriptedBus, run


def cells(raw: bytes = b"\x19\x40", day: int = 5, status: int = 0x88) -> bytes:
    """Registers 0x03 to 0x12: day, date, month ... control, status, ageing, temperature."""
    rest = bytes.fromhex("1312240a0b0c0d0e0f101c")
    return bytes([day]) + rest + bytes([status, 0xA5]) + raw


def chip(raw: bytes = b"\x19\x40", day: int = 5, status: int = 0x88) -> RegisterBus:
    return RegisterBus({0x68: {0x03: cells(raw, day, status)}})


@pytest.mark.parametrize(
    ("raw", "cel"),
    [(b"\x19\x40", 25.25), (b"\xe7\x00", -25), (b"\xff\xc0", -0.25), (b"\x00\x00", 0)],
)
def test_one_poll_end_to_end(raw: bytes, cel: float) -> None:
    """p. 15: 0x19, 0x40 is 25.25 Cel. One burst; nothing is written to a clock."""
    bus = ScriptedBus(("write_read", 0x68, b"\x03", cells(raw)))

    reading, waits = run(DS3231(bus).read())

    assert reading.temperature == cel
    assert waits == []
    bus.done()


@given(st.integers(-512, 511))
def test_an_independent_driver_reads_the_same(quarters: int) -> None:
    """Adafruit's driver on the same chip; both are exact."""
    bus = chip((quarters << 6).to_bytes(2, "big", signed=True))
    theirs = peer.DS3231(BusIO(bus)).temperature

    ours, _ = run(DS3231(bus).read())

    assert ours.temperature == theirs


def test_a_chip_that_measures_is_waited_for() -> None:
    """Its two bytes could be of two values; at the longest it takes 200 ms."""
    bus = ScriptedBus(
        ("write_read", 0x68, b"\x03", cells(b"\x18\xc0", status=0x0C)),
        ("write_read", 0x68, b"\x03", cells(b"\x19\x00")),
    )

    reading, waits = run(DS3231(bus).read())

    assert reading.temperature == 25
    assert waits == [0.2]
    bus.done()


def test_other_flags_are_no_reason_to_wait() -> None:
    """The alarms, the 32 kHz output, and that the time was lost."""
    _, waits = run(DS3231(chip(status=0x8B)).read())

    assert waits == []


def test_a_chip_that_keeps_measuring_is_not_ready() -> None:
    """After its power was cut it holds 0 Cel until its first value, which is none."""
    with pytest.raises(NotReady, match="measures"):
        run(DS3231(chip(b"\x00\x00", status=0x8C)).read())


NONSENSE = [
    (b"\x19\x40", 0, 0x88),
    (b"\x19\x40", 8, 0x88),
    (b"\x19\x40", 5, 0x98),
    (b"\x19\x40", 5, 0xA8),
    (b"\x19\x40", 5, 0xC8),
    (b"\x19\x41", 5, 0x88),
    (b"\x19\x60", 5, 0x88),
    (b"\x00\x00", 0, 0x00),
    (b"\xff\xff", 0xFF, 0xFF),
]


@pytest.mark.parametrize(("raw", "day", "status"), NONSENSE)
def test_what_no_clock_holds_is_no_reading(raw: bytes, day: int, status: int) -> None:
    """The last two are lines that are stuck."""
    with pytest.raises(BadReading, match="DS3231 at 0x68 holds no time and temperature"):
        run(DS3231(chip(raw, day, status)).read())


@pytest.mark.parametrize(("raw", "day", "status"), NONSENSE)
def test_what_no_clock_holds_is_another_chip(raw: bytes, day: int, status: int) -> None:
    """As an MPU6050, whose registers there are zero."""
    bus = chip(raw, day, status)

    with pytest.raises(WrongChip, match="0x68 does not answer as DS3231; `pilogger scan`"):
        DS3231(bus).start()
    assert not bus.writes
    assert not DS3231.identify(bus, 0x68)


@pytest.mark.parametrize("day", [1, 7])
@pytest.mark.parametrize("status", [0x00, 0x8F])
def test_everything_that_a_clock_may_hold_is_fine(day: int, status: int) -> None:
    """That its time was lost, its alarms, its 32 kHz, that it measures."""
    bus = chip(day=day, status=status)

    DS3231(bus).start()

    assert DS3231.identify(bus, 0x68)
    assert not DS3231.identify(bus, 0x69), "its address is fixed"


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x68"):
        DS3231(MemoryBus({})).start()


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)["temperature"]

    assert (found.unit, found.low, found.high, found.step) == ("Cel", -40, 85, 0.01)
