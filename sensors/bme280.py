"""Bosch BME280: temperature, pressure and relative humidity (I2C).

Datasheet: Bosch BST-BME280-DS002 rev. 1.6; "§" below refers to it.
Wiring: VCC to 3V3, SDA and SCL to pins 3 and 5; SDO to ground (0x76) or to 3V3 (0x77).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Block, Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NotReady, WrongChip

CHIP_ID = 0x60  # §5.4.1
LOOKALIKES = {0x55: "BMP180", 0x56: "BMP280", 0x57: "BMP280", 0x58: "BMP280", 0x61: "BME680"}
SOFT_RESET = 0xB6  # §5.4.2
IM_UPDATE = 0b0000_0001  # status bit: calibration is being copied, §5.4.4
STARTUP_S = 0.002  # §1.1, table 1
STARTUP_TRIES = 5
HUMIDITY_X1 = 0b001  # osrs_h x1, §5.4.3
FORCED_X1 = 0b001_001_01  # osrs_t x1, osrs_p x1, one forced conversion, §5.4.5
CONVERSION_S = (1.25 + 2.3 + (2.3 + 0.575) + (2.3 + 0.575)) / 1000  # longest, all at x1, §9.1
SKIPPED_20_BITS, SKIPPED_16_BITS = 0x80000, 0x8000  # what no conversion leaves, §5.4.7-9

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


def fine_temperature(raw: int, trim: Trim) -> float:
    """Return t_fine, which is 5120 times the temperature in Celsius (§8.1)."""
    t1, t2, t3 = trim.t
    return (raw / 16384 - t1 / 1024) * t2 + (raw / 131072 - t1 / 8192) ** 2 * t3


def pressure(raw: int, t_fine: float, trim: Trim) -> float:
    """Return the pressure in pascal (§8.1)."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = trim.p
    x = t_fine / 2 - 64000
    offset = (x * x * p6 / 32768 + x * p5 * 2) / 4 + p4 * 65536
    scale = (1 + (p3 * x * x / 524288 + p2 * x) / 524288 / 32768) * p1
    p = (1048576 - raw - offset / 4096) * 6250 / scale
    return p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16


def humidity(raw: int, t_fine: float, trim: Trim) -> float:
    """Return the relative humidity in percent, clamped to 0..100 (§8.1)."""
    h1, h2, h3, h4, h5, h6 = trim.h
    x = t_fine - 76800
    gain = h2 / 65536 * (1 + h6 / 67108864 * x * (1 + h3 / 67108864 * x))
    h = (raw - (h4 * 64 + h5 / 16384 * x)) * gain
    return min(max(h * (1 - h1 * h / 524288), 0.0), 100.0)


class BME280(I2CDevice):
    """Takes temperature, pressure and humidity from one conversion; sleeps in between.

    Options:
        address: 0x76, or 0x77 if SDO is high.
    """

    chip_id = Register(0xD0)  # §5.4.1
    reset = Register(0xE0)  # §5.4.2
    status = Register(0xF3)  # §5.4.4
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
        if (found := self.chip_id) != CHIP_ID:
            name = LOOKALIKES.get(found, "another chip")
            raise WrongChip(f"{self.address:#04x} answers as {name} ({found:#04x}), not BME280")
        self.reset = SOFT_RESET
        for _ in range(STARTUP_TRIES):
            yield STARTUP_S
            if not self.status & IM_UPDATE:
                break
        else:
            raise NotReady(f"the BME280 at {self.address:#04x} does not come out of its reset")
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
        if SKIPPED_20_BITS in (raw_p, raw_t) or raw_h == SKIPPED_16_BITS:
            raise BadReading(f"the BME280 at {self.address:#04x} did not measure")
        t_fine = fine_temperature(raw_t, self.trim)
        return Reading(
            temperature=t_fine / 5120,
            pressure=pressure(raw_p, t_fine, self.trim),
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
