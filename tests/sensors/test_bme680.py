"""BME680 and BME688 register by register, and their arithmetic against two other drivers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import adafruit_bme680
import bme680 as peer
import pytest
from adafruit_rig import BusIO, RegisterBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.bme680 import BME680, Reading, Trim, heater, humidity, ohm_680, ohm_688
from pilogger.testing import MemoryBus, ScriptedBus, run

# A chip that was recorded for github.com/pimoroni/bme680-python, tests/.
TRIM = Trim(
    t=(26041, 26469, 3),
    p=(36673, -10515, 88, 7310, -129, 30, 46, -3177, -2379, 30),
    h=(676, 1029, 0, 45, 20, 120, -100),
    gh=(-30, -24754, 18),
    heat_value=48,
    heat_range=1,
    gas_error=0,
)


def field(
    raw_p: int = 353485, raw_t: int = 501240, raw_h: int = 19019, gas: tuple[int, int] = (0, 0)
) -> bytes:
    """Registers 0x1D to 0x2D after a conversion; `gas` is for a BME680 and for a BME688."""
    return (
        b"\x9f\x00"
        + (raw_p << 28 | raw_t << 4).to_bytes(6, "big")
        + raw_h.to_bytes(2, "big")
        + bytes(3)
        + b"".join(word.to_bytes(2, "big") for word in gas)
    )


def chip(trim: Trim = TRIM, data: bytes = b"", ident: int = 0x61, variant: int = 0) -> RegisterBus:
    """Put every word at the address that the data sheet's tables give it."""
    h1, h2, *h = trim.h
    cells = {0xD0: ident, 0xF0: variant, 0xE1: h2 >> 4, 0xE3: h1 >> 4}
    cells[0xE2] = (h2 & 0x0F) << 4 | h1 & 0x0F
    cells[0x00], cells[0x02], cells[0x04] = (
        trim.heat_value,
        trim.heat_range << 4 | 0x0F,
        trim.gas_error << 4 | 0x0F,
    )
    cells |= {0x8C: trim.t[2], 0x92: trim.p[2], 0x99: trim.p[5], 0x98: trim.p[6]}
    cells |= {0xA0: trim.p[9], 0xED: trim.gh[0], 0xEE: trim.gh[2]}
    cells |= {0xE4 + at: word for at, word in enumerate(h)}
    words = {0xE9: trim.t[0], 0x8A: trim.t[1], 0xEB: trim.gh[1]}
    for address, which in ((0x8E, 0), (0x90, 1), (0x94, 3), (0x96, 4), (0x9C, 7), (0x9E, 8)):
        words[address] = trim.p[which]
    registers = {address: bytes([value & 0xFF]) for address, value in cells.items()}
    registers |= {at: (word & 0xFFFF).to_bytes(2, "little") for at, word in words.items()}
    return RegisterBus({0x76: registers | {0x1D: data or field()}})


def sample(bus: MemoryBus, **options: Any) -> Reading:
    sensor = BME680(bus, **options)
    run(sensor.start())
    return run(sensor.read())[0]


def test_a_recorded_chip_end_to_end() -> None:
    """Integer formulas made 26.69 Cel, 98712 Pa and 42.402 % of it; they lose 5 Pa, 0.01 %."""
    reading = sample(chip())

    assert reading.temperature == pytest.approx(26.69, abs=0.01)
    assert reading.pressure == pytest.approx(98_712, abs=6)
    assert reading.humidity == pytest.approx(42.402, abs=0.01)
    assert reading.gas is None, "neither valid nor stable"


@pytest.mark.parametrize(("variant", "ohm"), [(0, 12_946_860), (1, 102_400_000)])
def test_the_gas_of_the_two_variants(variant: int, ohm: float) -> None:
    """github.com/pimoroni/bme680-python, tests/: nothing counted in the first range."""
    reading = sample(chip(data=field(gas=(0x30, 0x30)), variant=variant))

    assert reading.gas == pytest.approx(ohm, abs=1)


@pytest.mark.parametrize("variant", [0, 1])
@pytest.mark.parametrize("flags", [0x0F, 0x1F, 0x2F])
def test_gas_that_is_not_valid_or_not_hot_is_absent(variant: int, flags: int) -> None:
    """The flags of the other variant's registers do not count."""
    gas = (flags, 0x30) if variant == 0 else (0x30, flags)

    assert sample(chip(data=field(gas=gas), variant=variant)).gas is None


def test_trim_words_follow_the_tables() -> None:
    """Every byte is distinct and above 0x7f: a wrong sign or offset must show."""
    bus = chip()
    bus.memory[0x76][0x89:0xA2] = bytes(range(0x80, 0x99))
    bus.memory[0x76][0xE1:0xF0] = bytes(range(0xB1, 0xC0))
    bus.memory[0x76][0x00:0x05] = b"\xd1\x00\xe2\x00\xd3"
    sensor = BME680(bus, gas=False)

    run(sensor.start())

    assert sensor.trim.t == (0xBAB9, 0x8281 - 0x10000, 0x83 - 0x100)
    assert sensor.trim.p == (
        0x8685,
        0x8887 - 0x10000,
        0x89 - 0x100,
        0x8C8B - 0x10000,
        0x8E8D - 0x10000,
        0x90 - 0x100,
        0x8F - 0x100,
        0x9493 - 0x10000,
        0x9695 - 0x10000,
        0x97,
    )
    assert sensor.trim.h[:2] == (0xB32, 0xB1B)
    assert sensor.trim.h[2:] == (0xB4 - 256, 0xB5 - 256, 0xB6 - 256, 0xB7, 0xB8 - 256)
    assert sensor.trim.gh == (0xBD - 256, 0xBCBB - 0x10000, 0xBE - 256)
    assert (sensor.trim.heat_value, sensor.trim.heat_range) == (0xD1 - 256, 0b10)
    assert sensor.trim.gas_error == -3


TRIMS = st.builds(
    lambda t, p, h, gh, value, scale, error: Trim(
        (26041 + t, 26469 - t, 3 + t // 40),
        tuple(
            word + p // (1 if abs(word) > 100 else 9)
            for word in (36673, -10515, 88, 7310, -129, 30, 46, -3177, -2379, 30)
        ),
        (676 + h, 1029 - h, h // 3, 45 + h // 9, 20 - h // 9, 120 + h // 9, -100 + h // 9),
        (-30 + gh // 9, -24754 + gh, 18 - gh // 9),
        value,
        scale,
        error,
    ),
    *[st.integers(-99, 99)] * 4,
    st.integers(0, 99),
    st.integers(0, 3),
    st.integers(0, 7),
)
RAW = st.tuples(st.integers(300_000, 550_000), st.integers(300_000, 680_000), st.integers(1, 32767))
GAS = st.tuples(st.integers(0, 1023), st.integers(0, 15)).map(lambda it: it[0] << 6 | 0x30 | it[1])


class SMBus:
    """The bus as Pimoroni's bme680 wants it."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus

    def read_byte_data(self, address: int, register: int) -> int:
        return self.bus.write_read(address, bytes([register]), 1)[0]

    def read_i2c_block_data(self, address: int, register: int, length: int) -> list[int]:
        return list(self.bus.write_read(address, bytes([register]), length))

    def write_byte_data(self, address: int, register: int, value: int) -> None:
        self.bus.write(address, bytes([register, value]))


@given(TRIMS, RAW, GAS, st.integers(0, 1))
def test_two_independent_drivers_read_the_same(
    trim: Trim, raw: tuple[int, int, int], gas: int, variant: int
) -> None:
    """Pimoroni's driver by integers, and Adafruit's, which cuts only t_fine to one.

    Tolerances are what those integers lose. Adafruit swaps the halves of register 0xE2, so
    humidity rests on Pimoroni. Both take the error of the gas ranges as unsigned.
    """
    peer.time = adafruit_bme680.time = Time()
    peer.time.sleep(1)  # Adafruit's gives no reading in its first 0.1 s
    bus = chip(trim, field(*raw, gas=(gas, 0) if variant == 0 else (0, gas)), variant=variant)
    pimoroni = peer.BME680(i2c_device=SMBus(bus))
    pimoroni.ambient_temperature = 25
    adafruit = adafruit_bme680.Adafruit_BME680_I2C(BusIO(bus), 0x76)
    heat = bus.memory[0x76][0x5A]
    theirs = SimpleNamespace(
        temperature=adafruit.temperature, pressure=adafruit.pressure * 100, gas=adafruit.gas
    )

    sensor = BME680(bus)
    run(sensor.start())
    our_heat = bus.memory[0x76][0x5A]
    ours, _ = run(sensor.read())

    assert our_heat == heat
    assert bus.memory[0x76][0x64] == 0x65
    assert ours.temperature == pytest.approx(theirs.temperature, abs=0.006)
    assert ours.pressure == pytest.approx(theirs.pressure, abs=0.1)
    assert ours.gas == pytest.approx(theirs.gas, abs=1.5, rel=1e-5)
    assert ours.temperature == pytest.approx(pimoroni.data.temperature, abs=0.01)
    assert ours.pressure == pytest.approx(pimoroni.data.pressure * 100, abs=20)
    assert ours.humidity == pytest.approx(pimoroni.data.humidity, abs=0.1)
    assert ours.gas == pytest.approx(pimoroni.data.gas_resistance, abs=1, rel=1e-3)


@pytest.mark.parametrize("scale", range(16))
@pytest.mark.parametrize("adc", [0, 512, 1023])
def test_every_gas_range_of_a_bme680(scale: int, adc: int) -> None:
    """Where we have percents, Pimoroni's driver has products; it rounds by adding a half."""
    peer.time = Time()
    pimoroni = peer.BME680(i2c_device=SMBus(chip()))

    theirs = pimoroni._calc_gas_resistance_low(adc, scale) - 0.5

    assert ohm_680(adc, scale, 0) == pytest.approx(theirs, rel=1e-6)


def test_the_heater_is_set_for_the_air_around_it() -> None:
    """At first 25 Cel is assumed; then what was measured."""
    bus = chip()
    sensor = BME680(bus)

    run(sensor.start())
    first = bus.memory[0x76][0x5A]
    sensor.ambient = -40
    run(sensor.read())

    assert first == heater(320, 25, TRIM) == 106
    assert bus.memory[0x76][0x5A] == heater(320, -40, TRIM) == 104
    assert sensor.ambient == pytest.approx(26.69, abs=0.01)


def setup(gas: bool = True, run_gas: int = 0x10, heat: int = 0x6A) -> list[tuple[int, bytes]]:
    hot = [(0x76, bytes([0x5A, heat])), (0x76, b"\x64\x65")] if gas else []
    return [
        (0x76, b"\x72\x01"),
        *hot,
        (0x76, bytes([0x71, run_gas])),
        (0x76, b"\x74\x25"),
    ]


@pytest.mark.parametrize(("variant", "run_gas"), [(0, 0x10), (1, 0x20)])
def test_start_resets_and_warms_up(variant: int, run_gas: int) -> None:
    bus = chip(variant=variant)

    _, waits = run(BME680(bus).start())

    assert bus.writes == [(0x76, b"\xe0\xb6"), *setup(run_gas=run_gas)]
    assert waits == [0.01, pytest.approx(0.159182, abs=1e-7)]


def test_every_poll_sets_everything_up() -> None:
    """A dip of the supply between two polls costs nothing; ctrl_meas comes last and starts."""
    bus = chip()
    sensor = BME680(bus)
    run(sensor.start())
    bus.writes.clear()

    _, waits = run(sensor.read())

    assert bus.writes == setup()
    assert waits == [pytest.approx(0.159182, abs=1e-7)]


def test_without_gas_the_plate_stays_cold() -> None:
    bus = chip(data=field(gas=(0, 0)))
    sensor = BME680(bus, gas=False)
    run(sensor.start())
    bus.writes.clear()

    reading, waits = run(sensor.read())

    assert bus.writes == setup(gas=False, run_gas=0)
    assert waits == [pytest.approx(0.011182, abs=1e-7)]
    assert reading.gas is None


@pytest.mark.parametrize("status", [0x00, 0x60, 0xA0, 0xC0])
def test_a_slow_conversion_is_waited_for(status: int) -> None:
    """Bit 7 is new data; with bit 5 or 6, it is of the conversion before."""
    sensor = BME680(chip(), gas=False)
    run(sensor.start())
    sensor.bus = bus = ScriptedBus(
        ("write", 0x76, b"\x72\x01"),
        ("write", 0x76, b"\x71\x00"),
        ("write", 0x76, b"\x74\x25"),
        ("write_read", 0x76, b"\x1d", bytes([status]) + field()[1:]),
        ("write_read", 0x76, b"\x1d", field()),
    )

    reading, waits = run(sensor.read())

    assert reading.temperature == pytest.approx(26.69, abs=0.01)
    assert waits[1:] == [0.01]
    bus.done()


def test_no_new_data_is_no_reading() -> None:
    bus = chip()
    sensor = BME680(bus)
    run(sensor.start())
    bus.memory[0x76][0x1D] = 0x7F
    waits: list[float] = []

    with pytest.raises(BadReading, match="BME680 at 0x76 did not measure"):
        waits.extend(sensor.read())
    assert waits[1:] == [0.01] * 5


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        (field(raw_p=0x80000), "pressure", 69_513),
        (field(raw_t=0x80000), "temperature", 33.968),
        (field(raw_h=0x8000), "humidity", 100),
    ],
)
def test_a_value_that_looks_like_a_reset_is_true(data: bytes, name: str, value: float) -> None:
    """The status says that there is new data, ctrl_hum that humidity was asked for."""
    reading = sample(chip(data=data))

    assert getattr(reading, name) == pytest.approx(value, rel=1e-4)


def test_humidity_that_was_skipped_is_no_reading() -> None:
    """A dip of the supply after ctrl_hum was written, and before the conversion began."""
    bus = chip(data=field(raw_h=0x8000))
    sensor = BME680(bus)
    run(sensor.start())
    steps = sensor.read()
    next(steps)
    bus.write(0x76, b"\x72\x00")

    with pytest.raises(BadReading, match="BME680 at 0x76 did not measure"):
        next(steps)


@pytest.mark.parametrize("at", [0xE9, 0x8E])
@pytest.mark.parametrize("blank", [b"\x00\x00", b"\xff\xff"])
def test_a_blank_calibration_is_refused(at: int, blank: bytes) -> None:
    bus = chip()
    bus.memory[0x76][at : at + 2] = blank

    with pytest.raises(BadReading, match="BME680 at 0x76 has a blank calibration"):
        run(BME680(bus).start())


def test_a_bme280_is_named_with_its_driver_and_left_alone() -> None:
    bus = chip(ident=0x60)

    with pytest.raises(WrongChip, match=r"0x76 answers as BME280 \(0x60\): use driver: bme280"):
        run(BME680(bus).start())
    assert not bus.writes
    assert not BME680.identify(bus, 0x76)
    assert BME680.identify(chip(), 0x76)


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x77"):
        run(BME680(chip(), address=0x77).start())


@pytest.mark.parametrize(("raw", "rh"), [(1, 0), (32767, 100)])
def test_humidity_is_clamped_to_what_exists(raw: int, rh: float) -> None:
    assert humidity(raw, 25, TRIM) == rh


def test_channels_carry_units_and_ranges() -> None:
    """The gas range is that of both variants, at the ends of their ranges."""
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "temperature": ("Cel", -40, 85, 0.001),
        "pressure": ("Pa", 30_000, 110_000, 0.1),
        "humidity": ("%", 0, 100, 0.001),
        "gas": ("Ohm", 100, 110_000_000, 1),
    }
    assert found["gas"].low < ohm_680(1023, 15, -8) < ohm_680(0, 0, 7) < found["gas"].high
    assert found["gas"].low < ohm_688(1023, 15) < ohm_688(0, 0) < found["gas"].high
