"""SHT3x: its commands, its checksums, and who else answers at its address."""

from __future__ import annotations

import adafruit_sht31d as peer
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import encode
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.sht3x import Reading, SHT3x, celsius, percent
from pilogger.testing import MemoryBus, ScriptedBus, run

STATUS = encode(0x8010)  # after a reset: alert pending, reset detected (table 18)
QUARTERS = encode(0x6666, 0x8000)


def chip(answer: bytes, status: bytes = STATUS) -> CommandBus:
    return CommandBus(0x44, {b"\x24\x00": answer, b"\xf3\x2d": status})


def test_one_poll_end_to_end() -> None:
    """0x6666 is two fifths of the full scale: 25 Cel. Its checksum is 0x93."""
    bus = ScriptedBus(
        ("write", 0x44, b"\x24\x00"),  # single shot, high repeatability, no clock stretching
        ("read", 0x44, bytes.fromhex("666693 8000a2")),
    )

    reading, waits = run(SHT3x(bus).read())

    assert reading.temperature == pytest.approx(25, abs=1e-9)
    assert reading.humidity == pytest.approx(50.0008, abs=0.0001)
    assert waits == [0.0155]
    bus.done()


@pytest.mark.parametrize(("word", "cel", "rh"), [(0, -45, 0), (0xFFFF, 130, 100)])
def test_the_ends_of_both_scales(word: int, cel: float, rh: float) -> None:
    """Section 4.13: the full scale is 2^16 - 1."""

    assert celsius(word) == pytest.approx(cel, abs=1e-9)
    assert percent(word) == pytest.approx(rh, abs=1e-9)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_an_independent_driver_reads_the_same(temperature: int, humidity: int) -> None:
    """Adafruit's driver on the same bytes; the formulas are one, so only rounding is left."""
    peer.time = Time()
    bus = chip(encode(temperature, humidity))
    theirs = peer.SHT31D(BusIO(bus))

    ours, _ = run(SHT3x(bus).read())

    assert ours.temperature == pytest.approx(theirs.temperature, abs=1e-9)
    assert ours.humidity == pytest.approx(theirs.relative_humidity, abs=1e-9)


def test_start_identifies_ends_what_runs_and_resets() -> None:
    """While it measures periodically, the chip takes no reset (§4.8)."""
    bus = ScriptedBus(
        ("write_read", 0x44, b"\xf3\x2d", STATUS),
        ("write", 0x44, b"\x30\x93"),
        ("write", 0x44, b"\x30\xa2"),
    )

    _, waits = run(SHT3x(bus).start())

    assert waits == [0.001, 0.0015]
    bus.done()


@pytest.mark.parametrize("at", range(6))
def test_a_wrong_byte_anywhere_is_no_reading(at: int) -> None:
    answer = bytearray(QUARTERS)
    answer[at] ^= 0x10

    with pytest.raises(BadReading, match="checksum is wrong"):
        run(SHT3x(chip(bytes(answer))).read())


@pytest.mark.parametrize("stuck", [b"\x00", b"\xff"])
def test_a_line_that_is_stuck_is_no_reading(stuck: bytes) -> None:
    with pytest.raises(BadReading, match="checksum is wrong"):
        run(SHT3x(chip(stuck * 6)).read())


def test_an_sht4x_is_named_with_its_driver() -> None:
    """It shares the addresses, and its commands have one byte; it needs a while to answer."""
    steps = SHT3x(CommandBus(0x44, {b"\x89": encode(0x0F0F, 0xF0F1)})).start()

    assert next(steps) == 0.01
    with pytest.raises(WrongChip, match="0x44 answers as SHT4x: use driver: sht4x"):
        next(steps)


def test_what_answers_like_neither_is_not_named() -> None:
    with pytest.raises(BadReading, match="checksum is wrong"):
        run(SHT3x(CommandBus(0x44, {b"\x89": bytes(6)})).start())


@pytest.mark.parametrize(
    "status",
    [
        b"\x80\x10\x00",
        b"\x39\x9f\x39",
        encode(0x4000),
        encode(0x1000),
        encode(0x0008),
        encode(0x0004),
    ],
)
def test_a_strange_status_is_another_chip_which_is_left_alone(status: bytes) -> None:
    """No checksum, or bits that the data sheet says are zero."""
    bus = chip(QUARTERS, status)

    with pytest.raises(WrongChip, match="0x44 does not answer as SHT3x"):
        run(SHT3x(bus).start())
    assert bus.writes == [b"\xf3\x2d"]
    assert not SHT3x.identify(bus, 0x44)


def test_a_status_with_everything_else_set_is_an_sht3x() -> None:
    """The heater, an alert, a command that was not taken: still this chip."""

    assert SHT3x.identify(chip(QUARTERS, encode(0xAFF3)), 0x44)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x45"):
        run(SHT3x(MemoryBus({}), address=0x45).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "temperature": ("Cel", -40, 125, 0.001),
        "humidity": ("%", 0, 100, 0.001),
    }
