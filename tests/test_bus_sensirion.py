"""Sensirion's frames: words with their checksums, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import ask, crc8, decode, encode
from pilogger.errors import BadReading
from pilogger.testing import ScriptedBus, run

WORDS = st.lists(st.integers(0, 0xFFFF), max_size=6)


def test_the_example_of_the_data_sheet() -> None:
    """SHT3x-DIS version 5, table 20."""

    assert crc8(b"\xbe\xef") == 0x92


@pytest.mark.parametrize(("data", "crc"), [("dc", 0x79), ("683a", 0x7C), ("4e85", 0x6B)])
def test_the_older_kin_begin_with_zero(data: str, crc: int) -> None:
    """HTU21D data sheet, "CRC Checksum"."""

    assert crc8(bytes.fromhex(data), begin=0) == crc


@given(WORDS)
def test_what_is_encoded_is_decoded(words: list[int]) -> None:
    assert decode(encode(*words)) == tuple(words)


def test_words_go_out_high_byte_first() -> None:
    """The SGP40's default for 50 % and 25 Cel, from its data sheet."""

    assert encode(0x8000, 0x6666) == bytes.fromhex("8000a2 666693")


@pytest.mark.parametrize("stuck", [b"\x00" * 6, b"\xff" * 6])
def test_a_line_that_is_stuck_is_no_answer(stuck: bytes) -> None:
    """The reason for the first value 0xFF."""
    with pytest.raises(BadReading, match="checksum"):
        decode(stuck)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 5), st.integers(1, 0xFF))
def test_a_wrong_byte_anywhere_is_noticed(one: int, two: int, at: int, flip: int) -> None:
    frame = bytearray(encode(one, two))
    frame[at] ^= flip

    with pytest.raises(BadReading, match=r"checksum is wrong: (.. ){5}..$"):
        decode(bytes(frame))


def test_the_first_value_belongs_to_the_chip() -> None:
    """What is right for one family is wrong for the other."""

    assert decode(bytes.fromhex("683a7c"), begin=0) == (0x683A,)
    with pytest.raises(BadReading):
        decode(bytes.fromhex("683a7c"))


def test_a_question_is_a_command_a_wait_and_a_read_of_its_own() -> None:
    """A chip that is busy does not acknowledge: the bus is free meanwhile."""
    bus = ScriptedBus(("write", 0x62, b"\xec\x05"), ("read", 0x62, encode(0x01F4, 0x6667)))

    words, waits = run(ask(bus, 0x62, b"\xec\x05", 0.001, words=2))

    assert words == (0x01F4, 0x6667)
    assert waits == [0.001]
    bus.done()
