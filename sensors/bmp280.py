"""Bosch BMP280: temperature and pressure (I2C).

Datasheet: Bosch BST-BMP280-DS001 rev. 1.14; "§" below refers to it.
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

FORCED_X1 = 0b001_001_01  # osrs_t x1, osrs_p x1, one forced conversion, §4.3.4
CONVERSION_S = 0.0064  # longest, both at x1, §3.8.1

TEMPERATURE = Channel("Cel", -40, 85, step=0.001)  # 16 bits at x1: 0.005 Cel
PRESSURE = Channel("Pa", 30_000, 110_000, step=0.1)  # 16 bits at x1: 2.6 Pa


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]
    pressure: Annotated[float, PRESSURE]


class Trim(NamedTuple):
    """The factory's calibration words (§3.11.2, table 17)."""

    t: tuple[int, int, int]
    p: tuple[int, int, int, int, int, int, int, int, int]


class BMP280(bosch.Bosch280):
    """Takes temperature and pressure from one conversion; sleeps in between.

    Options:
        address: 0x76, or 0x77 if SDO is high.
    """

    addresses = (0x76, 0x77)
    name = "BMP280"
    ctrl_meas = Register(0xF4)  # §4.3.4
    data = Block(0xF7, ">HBHB")  # press, temp (20 bits each), §4.3.6-7
    words = Block(0x88, "<HhhHhhhhhhhh")  # dig_T1..dig_P9, table 17

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
        words = self.words
        self.trim = Trim(words[:3], words[3:])
        if {self.trim.t[0], self.trim.p[0]} & {0, 0xFFFF}:
            raise BadReading(f"the BMP280 at {self.address:#04x} has a blank calibration")
        yield from self._convert()  # the first conversion after a reset can be off: drop it

    def read(self) -> Steps[Reading]:
        """Take one sample: both values from the same conversion, in 7 ms.

        Raises:
            BadReading: the chip did not measure, as after a dip of its supply.
        """
        yield from self._convert()
        p_high, p_low, t_high, t_low = self.data
        raw_p, raw_t = p_high << 4 | p_low >> 4, t_high << 4 | t_low >> 4
        if bosch.unmeasured(raw_p, raw_t):
            raise BadReading(f"the BMP280 at {self.address:#04x} did not measure")
        t_fine = bosch.fine_temperature(raw_t, self.trim.t)
        return Reading(
            temperature=t_fine / 5120,
            pressure=bosch.pressure(raw_p, t_fine, self.trim.p),
        )

    def _convert(self) -> Steps[None]:
        self.ctrl_meas = FORCED_X1
        yield CONVERSION_S
