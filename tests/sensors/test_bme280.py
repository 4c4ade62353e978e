"""BME280 register by register, and its arithmetic against Bosch's own numbers."""

from __future__ import annotations

import struct
from typing import Any

import bme280 as peer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bosch import fine_temperature, pressure
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, NotReady, WrongChip
from pilogger.sensors.bme280 import BME280, Reading, Trim, humidity
from pilogger.testing import MemoryBus, ScriptedBus, run

# A chip that was recorded for periph.io/x/devices, bmxx80/bmx280_test.go.
LOW = bytes.fromhex("106e6c6632005d95b8d5d00b771e9dfff9ffac260ad8bd10004b")
HIGH = bytes.fromhex("6e01001305001e")
DATA = bytes.fromhex("4a52c08096c07a76")

# BST-BMP280-DS001 §3.12; by §5.2 the BME280 reads temperature and pressure alike.
T = (27504, 26435, -1000)
P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
H = (75, 362, 20, 313, 50, 30)  # no published example: typical words, none of them zero
EXAMPLE = Trim(T, P, H)


def chip(low: bytes = LOW, high: bytes = HIGH, data: bytes = DATA, ident: int = 0x60) -> MemoryBus:
    return MemoryBus({0x76: {0xD0: bytes([ident]), 0x88: low, 0xE1: high, 0xF7: data}})


def sample(bus: MemoryBus) -> Reading:
    sensor = BME280(bus)
    run(sensor.start())
    return run(sensor.read())[0]


def test_a_recorded_chip_end_to_end() -> None:
    """Bosch's floating-point formulas on the recorded bytes."""
    reading = sample(chip())

    assert reading.temperature == pytest.approx(23.7221, abs=0.0001)
    assert reading.pressure == pytest.approx(100_942.965, abs=0.005)
    assert reading.humidity == pytest.approx(65.3061, abs=0.0001)


def test_worked_example_of_the_datasheet() -> None:
    """BST-BMP280-DS001 §3.12: 25.08 Cel, 100653.27 Pa."""
    t_fine = fine_temperature(519888, T)

    assert t_fine == pytest.approx(128422.287, abs=0.001)
    assert pressure(415148, t_fine, P) == pytest.approx(100_653.27, abs=0.005)


def test_trim_words_follow_table_16() -> None:
    """Every byte is distinct and above 0x7f: a wrong sign or offset must show."""
    low, high = bytes(range(0x80, 0x9A)), b"\xe1\xe2\xe3\xb4\xc5\xd6\xe7"
    sensor = BME280(chip(low, high))

    run(sensor.start())

    def s16(at: int) -> int:
        return int.from_bytes(low[at - 0x88 : at - 0x86], "little", signed=True)

    assert sensor.trim.t == (s16(0x88) + 0x10000, s16(0x8A), s16(0x8C))
    assert sensor.trim.p == (s16(0x8E) + 0x10000, *(s16(at) for at in range(0x90, 0xA0, 2)))
    assert sensor.trim.h == (0x99, -0x1D1F, 0xE3, -76 * 16 + 0x5, -42 * 16 + 0xC, -25)


@given(st.integers(0, 0xFFFF), st.integers(-40 * 5120, 85 * 5120))
def test_humidity_agrees_with_the_integer_formula(raw: int, t_fine: int) -> None:
    """Two formulas of the datasheet, §8.1 and §4.2.3, check one another."""
    h1, h2, h3, h4, h5, h6 = H
    x = t_fine - 76800
    gain = (((x * h6 >> 10) * ((x * h3 >> 11) + 32768) >> 10) + 2097152) * h2 + 8192
    v = ((raw << 14) - (h4 << 20) - h5 * x + 16384 >> 15) * (gain >> 14)
    v -= ((v >> 15) * (v >> 15) >> 7) * h1 >> 4
    expected = min(max(v, 0), 419430400) / 4096 / 1024

    assert humidity(raw, t_fine, EXAMPLE) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("raw", "percent"), [(0, 0), (0xFFFF, 100)])
def test_humidity_is_clamped_to_what_exists(raw: int, percent: float) -> None:
    assert humidity(raw, 128_000, EXAMPLE) == percent


class SMBus:
    """The bus as RPi.bme280 wants it: words are little-endian."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus

    def read_byte_data(self, address: int, register: int) -> int:
        return self.bus.write_read(address, bytes([register]), 1)[0]

    def read_word_data(self, address: int, register: int) -> int:
        return int.from_bytes(self.bus.write_read(address, bytes([register]), 2), "little")


def twenty_bits(raw: int) -> bytes:
    return (raw << 4).to_bytes(3, "big")


@given(st.integers(0x40000, 0x7FFFF), st.integers(0x68000, 0x7FFFF), st.integers(0x4000, 0x7FFF))
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_an_independent_driver_reads_the_same(raw_p: int, raw_t: int, raw_h: int) -> None:
    """RPi.bme280 on the same bytes; its words below 0x8000 hide that it reads H3 as signed."""
    data = twenty_bits(raw_p) + twenty_bits(raw_t) + struct.pack(">H", raw_h)
    bus = chip(data=data)
    params = peer.load_calibration_params(SMBus(bus), 0x76)
    theirs: Any = peer.compensated_readings(peer.uncompensated_readings(data), params)

    ours = sample(bus)

    assert ours.temperature == pytest.approx(theirs.temperature, abs=1e-9)
    assert ours.pressure == pytest.approx(theirs.pressure * 100, abs=1e-6)
    assert ours.humidity == pytest.approx(theirs.humidity, abs=1e-9)


def test_start_identifies_resets_loads_and_warms_up() -> None:
    """The calibration is read when the chip has copied it: bit 0 of status (§5.4.4)."""
    bus = ScriptedBus(
        ("write_read", 0x76, b"\xd0", b"\x60"),
        ("write", 0x76, b"\xe0\xb6"),
        ("write_read", 0x76, b"\xf3", b"\x01"),
        ("write_read", 0x76, b"\xf3", b"\x08"),  # another bit: measuring
        ("write_read", 0x76, b"\x88", LOW),
        ("write_read", 0x76, b"\xe1", HIGH),
        ("write", 0x76, b"\xf2\x01"),
        ("write", 0x76, b"\xf4\x25"),
    )

    _, waits = run(BME280(bus).start())

    assert waits == [0.002, 0.002, pytest.approx(0.0093)]
    bus.done()


def test_humidity_is_configured_before_the_conversion_starts() -> None:
    """ctrl_hum only takes effect with the next write of ctrl_meas (§5.4.3)."""
    bus = chip()
    sensor = BME280(bus)
    run(sensor.start())
    bus.writes.clear()

    wait = next(sensor.read())

    assert bus.writes == [(0x76, b"\xf2\x01"), (0x76, b"\xf4\x25")]
    assert wait >= 0.0093


def test_the_result_is_fetched_after_the_wait() -> None:
    bus = chip()
    sensor = BME280(bus)
    run(sensor.start())
    steps = sensor.read()
    next(steps)
    other = twenty_bits(300_000) + twenty_bits(500_000) + b"\x70\x00"

    bus.write(0x76, b"\xf7" + other)

    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == sample(chip(data=other)) != sample(chip())


def test_what_a_reset_leaves_is_no_reading() -> None:
    """All three registers hold a number, but no measurement (§5.4.7)."""
    with pytest.raises(BadReading, match="0x76 did not measure"):
        sample(chip(data=bytes.fromhex("800000 800000 8000")))


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        ("800000 8096c0 7a76", "pressure", 65_036.48),
        ("4a52c0 800000 7a76", "temperature", 22.968),
        ("4a52c0 8096c0 8000", "humidity", 73.2217),
    ],
)
def test_one_value_that_looks_like_a_reset_is_true(data: str, name: str, value: float) -> None:
    """One register starts pressure and temperature; the humidity's still says that it was asked."""
    reading = sample(chip(data=bytes.fromhex(data)))

    assert getattr(reading, name) == pytest.approx(value, rel=1e-4)


def test_humidity_that_was_skipped_is_no_reading() -> None:
    """A dip of the supply after ctrl_hum was written, and before the conversion began."""
    bus = chip(data=bytes.fromhex("4a52c0 8096c0 8000"))
    sensor = BME280(bus)
    run(sensor.start())
    steps = sensor.read()
    next(steps)
    bus.write(0x76, b"\xf2\x00")

    with pytest.raises(BadReading, match="0x76 did not measure"):
        next(steps)


@pytest.mark.parametrize("blank", [b"\x00", b"\xff"])
def test_a_blank_calibration_is_refused(blank: bytes) -> None:
    """P1 = 0 would divide by zero; all ones would give plausible nonsense."""
    with pytest.raises(BadReading, match="blank calibration"):
        sample(chip(low=blank * 26))


def test_a_chip_that_never_leaves_its_reset_is_not_ready() -> None:
    bus = chip()
    bus.write(0x76, b"\xf3\x01")

    with pytest.raises(NotReady, match="0x76 does not come out of its reset"):
        run(BME280(bus).start())


@pytest.mark.parametrize(
    ("ident", "name"),
    [(0x58, "BMP280"), (0x56, "BMP280"), (0x57, "BMP280"), (0x61, "BME680"), (0x55, "BMP180")],
)
def test_a_lookalike_is_named_with_its_driver_and_left_alone(ident: int, name: str) -> None:
    """Nothing is written to a chip of another kind, not even a reset."""
    bus = chip(ident=ident)

    with pytest.raises(WrongChip) as error:
        run(BME280(bus).start())
    assert str(error.value) == f"0x76 answers as {name} ({ident:#04x}): use driver: {name.lower()}"
    assert not bus.writes
    assert not BME280.identify(bus, 0x76)


def test_a_stranger_is_named_by_its_number() -> None:
    bus = chip(ident=0x00)

    with pytest.raises(WrongChip, match="0x76 answers as 0x00, not BME280"):
        run(BME280(bus).start())
    assert not bus.writes
    assert not BME280.identify(bus, 0x76)
    assert BME280.identify(chip(), 0x76)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x77"):
        run(BME280(chip(), address=0x77).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: c.unit for name, c in found.items()} == {
        "temperature": "Cel",
        "pressure": "Pa",
        "humidity": "%",
    }
    assert (found["temperature"].low, found["temperature"].high) == (-40, 85)
    assert (found["pressure"].low, found["pressure"].high) == (30_000, 110_000)
    assert (found["humidity"].low, found["humidity"].high) == (0, 100)
