"""Sensirion SHT40, SHT41, SHT43 and SHT45: temperature and relative humidity (I2C).

Datasheet: Sensirion "SHT4x", version 6, February 2023; quoted are its headings.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5. The address is burnt in: the letter after
the dash, as in SHT40-AD1B: 0x44 for A, 0x45 for B, 0x46 for C.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus import sensirion
from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer

MEASURE = b"\xfd"  # high precision, the heater stays off, "Command Overview"
MEASURE_S = 0.0083  # "Timings"
SERIAL = b"\x89"  # "Command Overview"
SERIAL_S = 0.01  # no time is stated; Sensirion's own driver waits this long
RESET = b"\x94"  # "Reset & Abort"; it ends a pulse of the heater, too
RESET_S = 0.001  # "Timings"
SHT3X_STATUS = b"\xf3\x2d"  # see sht3x.py

TEMPERATURE = Channel("Cel", -40, 125, step=0.001)  # 16 bits: 0.0027 Cel
HUMIDITY = Channel("%", 0, 100, step=0.001)  # 0.0019 %


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]
    humidity: Annotated[float, HUMIDITY]


def celsius(word: int) -> float:
    """Convert a word to degrees Celsius ("Conversion of Signal Output")."""
    return 175 * word / 0xFFFF - 45


def percent(word: int) -> float:
    """Convert a word to relative humidity in percent, clamped to 0..100 (same place)."""
    return min(max(125 * word / 0xFFFF - 6, 0.0), 100.0)


class SHT4x(I2CDevice):
    """Measures temperature and humidity once per poll; the chip sleeps in between.

    Options:
        address: 0x44, or what the type on the chip says.
    """

    addresses = (0x44, 0x45, 0x46)

    def __init__(self, bus: Bus, address: int = 0x44) -> None:
        super().__init__(bus, address)

    @staticmethod
    def identify(bus: Bus, address: int) -> Steps[bool]:
        """Whether the chip at this address tells a serial number as an SHT4x does.

        An SHT3x waits for a second byte; to an INA219 and its kin it is a register to read.

        Raises:
            NoAnswer: it knows no such command.
        """
        try:
            yield from sensirion.ask(bus, address, SERIAL, SERIAL_S, words=2)
        except BadReading:
            return False
        return True

    def start(self) -> Steps[None]:
        """Identify the chip, and reset it.

        Raises:
            WrongChip: something else lives at this address.
            NoAnswer, BadReading: nothing does, or nothing that these chips resemble.
        """
        try:
            if not (yield from self.identify(self.bus, self.address)):
                raise self.wrong()
        except NoAnswer:  # an SHT3x has the same addresses and other commands
            sensirion.decode(self.bus.write_read(self.address, SHT3X_STATUS, 3))
            raise self.wrong("SHT3x", "sht3x") from None
        self.bus.write(self.address, RESET)
        yield RESET_S

    def read(self) -> Steps[Reading]:
        """Measure both once, which takes 9 ms.

        Raises:
            BadReading: a checksum is wrong.
        """
        words = yield from sensirion.ask(self.bus, self.address, MEASURE, MEASURE_S, words=2)
        temperature, humidity = words
        return Reading(celsius(temperature), percent(humidity))
