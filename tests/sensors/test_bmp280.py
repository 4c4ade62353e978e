"""BMP280 register by register, and its arithmetic against Bosch's own numbers."""

from __future__ import annotations

import struct

import adafruit_bmp280 as peer
import pytest
from adafruit_rig import BusIO, RegisterBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, NotReady, WrongChip
from pilogger.sensors.bmp280 import BMP280, Reading
from pilogger.testing import MemoryBus, ScriptedBus, run

# BST-BMP280-DS001 §3.12
T = (27504, 26435, -1000)
P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
WORDS = struct.pack("<HhhHhhhhhhhh", *T, *P)


def twenty_bits(raw: int) -> bytes:
    return (raw << 4).to_bytes(3, "big")


DATA = twenty_bits(415148) + twenty_bits(519888)


def chip(words: bytes = WORDS, data: bytes = DATA, ident: int = 0x58) -> RegisterBus:
    return RegisterBus({0x76: {0xD0: bytes([ident]), 0x88: words, 0xF7: data}})


def sample(bus: MemoryBus) -> Reading:
    sensor = BMP280(bus)
    run(sensor.start())
    return run(sensor.read())[0]


def test_worked_example_of_the_datasheet() -> None:
    """§3.12: 25.08 Cel, 100653.27 Pa."""
    reading = sample(chip())

    assert reading.temperature == pytest.approx(25.08, abs=0.005)
    assert reading.pressure == pytest.approx(100_653.27, abs=0.005)


def test_trim_words_follow_table_17() -> None:
    """Every byte is distinct and above 0x7f: a wrong sign or offset must show."""
    words = bytes(range(0x80, 0x98))
    sensor = BMP280(chip(words))

    run(sensor.start())

    def s16(at: int) -> int:
        return int.from_bytes(words[at - 0x88 : at - 0x86], "little", signed=True)

    assert sensor.trim.t == (s16(0x88) + 0x10000, s16(0x8A), s16(0x8C))
    assert sensor.trim.p == (s16(0x8E) + 0x10000, *(s16(at) for at in range(0x90, 0xA0, 2)))


@given(st.integers(0x40000, 0x7FFFF), st.integers(0x68000, 0x8FFFF), st.integers(-99, 99))
def test_an_independent_driver_reads_the_same(raw_p: int, raw_t: int, shift: int) -> None:
    """Adafruit's driver on the same chip; it cuts t_fine to an integer: 0.0002 Cel, 0.1 Pa."""
    peer.sleep = Time().sleep
    words = struct.pack("<HhhHhhhhhhhh", *(word + shift for word in (*T, *P)))
    bus = chip(words, twenty_bits(raw_p) + twenty_bits(raw_t))
    theirs = peer.Adafruit_BMP280_I2C(BusIO(bus), 0x76)

    ours = sample(bus)

    assert ours.temperature == pytest.approx(theirs.temperature, abs=0.0002)
    assert ours.pressure == pytest.approx(theirs.pressure * 100, abs=0.1)


def test_start_identifies_resets_loads_and_warms_up() -> None:
    """The calibration is read when the chip has copied it: bit 0 of status (§4.3.3)."""
    bus = ScriptedBus(
        ("write_read", 0x76, b"\xd0", b"\x58"),
        ("write", 0x76, b"\xe0\xb6"),
        ("write_read", 0x76, b"\xf3", b"\x01"),
        ("write_read", 0x76, b"\xf3", b"\x08"),  # another bit: measuring
        ("write_read", 0x76, b"\x88", WORDS),
        ("write", 0x76, b"\xf4\x25"),
    )

    _, waits = run(BMP280(bus).start())

    assert waits == [0.002, 0.002, 0.0064]
    bus.done()


def test_the_result_is_fetched_in_one_burst_after_the_wait() -> None:
    """Both values hold still only within one transfer (§3.9)."""
    sensor = BMP280(chip())
    run(sensor.start())
    sensor.bus = bus = ScriptedBus(
        ("write", 0x76, b"\xf4\x25"),
        ("write_read", 0x76, b"\xf7", DATA),
    )

    _, waits = run(sensor.read())

    assert waits == [0.0064]
    bus.done()


def test_what_a_reset_leaves_is_no_reading() -> None:
    """Both registers hold a number, but no measurement (§4.3.6)."""
    with pytest.raises(BadReading, match="0x76 did not measure"):
        sample(chip(data=b"\x80\x00\x00" * 2))


@pytest.mark.parametrize(
    ("data", "cel", "pa"),
    [
        (b"\x80\x00\x00" + DATA[3:], 25.08, 81_875),
        (DATA[:3] + b"\x80\x00\x00", 26.47, 100_866),
    ],
)
def test_one_value_that_looks_like_a_reset_is_true(data: bytes, cel: float, pa: float) -> None:
    """Both are started by one register: without the other, it was measured."""
    reading = sample(chip(data=data))

    assert reading.temperature == pytest.approx(cel, abs=0.01)
    assert reading.pressure == pytest.approx(pa, abs=1)


@pytest.mark.parametrize("at", [0, 6])
@pytest.mark.parametrize("blank", [b"\x00\x00", b"\xff\xff"])
def test_a_blank_calibration_is_refused(at: int, blank: bytes) -> None:
    """P1 = 0 would divide by zero; all ones would give plausible nonsense."""
    with pytest.raises(BadReading, match="0x76 has a blank calibration"):
        sample(chip(words=WORDS[:at] + blank + WORDS[at + 2 :]))


def test_a_chip_that_never_leaves_its_reset_is_not_ready() -> None:
    """Five times its start-up time is enough."""
    bus = chip()
    bus.write(0x76, b"\xf3\x01")
    waits: list[float] = []

    with pytest.raises(NotReady, match="BMP280 at 0x76 does not come out of its reset"):
        waits.extend(BMP280(bus).start())
    assert waits == [0.002] * 5


def test_a_bme280_is_named_with_its_driver_and_left_alone() -> None:
    """It would be read without an error, and its humidity be lost."""
    bus = chip(ident=0x60)

    with pytest.raises(WrongChip, match=r"0x76 answers as BME280 \(0x60\): use driver: bme280"):
        run(BMP280(bus).start())
    assert not bus.writes


@pytest.mark.parametrize(("ident", "known"), [(0x58, True), (0x57, True), (0x60, False)])
def test_it_is_known_by_its_number(ident: int, known: bool) -> None:
    assert BMP280.identify(chip(ident=ident), 0x76) is known


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x77"):
        run(BMP280(chip(), address=0x77).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "temperature": ("Cel", -40, 85, 0.001),
        "pressure": ("Pa", 30_000, 110_000, 0.1),
    }
