"""Bosch BME680 and BME688: temperature, pressure, relative humidity and gas (I2C).

Datasheets: Bosch BST-BME680-DS001 rev. 1.9 ("§" below) and BST-BME688-DS000. What they leave open
is as in Bosch's own BME68x Sensor API, 4.4.8. The index of air quality is Bosch's secret; what
the chip measures is a resistance, and that is given.
Wiring: VIN to 3V3, SDA and SCL to pins 3 and 5; SDO to ground (0x76) or to 3V3 (0x77).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger import bosch
from pilogger.bus.i2c import Block, Bus, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

RESET_S = 0.01
HUMIDITY_X1 = 0b001  # osrs_h x1
FORCED_X1 = 0b001_001_01  # osrs_t x1, osrs_p x1, one forced conversion
RUN_GAS_680, RUN_GAS_688 = 0b0001_0000, 0b0010_0000
HEATER_CEL, HEATER_S = 320, 0.148
HEATER_WAIT = 1 << 6 | 37  # 4 x 37 ms
CONVERSION_S = (1000 + 3 * 1963 + 9 * 477) / 1e6  # wakes up, three samples, switches and gas
MORE_S, MORE_TRIES = 0.01, 5
STATUS, DONE = 0b1110_0000, 0b1000_0000  # new data, and neither gas nor the rest is measured
GAS_VALID, HEATER_STABLE = 0x20, 0x10
SKIPPED = 0x8000  # the humidity if osrs_h was lost; it can be true, too

TEMPERATURE = Channel("Cel", -40, 85, step=0.001)  # 16 bits at x1: 0.005 Cel
PRESSURE = Channel("Pa", 30_000, 110_000, step=0.1)  # 16 bits at x1: 2.9 Pa
HUMIDITY = Channel("%", 0, 100, step=0.001)  # 0.008 %
GAS = Channel("Ohm", 100, 110_000_000, step=1)  # 10 bits in 16 ranges


class Reading(NamedTuple):
    """One sample; `gas` is None while the heater is cold or unstable."""

    temperature: Annotated[float, TEMPERATURE]
    pressure: Annotated[float, PRESSURE]
    humidity: Annotated[float, HUMIDITY]
    gas: Annotated[float | None, GAS]


class Trim(NamedTuple):
    """The factory's calibration words (§3.3 and §3.4, their tables)."""

    t: tuple[int, int, int]
    p: tuple[int, int, int, int, int, int, int, int, int, int]
    h: tuple[int, int, int, int, int, int, int]
    gh: tuple[int, int, int]
    heat_value: int
    heat_range: int
    gas_error: int


def fine_temperature(raw: int, trim: Trim) -> float:
    """Return t_fine, which is 5120 times the temperature in Celsius (§3.3.1)."""
    t1, t2, t3 = trim.t
    return bosch.fine_temperature(raw, (t1, t2, t3 * 16))


def pressure(raw: int, t_fine: float, trim: Trim) -> float:
    """Return the pressure in pascal (§3.3.2): the BMP280's formula with words of other scales."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 = trim.p
    words = (p1, p2, p3 * 32, p4, p5, p6 / 4, p7 * 128, p8, p9)
    return bosch.pressure(raw, t_fine, words, p10)


def humidity(raw: int, celsius: float, trim: Trim) -> float:
    """Return the relative humidity in percent, clamped to 0..100 (§3.3.3)."""
    h1, h2, h3, h4, h5, h6, h7 = trim.h
    gain = h2 / 262144 * (1 + h4 / 16384 * celsius + h5 / 1048576 * celsius**2)
    h = (raw - (h1 * 16 + h3 / 2 * celsius)) * gain
    return min(max(h + (h6 / 16384 + h7 / 2097152 * celsius) * h * h, 0.0), 100.0)


def heater(celsius: float, ambient: float, trim: Trim) -> int:
    """Return the code of a heater temperature, given that of the air (§3.3.5)."""
    g1, g2, g3 = trim.gh
    x = (g1 / 16 + 49) * (1 + (g2 / 32768 * 0.0005 + 0.00235) * celsius) + g3 / 1024 * ambient
    return int(3.4 * (x * 4 / (4 + trim.heat_range) / (1 + trim.heat_value * 0.002) - 25))


K1 = (0, 0, 0, 0, 0, -1, 0, -0.8, 0, 0, -0.2, -0.5, 0, -1, 0, 0)  # percent by range, §3.4.1
K2 = (0, 0, 0, 0, 0.1, 0.7, 0, -0.8, -0.1, 0, 0, 0, 0, 0, 0, 0)


def ohm_680(adc: int, scale: int, gas_error: int) -> float:
    """Return the resistance that a BME680 saw in one of its 16 ranges (§3.4.1)."""
    x = (1340 + 5 * gas_error) * (1 + K1[scale] / 100)
    return 1 / ((1 + K2[scale] / 100) * 0.000000125 * (1 << scale) * ((adc - 512) / x + 1))


def ohm_688(adc: int, scale: int) -> float:
    """Return the resistance that a BME688 saw in one of its 16 ranges."""
    return 1e6 * (262144 >> scale) / (4096 + 3 * (adc - 512))


class BME680(bosch.BoschDevice):
    """Takes all four from one conversion, a hot plate at 320 Cel for 0.15 s; sleeps in between.

    Options:
        address: 0x76, or 0x77 if SDO is high.
        gas: false leaves the plate cold: no gas, less current, and less warmth of its own.
    """

    addresses = (0x76, 0x77)
    name = "BME680"
    variant = Register(0xF0)  # 1 is a BME688
    res_heat = Register(0x5A)
    gas_wait = Register(0x64)
    ctrl_gas = Register(0x71)
    ctrl_hum = Register(0x72)
    ctrl_meas = Register(0x74)
    data = Block(0x1D, ">BxHBHBH3xHH")  # status, press, temp, hum, gas of BME680, of BME688
    trim_tp = Block(0x8A, "<hbxHhbxhhbbxxhhB")  # t2, t3, p1..p10, but p7 before p6
    trim_rest = Block(0xE1, "<BBBbbbBbHhbb")  # h1 and h2 share 0xE2; h3..h7, t1, gh2, gh1, gh3
    trim_gas = Block(0x00, "bxBxb")

    trim: Trim
    is_688: bool
    ambient: float

    def __init__(self, bus: Bus, address: int = 0x76, gas: bool = True) -> None:
        super().__init__(bus, address)
        self.gas = gas

    def start(self) -> Steps[None]:
        """Identify the chip, reset it, load its calibration, and warm up with one conversion.

        Raises:
            WrongChip: a look-alike lives at this address.
            BadReading: the calibration is blank.
        """
        self.check_identity()
        self.reset = bosch.SOFT_RESET
        yield RESET_S
        self.is_688 = self.variant == 1
        self.trim = self._load_trim()
        self.ambient = 25
        yield from self._convert()  # the first conversion after a reset can be off: drop it

    def read(self) -> Steps[Reading]:
        """Take one sample: all values from the same conversion, in 160 ms.

        Raises:
            BadReading: the chip did not measure, as after a dip of its supply.
        """
        status, p_high, p_low, t_high, t_low, raw_h, gas_680, gas_688 = yield from self._convert()
        raw_p, raw_t = p_high << 4 | p_low >> 4, t_high << 4 | t_low >> 4
        skipped = raw_h == SKIPPED and self.ctrl_hum != HUMIDITY_X1
        if skipped or status & STATUS != DONE:
            raise BadReading(f"the BME680 at {self.address:#04x} did not measure")
        t_fine = fine_temperature(raw_t, self.trim)
        self.ambient = t_fine / 5120
        return Reading(
            temperature=self.ambient,
            pressure=pressure(raw_p, t_fine, self.trim),
            humidity=humidity(raw_h, self.ambient, self.trim),
            gas=self._ohm(gas_688 if self.is_688 else gas_680),
        )

    def _ohm(self, word: int) -> float | None:
        if not (word & GAS_VALID and word & HEATER_STABLE):
            return None
        adc, scale = word >> 6, word & 0x0F
        return ohm_688(adc, scale) if self.is_688 else ohm_680(adc, scale, self.trim.gas_error)

    def _convert(self) -> Steps[tuple[int, ...]]:
        """Set everything up, which a dip of the supply undoes, and return what was measured."""
        self.ctrl_hum = HUMIDITY_X1
        if self.gas:
            self.res_heat = heater(HEATER_CEL, self.ambient, self.trim)
            self.gas_wait = HEATER_WAIT
        run_gas = RUN_GAS_688 if self.is_688 else RUN_GAS_680
        self.ctrl_gas = run_gas if self.gas else 0
        self.ctrl_meas = FORCED_X1
        yield CONVERSION_S + (HEATER_S if self.gas else 0)
        found = self.data
        for _ in range(MORE_TRIES):
            if found[0] & STATUS == DONE:
                break
            yield MORE_S
            found = self.data
        return found

    def _load_trim(self) -> Trim:
        t2, t3, p1, p2, p3, p4, p5, p7, p6, p8, p9, p10 = self.trim_tp
        e1, e2, e3, h3, h4, h5, h6, h7, t1, g2, g1, g3 = self.trim_rest
        heat_value, heat_range, gas_error = self.trim_gas
        if {t1, p1} & {0, 0xFFFF}:
            raise BadReading(f"the BME680 at {self.address:#04x} has a blank calibration")
        return Trim(
            t=(t1, t2, t3),
            p=(p1, p2, p3, p4, p5, p6, p7, p8, p9, p10),
            h=(e3 << 4 | e2 & 0x0F, e1 << 4 | e2 >> 4, h3, h4, h5, h6, h7),
            gh=(g1, g2, g3),
            heat_value=heat_value,
            heat_range=heat_range >> 4 & 0b11,
            gas_error=gas_error >> 4,
        )
