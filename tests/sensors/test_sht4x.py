"""SHT4x: its commands, its checksums, and who else answers at its address."""

from __future__ import annotations

import adafruit_sht4x as peer
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import encode
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.sht4x import Reading, SHT4x, celsius, percent
from pilogger.testing import MemoryBus, ScriptedBus, run

SERIAL = encode(0x0F0F, 0xF0F1)


def chip(answer: bytes, serial: bytes = SERIAL) -> CommandBus:
    return CommandBus(0x44, {b"\xfd": answer, b"\x89": serial})


def test_one_poll_end_to_end() -> None:
    """0x8000 is half of the full scale, and a bit."""
    bus = ScriptedBus(
        ("write", 0x44, b"\xfd"),
        ("read", 0x44, bytes.fromhex("8000a2 666693")),
    )

    reading, waits = run(SHT4x(bus).read())

    assert reading.temperature == pytest.approx(42.50134, abs=0.00001)
    assert reading.humidity == pytest.approx(44, abs=1e-9)
    assert waits == [0.0083]
    bus.done()


@pytest.mark.parametrize(("word", "cel"), [(0, -45), (0xFFFF, 130), (0x6666, 25)])
def test_temperature_by_the_formula(word: int, cel: float) -> None:
    """The full scale is 2^16 - 1."""

    assert celsius(word) == pytest.approx(cel, abs=1e-9)


@pytest.mark.parametrize(
    ("word", "rh"),
    [
        (0, 0),
        (3145, 0),  # -0.001
        (3146, 0.00061),
        (0x8000, 56.50095),
        (55573, 99.9987),
        (55574, 100),  # 100.0006
        (0xFFFF, 100),
    ],
)
def test_humidity_is_clamped_to_what_exists(word: int, rh: float) -> None:
    """The scale reaches from -6 to 119 %; the chip gives such values near the ends."""

    assert percent(word) == pytest.approx(rh, abs=0.00001)
    assert 0 <= percent(word) <= 100


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_an_independent_driver_reads_the_same(temperature: int, humidity: int) -> None:
    """Adafruit's driver on the same bytes; the formulas are one, so only rounding is left."""
    peer.time = Time()
    bus = chip(encode(temperature, humidity))
    theirs = peer.SHT4x(BusIO(bus)).measurements

    ours, _ = run(SHT4x(bus).read())

    assert ours == pytest.approx(theirs, abs=1e-9)


def test_start_identifies_and_resets() -> None:
    """The serial number comes after a wait: asked at once, the chip says nothing."""
    bus = ScriptedBus(
        ("write", 0x44, b"\x89"),
        ("read", 0x44, SERIAL),
        ("write", 0x44, b"\x94"),
    )

    _, waits = run(SHT4x(bus).start())

    assert waits == [0.01, 0.001]
    bus.done()


@pytest.mark.parametrize("at", range(6))
def test_a_wrong_byte_anywhere_is_no_reading(at: int) -> None:
    answer = bytearray(encode(0x6666, 0x8000))
    answer[at] ^= 0x10

    with pytest.raises(BadReading, match="checksum is wrong"):
        run(SHT4x(chip(bytes(answer))).read())


@pytest.mark.parametrize("stuck", [b"\x00", b"\xff"])
def test_a_line_that_is_stuck_is_no_reading(stuck: bytes) -> None:
    with pytest.raises(BadReading, match="checksum is wrong"):
        run(SHT4x(chip(stuck * 6)).read())


def test_an_sht3x_is_named_with_its_driver() -> None:
    """It shares the addresses, and its commands have two bytes."""
    bus = CommandBus(0x44, {b"\xf3\x2d": encode(0x8010)})

    with pytest.raises(WrongChip, match="0x44 answers as SHT3x: use driver: sht3x"):
        run(SHT4x(bus).start())


@pytest.mark.parametrize("serial", [b"\x00" * 6, b"\xff" * 6, b"\x0f\x0f\x00\xf0\xf1\x00"])
def test_a_strange_serial_number_is_another_chip_which_is_left_alone(serial: bytes) -> None:
    bus = chip(b"", serial)

    with pytest.raises(WrongChip, match="0x44 does not answer as SHT4x"):
        run(SHT4x(bus).start())
    assert bus.writes == [b"\x89"]
    assert run(SHT4x.identify(bus, 0x44))[0] is False
    assert run(SHT4x.identify(chip(b""), 0x44))[0] is True


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x46"):
        run(SHT4x(MemoryBus({}), address=0x46).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "temperature": ("Cel", -40, 125, 0.001),
        "humidity": ("%", 0, 100, 0.001),
    }
