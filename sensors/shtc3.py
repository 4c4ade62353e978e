"""Sensirion SHTC3: temperature and relative humidity (I2C).

Datasheet: Sensirion "SHTC3"; quoted are its headings.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5. The address is fixed.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus import sensirion
from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import NoAnswer

ADDRESS = 0x70
WAKE = b"\x35\x17"  # "Sleep Command and Wakeup Command"
WAKE_S = 0.00024  # "Electrical Specifications": the power-up time
SLEEP = b"\xb0\x98"
MEASURE = b"\x78\x66"  # normal mode, no clock stretching, temperature first, "Measurement Commands"
MEASURE_S = 0.0121  # "Electrical Specifications"
ID = b"\xef\xc8"  # "Read-out of ID Register"
ID_MASK, ID_VALUE = 0x083F, 0x0807  # without bit 11 it is an SHTC1 or SHTW1

TEMPERATURE = Channel("Cel", -40, 125, step=0.001)  # 16 bits: 0.0027 Cel
HUMIDITY = Channel("%", 0, 100, step=0.001)  # 0.0015 %


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]
    humidity: Annotated[float, HUMIDITY]


def celsius(word: int) -> float:
    """Convert a word to degrees Celsius ("Conversion of Sensor Output")."""
    return 175 * word / 65536 - 45


def percent(word: int) -> float:
    """Convert a word to relative humidity in percent (same place)."""
    return 100 * word / 65536


def identity(bus: Bus, address: int) -> Steps[int]:
    """Wake the chip, and return its ID register.

    Raises:
        BadReading: its checksum is wrong.
    """
    bus.write(address, WAKE)
    yield WAKE_S
    (found,) = sensirion.decode(bus.write_read(address, ID, 3))
    return found


class SHTC3(I2CDevice):
    """Measures temperature and humidity once per poll; the chip sleeps in between."""

    addresses = (ADDRESS,)

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, ADDRESS)

    @staticmethod
    def identify(bus: Bus, address: int) -> Steps[bool]:
        """Whether the chip at this address is an SHTC3.

        A TCA9548A multiplexer may live there too, and would take the commands as channels
        to switch on. It tells its state when asked for nothing; an SHTC3 is silent then.

        Raises:
            NoAnswer: it knows no such command.
            BadReading: it does not answer in this chip's way.
        """
        try:
            bus.read(address, 1)
        except NoAnswer:
            found = yield from identity(bus, address)
            bus.write(address, SLEEP)
            return found & ID_MASK == ID_VALUE
        return False

    def start(self) -> Steps[None]:
        """Identify the chip, and let it sleep.

        Raises:
            WrongChip: something else lives at this address.
            BadReading: it does not answer in this chip's way.
        """
        found = yield from identity(self.bus, self.address)
        if found & ID_MASK != ID_VALUE:
            raise self.wrong(f"another chip ({found:#06x})")
        self.bus.write(self.address, SLEEP)

    def read(self) -> Steps[Reading]:
        """Measure both once, which takes 13 ms.

        Raises:
            BadReading: a checksum is wrong.
        """
        self.bus.write(self.address, WAKE)
        yield WAKE_S
        self.bus.write(self.address, MEASURE)
        yield MEASURE_S
        answer = self.bus.read(self.address, 6)
        self.bus.write(self.address, SLEEP)
        temperature, humidity = sensirion.decode(answer)
        return Reading(celsius(temperature), percent(humidity))
