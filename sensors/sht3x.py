"""Sensirion SHT30, SHT31 and SHT35: temperature and relative humidity (I2C).

Datasheet: Sensirion "SHT3x-DIS", version 5, May 2018; "§" below refers to it.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5; ADDR to ground (0x44) or to 3V3 (0x45).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus import sensirion
from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer

MEASURE = b"\x24\x00"  # single shot, high repeatability, the clock is not stretched, table 9
MEASURE_S = 0.0155  # §2.2, table 4; half a millisecond more than this edition says, as later ones
BREAK = b"\x30\x93"  # ends what another program left running, §4.8
BREAK_S = 0.001  # §4.1
RESET = b"\x30\xa2"  # §4.9; switches the heater off
RESET_S = 0.0015  # §2.2, table 4
STATUS = b"\xf3\x2d"  # §4.11
ALWAYS_ZERO = 0b0101_0000_0000_1100  # bits 14, 12, 3 and 2 of the status, table 18
SHT4X_SERIAL, SHT4X_SERIAL_S = b"\x89", 0.01  # see sht4x.py

TEMPERATURE = Channel("Cel", -40, 125, step=0.001)  # 16 bits: 0.0027 Cel
HUMIDITY = Channel("%", 0, 100, step=0.001)  # 0.0015 %


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]
    humidity: Annotated[float, HUMIDITY]


def celsius(word: int) -> float:
    """Convert a word to degrees Celsius (§4.13)."""
    return 175 * word / 0xFFFF - 45


def percent(word: int) -> float:
    """Convert a word to relative humidity in percent (§4.13)."""
    return 100 * word / 0xFFFF


class SHT3x(I2CDevice):
    """Measures temperature and humidity once per poll; the chip sleeps in between.

    Options:
        address: 0x44, or 0x45 if ADDR is high.
    """

    addresses = (0x44, 0x45)

    def __init__(self, bus: Bus, address: int = 0x44) -> None:
        super().__init__(bus, address)

    @staticmethod
    def identify(bus: Bus, address: int) -> bool:
        """Whether the chip at this address has a status register as an SHT3x has it.

        An SHT4x refuses the command. A chip with registers would take it for one that is
        written, but scan does not ask those.

        Raises:
            NoAnswer: it knows no such command.
        """
        try:
            (status,) = sensirion.decode(bus.write_read(address, STATUS, 3))
        except BadReading:
            return False
        return not status & ALWAYS_ZERO

    def start(self) -> Steps[None]:
        """Identify the chip, end what runs, and reset it.

        Raises:
            WrongChip: something else lives at this address.
            NoAnswer, BadReading: nothing does, or nothing that these chips resemble.
        """
        try:
            if not self.identify(self.bus, self.address):
                raise self.wrong()
        except NoAnswer:
            yield from self._ask_for_sht4x()
        self.bus.write(self.address, BREAK)
        yield BREAK_S
        self.bus.write(self.address, RESET)
        yield RESET_S

    def read(self) -> Steps[Reading]:
        """Measure both once, which takes 16 ms.

        Raises:
            BadReading: a checksum is wrong.
        """
        words = yield from sensirion.ask(self.bus, self.address, MEASURE, MEASURE_S, words=2)
        temperature, humidity = words
        return Reading(celsius(temperature), percent(humidity))

    def _ask_for_sht4x(self) -> Steps[None]:
        """Raise what the silence means: an SHT4x has the same addresses and other commands."""
        yield from sensirion.ask(self.bus, self.address, SHT4X_SERIAL, SHT4X_SERIAL_S, words=2)
        raise self.wrong("SHT4x", "sht4x")
