"""LM75 and kin: left-aligned words of three widths, and words that may be true or not."""

from __future__ import annotations

from typing import Any

import adafruit_pct2075 as peer
import pytest
from adafruit_rig import BusIO, CommandBus
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.lm75 import BITS, LM75, Reading, celsius
from pilogger.testing import MemoryBus, ScriptedBus, run


def chip(word: int, limit: int = 0x7D00, register_15: int = 0x7D00) -> CommandBus:
    """A pointer of two bits: register 15 is the limit of an LM75, the identity of a TMP117."""
    words = {0x00: word, 0x03: limit, 0x0F: register_15}
    return CommandBus(0x48, {bytes([at]): it.to_bytes(2, "big") for at, it in words.items()})


@pytest.mark.parametrize(
    ("model", "word", "cel"),
    [
        ("lm75", 0x1900, 25),
        ("lm75", 0xE700, -25),
        ("lm75", 0x0080, 0.5),
        ("lm75", 0xFF80, -0.5),
        ("lm75b", 0x7F00, 127),
        ("lm75b", 0x0020, 0.125),
        ("lm75b", 0xFFE0, -0.125),
        ("pct2075", 0xC900, -55),
        ("pct2075", 0x7EE0, 126.875),
        ("tmp102", 0x7FF0, 127.9375),
        ("tmp102", 0x0010, 0.0625),
        ("tmp102", 0xE700, -25),
        ("tmp102", 0xFFF0, -0.0625),
    ],
)
def test_the_tables_of_the_datasheets(model: Any, word: int, cel: float) -> None:
    bus = ScriptedBus(("write_read", 0x48, b"\x00", word.to_bytes(2, "big")))

    reading, waits = run(LM75(bus, model=model).read())

    assert reading.temperature == cel
    assert waits == []
    bus.done()


@pytest.mark.parametrize(("bits", "cel"), [(9, -128), (11, -127.875), (12, -127.8125)])
def test_bits_that_do_not_count_are_cut_off(bits: int, cel: float) -> None:
    """The first LM75 leaves them undefined; a wrong model costs a step, no more."""

    assert celsius(0x803F, bits) == cel


@given(st.integers(0, 0xFFFF))
def test_an_independent_driver_reads_the_same(word: int) -> None:
    """Adafruit's PCT2075 on the same chip; both are exact."""
    bus = chip(word)
    theirs = peer.PCT2075(BusIO(bus), 0x48).temperature

    ours, _ = run(LM75(bus, model="pct2075").read())

    assert ours.temperature == theirs


@given(st.integers(0, 0xFFFF), st.sampled_from([9, 11, 12]))
def test_a_second_formula_agrees(word: int, bits: int) -> None:
    """A signed number, shifted down, times its step."""
    signed = int.from_bytes(word.to_bytes(2, "big"), "big", signed=True)
    step = {9: 0.5, 11: 0.125, 12: 0.0625}[bits]

    assert celsius(word, bits) == (signed >> (16 - bits)) * step


def test_the_models_have_the_widths_of_their_datasheets() -> None:
    assert BITS == {"lm75": 9, "lm75b": 11, "pct2075": 11, "tmp102": 12}
    assert LM75(MemoryBus({})).bits == 9


@pytest.mark.parametrize("kept", [b"\x7d\x00", b"\x7d\x7f"])
@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("lm75", b"\x00"),
        ("lm75b", b"\x00"),
        ("pct2075", b"\x00"),
        ("tmp102", b"\x60\xa0"),  # twelve bits, four times a second
    ],
)
def test_start_sets_up_and_waits(kept: bytes, model: Any, config: bytes) -> None:
    """Another program may have shut it down; nine bits of the limit count."""
    bus = ScriptedBus(
        ("write_read", 0x48, b"\x0f", b"\x50\x00"),
        ("write", 0x48, b"\x01" + config),
        ("write", 0x48, b"\x03\x7d\x00"),
        ("write_read", 0x48, b"\x03", kept),
    )

    _, waits = run(LM75(bus, model=model).start())

    assert waits == [0.3]
    bus.done()


def test_a_tmp117_is_named_with_its_driver_and_left_alone() -> None:
    """Read as an LM75, it would give half of each temperature."""
    bus = chip(0x0C80, register_15=0x0117)

    with pytest.raises(WrongChip, match="0x48 answers as TMP117: use driver: tmp117"):
        run(LM75(bus).start())
    assert bus.writes == [b"\x0f"]


def test_a_chip_that_refuses_the_question_may_be_an_lm75() -> None:
    """Register 15 is none of its own."""
    bus = chip(0x1900)
    del bus.answers[b"\x0f"]

    run(LM75(bus).start())

    assert bus.writes[1:] == [b"\x01\x00", b"\x03\x7d\x00", b"\x03"]


@pytest.mark.parametrize("limit", [0x0000, 0xFFFF, 0x7D80])
def test_what_keeps_no_limit_is_no_lm75(limit: int) -> None:
    """As a PCF8591, which answers all questions with its converter."""
    with pytest.raises(WrongChip, match="0x48 does not answer as LM75"):
        run(LM75(chip(0x1900, limit)).start())


@pytest.mark.parametrize(("word", "cel"), [(0x0000, 0), (0xFFFF, -0.5)])
def test_a_doubtful_word_is_a_reading_while_the_limit_is_ours(word: int, cel: float) -> None:
    assert run(LM75(chip(word)).read())[0] == Reading(cel)


@pytest.mark.parametrize(("word", "limit"), [(0x0000, 0x5000), (0x0000, 0x0000), (0xFFFF, 0xFFFF)])
def test_a_doubtful_word_without_our_limit_is_no_reading(word: int, limit: int) -> None:
    """After a dip of the supply the limit is 80 Cel; on a stuck line it is as the word."""
    with pytest.raises(BadReading, match="chip at 0x48 did not measure"):
        run(LM75(chip(word, limit)).read())


def test_another_word_after_a_reset_is_a_reading() -> None:
    """It measures by itself."""

    assert run(LM75(chip(0x1900, 0x5000)).read())[0] == Reading(25)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x4f"):
        run(LM75(MemoryBus({}), address=0x4F).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)["temperature"]

    assert (found.unit, found.low, found.high, found.step) == ("Cel", -55, 128, 0.01)
