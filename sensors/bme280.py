"""Bosch BME280: temperature, pressure and relative humidity (I2C).

Datasheet: Bosch BST-BME280-DS002 rev. 1.6; "§" below refers to it.
Wiring: VCC to 3V3, SDA and SCL to pins 3 and 5; SDO to ground (0x76) or to 3V3 (0x77).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger import bosch
from pilogger.bus.i2c import Block, Bus, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

HUMIDITY_X1 = 0b001  # osrs_h x1, §5.4.3
FORCED_X1 = 0b001_001_01  # osrs_t x1, osrs_p x1, one forced conversion, §5.4.5
CONVERSION_S = (1.25 + 2.3 + (2.3 + 0.575) + (2.3 + 0.575)) / 1000  # longest, all at x1, §9.1
SKIPPED = 0x8000  # the humidity if osrs_h was lost; it can be true, too, §5.4.9

TEMPERATURE = Channel("Cel", -40, 85, step=0.001)  # 16 bits at x1: 0.005 Cel
PRESSURE = Channel("Pa", 30_000, 110_000, step=0.1)  # 16 bits at x1: 2.6 Pa
HUMIDITY = Channel("%", 0, 100, step=0.001)  # 0.008 %


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]
    pressure: Annotated[float, PRESSURE]
    humidity: Annotated[float, HUMIDITY]


class Trim(NamedTuple):
    """The factory's calibration words (§4.2.2, table 16)."""

    t: tuple[int, int, int]
    p: tuple[int, int, int, int, int, int, int, int, int]
    h: tuple[int, int, int, int, int, int]


def humidity(raw: int, t_fine: float, trim: Trim) -> float:
    """Return the relative humidity in percent, clamped to 0..100 (§8.1)."""
    h1, h2, h3, h4, h5, h6 = trim.h
    x = t_fine - 76800
    gain = h2 / 65536 * (1 + h6 / 67108864 * x * (1 + h3 / 67108864 * x))
    h = (raw - (h4 * 64 + h5 / 16384 * x)) * gain
    return min(max(h * (1 - h1 * h / 524288), 0.0), 100.0)


class BME280(bosch.Bosch280):
    """Takes temperature, pressure and humidity from one conversion; sleeps in between.

    Options:
        address: 0x76, or 0x77 if SDO is high.
    """

    addresses = (0x76, 0x77)
    name = "BME280"
    ctrl_hum = Register(0xF2)  # §5.4.3; takes effect when ctrl_meas is written
    ctrl_meas = Register(0xF4)  # §5.4.5
    data = Block(0xF7, ">HBHBH")  # press, temp (20 bits each), hum, §5.4.7-9
    trim_tp = Block(0x88, "<HhhHhhhhhhhhxB")  # dig_T1..dig_P9, dig_H1, table 16
    trim_h = Block(0xE1, "<hBbBbb")  # dig_H2..dig_H6; 0xE5 shares two nibbles

    trim: Trim

    def __init__(self, bus: Bus, address: int = 0x76) -> None:
        super().__init__(bus, address)

    def start(self) -> Steps[None]:
        """Identify the chip, reset it, load its calibration, and warm up with one conversion.

        Raises:
            WrongChip: a look-alike lives at this address.
            NotReady: the chip is still copying its calibration after 10 ms.
            BadReading: the calibration is blank.
        """
        self.check_identity()
        yield from self.restart()
        self.trim = self._load_trim()
        yield from self._convert()  # the first conversion after a reset can be off: drop it

    def read(self) -> Steps[Reading]:
        """Take one sample: all three values from the same conversion, in 10 ms.

        Raises:
            BadReading: the chip did not measure, as after a dip of its supply.
        """
        yield from self._convert()
        p_high, p_low, t_high, t_low, raw_h = self.data
        raw_p, raw_t = p_high << 4 | p_low >> 4, t_high << 4 | t_low >> 4
        skipped = raw_h == SKIPPED and self.ctrl_hum != HUMIDITY_X1
        if skipped or bosch.unmeasured(raw_p, raw_t):
            raise BadReading(f"the BME280 at {self.address:#04x} did not measure")
        t_fine = bosch.fine_temperature(raw_t, self.trim.t)
        return Reading(
            temperature=t_fine / 5120,
            pressure=bosch.pressure(raw_p, t_fine, self.trim.p),
            humidity=humidity(raw_h, t_fine, self.trim),
        )

    def _convert(self) -> Steps[None]:
        self.ctrl_hum = HUMIDITY_X1
        self.ctrl_meas = FORCED_X1
        yield CONVERSION_S

    def _load_trim(self) -> Trim:
        words = self.trim_tp
        h2, h3, e4, e5, e6, h6 = self.trim_h
        h4, h5 = e4 << 4 | e5 & 0x0F, e6 << 4 | e5 >> 4  # signed: e4 and e6 are
        trim = Trim(words[:3], words[3:12], (words[12], h2, h3, h4, h5, h6))
        if {trim.t[0], trim.p[0]} & {0, 0xFFFF}:
            raise BadReading(f"the BME280 at {self.address:#04x} has a blank calibration")
        return trim
