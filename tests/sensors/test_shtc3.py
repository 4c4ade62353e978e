"""SHTC3: woken for each poll, its checksums, and who else answers at its address."""

from __future__ import annotations

import adafruit_shtc3 as peer
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import encode
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.shtc3 import SHTC3, Reading, celsius, percent
from pilogger.testing import MemoryBus, ScriptedBus, run

IDENTITY = encode(0x0887)  # xxxx 1xxx xx00 0111


def chip(answer: bytes, ident: bytes = IDENTITY) -> CommandBus:
    return CommandBus(0x70, {b"\x78\x66": answer, b"\xef\xc8": ident})


def test_one_poll_end_to_end() -> None:
    """0x8000 is half of the full scale; it wakes, measures and sleeps again."""
    bus = ScriptedBus(
        ("write", 0x70, b"\x35\x17"),
        ("write", 0x70, b"\x78\x66"),
        ("read", 0x70, bytes.fromhex("8000a2 666693")),
        ("write", 0x70, b"\xb0\x98"),
    )

    reading, waits = run(SHTC3(bus).read())

    assert reading.temperature == pytest.approx(42.5, abs=1e-9)
    assert reading.humidity == pytest.approx(39.9994, abs=0.0001)
    assert waits == [0.00024, 0.0121]
    bus.done()


@pytest.mark.parametrize(("word", "cel", "rh"), [(0, -45, 0), (0xFFFF, 129.99733, 99.99847)])
def test_the_ends_of_both_scales(word: int, cel: float, rh: float) -> None:
    """The full scale is 2^16 here, one more than in the SHT3x."""

    assert celsius(word) == pytest.approx(cel, abs=0.00001)
    assert percent(word) == pytest.approx(rh, abs=0.00001)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_an_independent_driver_reads_the_same(temperature: int, humidity: int) -> None:
    """Adafruit's driver on the same bytes; it cuts both to hundredths, downwards."""
    peer.time = Time()
    bus = chip(encode(temperature, humidity), IDENTITY * 2)
    theirs = peer.SHTC3(BusIO(bus)).measurements

    ours, _ = run(SHTC3(bus).read())

    for mine, other in zip(ours, theirs, strict=True):
        assert -1e-9 <= mine - other < 0.01


def test_start_wakes_the_chip_identifies_it_and_lets_it_sleep() -> None:
    """Asleep, it answers to nothing but being woken."""
    bus = ScriptedBus(
        ("write", 0x70, b"\x35\x17"),
        ("write_read", 0x70, b"\xef\xc8", IDENTITY),
        ("write", 0x70, b"\xb0\x98"),
    )

    _, waits = run(SHTC3(bus).start())

    assert waits == [0.00024]
    bus.done()


@pytest.mark.parametrize("at", range(6))
def test_a_wrong_byte_anywhere_is_no_reading_but_the_chip_sleeps(at: int) -> None:
    answer = bytearray(encode(0x6666, 0x8000))
    answer[at] ^= 0x10
    bus = chip(bytes(answer))

    with pytest.raises(BadReading, match="checksum is wrong"):
        run(SHTC3(bus).read())
    assert bus.writes[-1] == b"\xb0\x98"


@pytest.mark.parametrize("stuck", [b"\x00", b"\xff"])
def test_a_line_that_is_stuck_is_no_reading(stuck: bytes) -> None:
    with pytest.raises(BadReading, match="checksum is wrong"):
        run(SHTC3(chip(stuck * 6)).read())


@pytest.mark.parametrize("ident", [0x0007, 0x0806, 0x0827, 0x0887 ^ 0x08])
def test_another_identity_is_refused(ident: int) -> None:
    """0x0007 is an SHTC1, which knows no sleep."""
    bus = chip(b"", encode(ident))

    with pytest.raises(WrongChip, match=f"0x70 answers as another chip .{ident:#06x}., not SHTC3"):
        run(SHTC3(bus).start())
    assert run(SHTC3.identify(bus, 0x70))[0] is False


@pytest.mark.parametrize("ident", [0x0807, 0xFFC7])
def test_what_the_identity_leaves_open_may_be_anything(ident: int) -> None:
    bus = chip(b"", encode(ident))

    run(SHTC3(bus).start())

    assert run(SHTC3.identify(bus, 0x70))[0] is True
    assert bus.writes[-1] == b"\xb0\x98", "and it sleeps again"


def test_a_multiplexer_is_not_switched_by_asking() -> None:
    """A TCA9548A answers a plain read with its channels, and takes every write as such."""
    mux = ScriptedBus(("read", 0x70, b"\x00"))

    assert run(SHTC3.identify(mux, 0x70))[0] is False
    mux.done()


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x70"):
        run(SHTC3(MemoryBus({})).start())
    with pytest.raises(NoAnswer, match="0x70"):
        run(SHTC3.identify(MemoryBus({}), 0x70))


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "temperature": ("Cel", -40, 125, 0.001),
        "humidity": ("%", 0, 100, 0.001),
    }
