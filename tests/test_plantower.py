"""Frames of Plantower's particle sensors, from bytes to numbers."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading
from pilogger.plantower import Reading, decode


def frame(*words: int, start: bytes = b"BM", length: int = 28) -> bytes:
    """Build a frame of 13 words; those that are not given are zero."""
    body = struct.pack(">2s14H", start, length, *words, *[0] * (13 - len(words)))
    return body + sum(body).to_bytes(2, "big")


def test_the_words_in_the_order_of_the_manual() -> None:
    """Appendix I; every byte is another, and all top bits are set."""
    words = [0x8081 + 0x0202 * n for n in range(12)]

    reading = decode(frame(*words, 0x97FF))

    assert reading._asdict() == {
        "pm1_factory": 0x8081,
        "pm2_5_factory": 0x8283,
        "pm10_factory": 0x8485,
        "pm1": 0x8687,
        "pm2_5": 0x8889,
        "pm10": 0x8A8B,
        "above_0_3um": 0x8C8D,
        "above_0_5um": 0x8E8F,
        "above_1um": 0x9091,
        "above_2_5um": 0x9293,
        "above_5um": 0x9495,
        "above_10um": 0x9697,
    }


def test_clean_air_is_a_reading() -> None:
    """All zero, checksum 0x00AB: the frame of Pimoroni's own tests for the PMS5003."""
    clean = bytes.fromhex("42 4d 00 1c" + "00" * 26 + "00 ab")

    assert decode(clean) == Reading(*[0] * 12)


@given(st.integers(0, 31), st.integers(1, 0xFF))
def test_a_wrong_byte_anywhere_is_noticed(at: int, flip: int) -> None:
    damaged = bytearray(frame(3, 5, 6, 3, 5, 6, 612, 180, 31, 4, 1, 0))
    damaged[at] ^= flip

    with pytest.raises(BadReading):
        decode(bytes(damaged))


@pytest.mark.parametrize(
    "bad",
    [
        b"\x00" * 32,
        b"\xff" * 32,
        frame(start=b"BN"),
        frame(start=b"AM"),
        frame(length=20),  # of the sensors with fewer values
        frame(length=29),
    ],
)
def test_what_is_no_frame_is_no_reading(bad: bytes) -> None:
    """A right checksum does not help."""
    with pytest.raises(BadReading, match=r"no frame of Plantower begins like this: .. .. .. ..$"):
        decode(bad)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_cut_frame_is_no_reading(length: int) -> None:
    with pytest.raises(BadReading, match=f"has 32 bytes, not {length}"):
        decode((frame() + b"\x00")[:length])


def test_a_wrong_checksum_is_shown_with_its_frame() -> None:
    with pytest.raises(BadReading, match=r"checksum is wrong: 42 4d 00 1c .* 00 aa$"):
        decode(frame()[:-1] + b"\xaa")


def test_channels_carry_units() -> None:
    """Particles are counted in 0.1 litres of air."""
    found = channels(Reading)

    assert {c.unit for name, c in found.items() if name.startswith("pm")} == {"ug/m3"}
    assert {c.unit for name, c in found.items() if name.startswith("above")} == {"/dL"}
    assert {(c.low, c.high, c.step) for c in found.values()} == {(0, 0xFFFF, 1)}
