"""HTU21D, Si7021 and SHT2x: the older Sensirion commands, and a checksum that begins with zero."""

from __future__ import annotations

from typing import Any

import adafruit_htu21d
import adafruit_si7021
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import crc8
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.htu21d import HTU21D, Reading, celsius, percent
from pilogger.testing import MemoryBus, ScriptedBus, run


def frame(word: int) -> bytes:
    data = word.to_bytes(2, "big")
    return data + bytes([crc8(data, begin=0)])


def chip(temperature: bytes, humidity: bytes, user: int = 0x3A) -> CommandBus:
    return CommandBus(
        0x40,
        {b"\xf3": temperature, b"\xf5": humidity, b"\xe7": bytes([user]), b"\x11": b"\x00"},
    )


def test_the_worked_examples_of_the_datasheet() -> None:
    """0x683A with checksum 0x7C is 24.7 Cel; 0x7C82 with 0x97 is 54.8 % (HTU20D/21D)."""
    bus = ScriptedBus(
        ("write", 0x40, b"\xf3"),
        ("read", 0x40, b"\x68\x3a\x7c"),
        ("write", 0x40, b"\xf5"),
        ("read", 0x40, b"\x7c\x82\x97"),
    )

    reading, waits = run(HTU21D(bus).read())

    assert reading.temperature == pytest.approx(24.686, abs=0.0005)
    assert reading.humidity == pytest.approx(54.791, abs=0.0005)
    assert waits == [0.085, 0.029], "the slowest of the family is the SHT21"
    bus.done()


@pytest.mark.parametrize("status", range(4))
def test_the_status_bits_are_no_part_of_the_value(status: int) -> None:
    """Their meaning differs between the makers."""

    assert celsius(0x6838 | status) == celsius(0x6838)
    assert percent(0x4E84 | status) == pytest.approx(32.338, abs=0.0005)


@pytest.mark.parametrize(
    ("word", "rh"), [(3144, 0), (3148, 0.00433), (55572, 99.99518), (55576, 100)]
)
def test_humidity_is_clamped_to_what_exists(word: int, rh: float) -> None:
    """The scale reaches from -6 to 119 %; condensation gives such values."""

    assert percent(word) == pytest.approx(rh, abs=0.00001)


MEASURED = st.integers(1, 0x3FBF).map(lambda bits: bits << 2)  # Adafruit waits for ever at 0xFF..


@pytest.mark.parametrize(
    "peer", [(adafruit_htu21d, "HTU21D"), (adafruit_si7021, "SI7021")], ids=lambda peer: peer[1]
)
@given(temperature=MEASURED, humidity=MEASURED)
def test_independent_drivers_read_the_same(
    peer: tuple[Any, str], temperature: int, humidity: int
) -> None:
    """Adafruit's two on the same bytes: one formula; they do not clamp humidity at both ends."""
    module, name = peer
    module.time = Time()
    bus = chip(frame(temperature), frame(humidity))
    theirs = getattr(module, name)(BusIO(bus))

    ours, _ = run(HTU21D(bus).read())

    assert ours.temperature == pytest.approx(theirs.temperature, abs=1e-9)
    assert ours.humidity == pytest.approx(min(max(theirs.relative_humidity, 0), 100), abs=1e-9)


@pytest.mark.parametrize("user", [0x02, 0x3A, 0x7A])
def test_start_resets_and_looks_at_the_settings(user: int) -> None:
    """0x02 is TE's default, 0x3A the others'; 0x40 is a weak supply."""
    bus = ScriptedBus(
        ("write", 0x40, b"\xfe"),
        ("write_read", 0x40, b"\xe7", bytes([user])),
    )

    _, waits = run(HTU21D(bus).start())

    assert waits == [0.015]
    bus.done()


@pytest.mark.parametrize("user", [0x00, 0xFF, 0x38, 0x3B, 0x3E, 0xBA])
def test_other_settings_are_another_chip(user: int) -> None:
    """No reset leaves another resolution, or the heater on."""
    bus = chip(b"", b"", user)

    with pytest.raises(WrongChip, match="0x40 does not answer as HTU21D; `pilogger scan`"):
        run(HTU21D(bus).start())
    assert not HTU21D.identify(bus, 0x40)


def test_identify_only_reads() -> None:
    bus = chip(b"", b"")

    assert HTU21D.identify(bus, 0x40)
    assert bus.writes == [b"\xe7"]


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("which", [0, 1])
def test_a_wrong_byte_anywhere_is_no_reading(at: int, which: int) -> None:
    answers = [bytearray(frame(0x683A)), bytearray(frame(0x7C82))]
    answers[which][at] ^= 0x10

    with pytest.raises(BadReading, match="checksum is wrong"):
        run(HTU21D(chip(bytes(answers[0]), bytes(answers[1]))).read())


@pytest.mark.parametrize("word", [0x0000, 0xFFFF])
@pytest.mark.parametrize("which", [0, 1])
def test_a_line_that_is_stuck_is_no_reading(word: int, which: int) -> None:
    """All zero has a right checksum here; by the formula it would be -6 %, clamped to 0."""
    answers = [frame(0x683A), frame(0x7C82)]
    answers[which] = b"\x00\x00\x00" if not word else b"\xff\xff\xff"

    with pytest.raises(BadReading, match="held low" if not word else "checksum"):
        run(HTU21D(chip(answers[0], answers[1])).read())


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x40"):
        run(HTU21D(MemoryBus({})).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "temperature": ("Cel", -40, 125, 0.01),
        "humidity": ("%", 0, 100, 0.01),
    }
