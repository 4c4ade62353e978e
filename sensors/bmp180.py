"""Bosch BMP180, and the BMP085 before it: temperature and pressure (I2C).

Datasheet: Bosch BST-BMP180-DS000 rev. 2.5; "§" below refers to it.
Wiring: VIN to 3V3, SDA and SCL to pins 3 and 5. The address is fixed.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bosch import BoschDevice
from pilogger.bus.i2c import Block, Bus, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

ADDRESS = 0x77
TEMPERATURE_COMMAND, TEMPERATURE_S = 0x2E, 0.0045  # §3.3.1, longest
PRESSURE_COMMAND, PRESSURE_S = 0x34, 0.0255  # 8 samples inside, longest
OVERSAMPLING = 3  # "ultra high resolution", §3.3.1
OUT = b"\xf6"
UNMEASURED = 0x80  # the high byte after a reset, the others are 0, §4

TEMPERATURE = Channel("Cel", -40, 85, step=0.01)  # §1: 0.1 Cel
PRESSURE = Channel("Pa", 30_000, 110_000, step=0.1)  # §1: 1 Pa


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]
    pressure: Annotated[float, PRESSURE]


class Trim(NamedTuple):
    """The factory's calibration words (§3.4, table 5)."""

    ac1: int
    ac2: int
    ac3: int
    ac4: int
    ac5: int
    ac6: int
    b1: int
    b2: int
    mb: int  # in no formula
    mc: int
    md: int


def fine_temperature(raw: int, trim: Trim) -> float:
    """Return B5, which is 160 times the temperature in Celsius (§3.5).

    This and the next are the data sheet's formulas without what they round off.
    """
    x = (raw - trim.ac6) * trim.ac5 / 32768
    return x + trim.mc * 2048 / (x + trim.md)


def pressure(raw: float, b5: float, trim: Trim) -> float:
    """Return the pressure in pascal of a raw value without oversampling (§3.5)."""
    b6 = b5 - 4000
    square = b6 * b6 / 4096
    b3 = trim.ac1 + (trim.b2 * square + trim.ac2 * b6) / 2048 / 4
    b4 = trim.ac4 * (1 + (trim.ac3 * b6 / 8192 + trim.b1 * square / 65536) / 4 / 32768)
    p = (raw - b3) * 50000 * 2 / b4
    return p + (3038 * (p / 256) ** 2 / 65536 - 7357 * p / 65536 + 3791) / 16


class BMP180(BoschDevice):
    """Measures temperature, then pressure with it, from eight samples; sleeps in between."""

    addresses = (ADDRESS,)
    name = "BMP180"
    ctrl_meas = Register(0xF4)  # §4
    words = Block(0xAA, ">hhhHHHhhhhh")  # AC1..MD, table 5

    trim: Trim

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, ADDRESS)

    def start(self) -> None:
        """Identify the chip, and load its calibration.

        Raises:
            WrongChip: a look-alike lives at this address.
            BadReading: a word of the calibration is blank.
        """
        self.check_identity()
        self.trim = Trim(*self.words)
        if {0, -1, 0xFFFF} & set(self.trim):  # §3.4
            raise BadReading(f"the BMP180 at {self.address:#04x} has a blank calibration")

    def read(self) -> Steps[Reading]:
        """Take one sample, in 30 ms.

        Raises:
            BadReading: the chip did not measure, as after a dip of its supply.
        """
        raw_t = yield from self._convert(TEMPERATURE_COMMAND, TEMPERATURE_S, 2)
        command = PRESSURE_COMMAND | OVERSAMPLING << 6
        raw_p = yield from self._convert(command, PRESSURE_S, 3)
        b5 = fine_temperature(raw_t, self.trim)
        return Reading(temperature=b5 / 160, pressure=pressure(raw_p / 256, b5, self.trim))

    def _convert(self, command: int, seconds: float, size: int) -> Steps[int]:
        self.ctrl_meas = command
        yield seconds
        answer = self.bus.write_read(self.address, OUT, size)
        # The reset value can be true; then the chip still knows what it was told to do.
        if answer == UNMEASURED.to_bytes(size, "little") and not self.ctrl_meas:
            raise BadReading(f"the BMP180 at {self.address:#04x} did not measure")
        return int.from_bytes(answer, "big")
