"""TE HTU21D, Silicon Labs Si7021 and Sensirion SHT20, SHT21, SHT25: temperature and humidity (I2C).

Three makers, one set of commands. Datasheets: TE "HTU21D(F) RH/T Sensor IC", Silicon Labs
"Si7021-A20", Sensirion "SHT21"; where they differ, the slowest counts.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5. The address is fixed.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus import sensirion
from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

ADDRESS = 0x40
RESET = b"\xfe"
RESET_S = 0.015
USER = b"\xe7"  # the register of the settings
USER_MASK, USER_DEFAULT = 0b1000_0111, 0b0000_0010  # 12 and 14 bits, heater off; others reserved
TEMPERATURE_NO_HOLD = b"\xf3"  # these do not stretch the clock
TEMPERATURE_S = 0.085  # 14 bits: SHT21 85 ms, HTU21D 50, Si7021 11
HUMIDITY_NO_HOLD = b"\xf5"
HUMIDITY_S = 0.029  # 12 bits: SHT21 29 ms, Si7021 23, HTU21D 16
STATUS_BITS = 0b11  # the last two say what was measured, and are no part of it

TEMPERATURE = Channel("Cel", -40, 125, step=0.01)  # 14 bits: 0.0107 Cel
HUMIDITY = Channel("%", 0, 100, step=0.01)  # 12 bits: 0.031 %


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]
    humidity: Annotated[float, HUMIDITY]


def celsius(word: int) -> float:
    """Convert a word to degrees Celsius (HTU21D, "Conversion of signal outputs")."""
    return 175.72 * (word & ~STATUS_BITS) / 65536 - 46.85


def percent(word: int) -> float:
    """Convert a word to relative humidity in percent, clamped to 0..100 (same place)."""
    return min(max(125 * (word & ~STATUS_BITS) / 65536 - 6, 0.0), 100.0)


class HTU21D(I2CDevice):
    """Measures temperature, then humidity; for HTU21D, Si7021, SHT20, SHT21 and SHT25."""

    addresses = (ADDRESS,)

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, ADDRESS)

    @staticmethod
    def identify(bus: Bus, address: int) -> bool:
        """Whether the user register is one of this family, with the settings of its reset.

        To an INA219 and its kin the command is a register to read.
        """
        return bus.write_read(address, USER, 1)[0] & USER_MASK == USER_DEFAULT

    def start(self) -> Steps[None]:
        """Reset the chip, and see whether its settings are those of this family.

        Raises:
            WrongChip: something else lives at this address.
        """
        self.bus.write(self.address, RESET)
        yield RESET_S
        if not self.identify(self.bus, self.address):
            raise self.wrong()

    def read(self) -> Steps[Reading]:
        """Measure both, one after the other, which takes 115 ms.

        Raises:
            BadReading: a checksum is wrong, or the data line is held low.
        """
        temperature = yield from self._measure(TEMPERATURE_NO_HOLD, TEMPERATURE_S)
        humidity = yield from self._measure(HUMIDITY_NO_HOLD, HUMIDITY_S)
        return Reading(celsius(temperature), percent(humidity))

    def _measure(self, command: bytes, seconds: float) -> Steps[int]:
        self.bus.write(self.address, command)
        yield seconds
        (word,) = sensirion.decode(self.bus.read(self.address, 3), begin=0)
        if not word:  # this checksum of nothing is nothing, and right
            raise BadReading("all bytes are zero: the data line is held low")
        return word
