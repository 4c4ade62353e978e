"""AHT20 and its kin: recorded answers, the checksum over all six bytes, and the status."""

from __future__ import annotations

from typing import Any

import adafruit_ahtx0 as peer
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import crc8
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.aht20 import AHT20, Reading, celsius, percent
from pilogger.testing import MemoryBus, ScriptedBus, run


def with_crc(answer: bytes) -> bytes:
    return answer + bytes([crc8(answer)])


def measuring(*answers: bytes) -> ScriptedBus:
    reads = [("read", 0x38, answer) for answer in answers]
    return ScriptedBus(("write", 0x38, b"\xac\x33\x00"), *reads)


@pytest.mark.parametrize(
    ("answer", "cel", "rh"),
    [
        ("18 75 52 05 8e 40 7f", 19.4458, 45.8282),  # github.com/adafruit, AHTx0
        ("18 93 ac 95 2a c5 b3", 14.5884, 57.6852),  # github.com/peff74/ESP_AHT20_BMP280
        ("1c 26 9a 76 42 e7 76", 28.2667, 15.0794),  # github.com/elixir-sensors/aht20
    ],
)
def test_recorded_answers(answer: str, cel: float, rh: float) -> None:
    """Three devices of three people: two 20-bit numbers share a byte, the seventh is the CRC."""
    bus = measuring(bytes.fromhex(answer))

    reading, waits = run(AHT20(bus).read())

    assert reading.temperature == pytest.approx(cel, abs=0.0001)
    assert reading.humidity == pytest.approx(rh, abs=0.0001)
    assert waits == [0.08]
    bus.done()


@pytest.mark.parametrize(("count", "cel", "rh"), [(0, -50, 0), (0x80000, 50, 50)])
def test_the_scales(count: int, cel: float, rh: float) -> None:
    """Twenty bits are 200 Cel and 100 %."""

    assert celsius(count) == cel
    assert percent(count) == rh


def chip(answer: bytes, status: int = 0x18, model: bytes = b"\xbe") -> CommandBus:
    """A chip whose status is as given until it is told to load its calibration."""
    return CommandBus(
        0x38,
        {b"\xba": bytes([status]), model + b"\x08": b"\x18", b"\xac\x33": answer},
    )


@given(st.integers(1, 0xFFFFF), st.integers(0, 0xFFFFF))
def test_an_independent_driver_reads_the_same(humidity: int, temperature: int) -> None:
    """Adafruit's driver on the same bytes; the formulas are one, so only rounding is left."""
    peer.time = Time()
    answer = b"\x1c" + (humidity << 20 | temperature).to_bytes(5, "big")
    theirs = peer.AHTx0(BusIO(chip(answer, model=b"\xe1")))

    ours, _ = run(AHT20(chip(with_crc(answer))).read())
    without, _ = run(AHT20(chip(answer), model="aht10").read())

    assert ours.temperature == pytest.approx(theirs.temperature, abs=1e-9)
    assert ours.humidity == pytest.approx(theirs.relative_humidity, abs=1e-9)
    assert without == ours


def test_start_resets_a_chip_that_has_its_calibration() -> None:
    bus = ScriptedBus(("write", 0x38, b"\xba"), ("read", 0x38, b"\x18"))

    _, waits = run(AHT20(bus).start())

    assert waits == [0.02]
    bus.done()


@pytest.mark.parametrize(("model", "code"), [("aht20", b"\xbe"), ("aht10", b"\xe1")])
def test_start_loads_a_calibration_that_is_missing(model: Any, code: bytes) -> None:
    """Bit 3 of the status; the two kinds have different commands."""
    bus = ScriptedBus(
        ("write", 0x38, b"\xba"),
        ("read", 0x38, b"\xf7"),
        ("write", 0x38, code + b"\x08\x00"),
        ("read", 0x38, b"\x08"),
    )

    _, waits = run(AHT20(bus, model=model).start())

    assert waits == [0.02, 0.01]
    bus.done()


def test_a_chip_without_calibration_is_another_one() -> None:
    bus = CommandBus(0x38, {b"\xba": b"\x10", b"\xe1\x08": b"\x10"})

    with pytest.raises(WrongChip, match="0x38 does not load a calibration as an aht10"):
        run(AHT20(bus, model="aht10").start())


GOOD = bytes.fromhex("187552058e40")
BUSY = with_crc(b"\x98" + GOOD[1:])


def test_a_slow_chip_is_waited_for() -> None:
    """Some take longer than the 80 ms of their data sheet."""
    bus = measuring(BUSY, BUSY, BUSY, with_crc(GOOD))

    reading, waits = run(AHT20(bus).read())

    assert reading.humidity == pytest.approx(45.8282, abs=0.0001)
    assert waits == [0.08, 0.02, 0.02, 0.02]
    bus.done()


def test_a_chip_that_stays_busy_gives_no_reading() -> None:
    bus = measuring(BUSY, BUSY, BUSY, BUSY)

    with pytest.raises(BadReading, match="does not finish"):
        run(AHT20(bus).read())
    bus.done()


@pytest.mark.parametrize("at", range(7))
def test_a_wrong_byte_anywhere_is_no_reading(at: int) -> None:
    """The checksum is over the status, too."""
    answer = bytearray(with_crc(GOOD))
    answer[at] ^= 0x01

    with pytest.raises(BadReading, match=r"checksum is wrong: (.. ){6}..; .* model: aht10"):
        run(AHT20(chip(bytes(answer))).read())


@pytest.mark.parametrize("model", ["aht20", "aht10"])
@pytest.mark.parametrize("stuck", [b"\x00", b"\xff"])
def test_a_line_that_is_stuck_is_no_reading(model: Any, stuck: bytes) -> None:
    """Without a checksum, the status tells."""
    with pytest.raises(BadReading):
        run(AHT20(chip(stuck * 7), model=model).read())


@pytest.mark.parametrize("model", ["aht20", "aht10"])
def test_a_chip_that_lost_its_calibration_gives_no_reading(model: Any) -> None:
    """As after a dip of its supply; starting it anew loads it again."""
    with pytest.raises(BadReading, match="lost its calibration"):
        run(AHT20(chip(with_crc(b"\x10" + GOOD[1:])), model=model).read())


def test_no_humidity_is_no_reading() -> None:
    """What the chip answers before it has measured; 1 is the driest that can be."""
    with pytest.raises(BadReading, match="humidity is 0"):
        run(AHT20(chip(with_crc(bytes.fromhex("180000058e40")))).read())

    dry, _ = run(AHT20(chip(with_crc(bytes.fromhex("180000158e40")))).read())
    assert dry.humidity == pytest.approx(0.0001, abs=0.00001)


@pytest.mark.parametrize(("status", "known"), [(0x18, True), (0x1C, True), (0x4B, False)])
@pytest.mark.parametrize("more", [0x00, 0x60])
def test_an_idle_chip_is_known_by_its_status(status: int, known: bool, more: int) -> None:
    """A BH1745, which has the address too, tells the 0x4B of its first register."""
    bus = ScriptedBus(("read", 0x38, bytes([status | more])))

    assert AHT20.identify(bus, 0x38) is known
    bus.done()


@pytest.mark.parametrize("status", [0x08, 0x10, 0x98])
def test_a_chip_that_is_busy_or_bare_is_not_known(status: int) -> None:
    assert not AHT20.identify(ScriptedBus(("read", 0x38, bytes([status]))), 0x38)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x39"):
        run(AHT20(MemoryBus({}), address=0x39).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "temperature": ("Cel", -40, 85, 0.001),
        "humidity": ("%", 0, 100, 0.01),
    }
