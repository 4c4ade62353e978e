"""Maxim DS3231: the thermometer of a clock chip (I2C).

Datasheet: Maxim 19-5170 rev. 10; "p." below refers to it.
Wiring: VCC to 3V3, SDA and SCL to pins 3 and 5. The address is fixed. While the kernel keeps
its time in the chip (`dtoverlay=i2c-rtc`), nobody else may ask it: the temperature is then
under /sys/class/hwmon.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Block, Bus, I2CDevice
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NotReady

ADDRESS = 0x68
BUSY = 0b0000_0100  # status: it measures, p. 14
STATUS_ZEROS, FRACTION_ZEROS = 0b0111_0000, 0b0011_1111  # never set, p. 11
CONVERSION_S = 0.2  # longest, p. 3

TEMPERATURE = Channel("Cel", -40, 85, step=0.01)  # 0.25 Cel


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]


def plausible(day: int, status: int, raw: int) -> bool:
    """Whether a clock of this kind can hold these; a line that is stuck does not show them."""
    return 1 <= day <= 7 and not status & STATUS_ZEROS and not raw & FRACTION_ZEROS


class DS3231(I2CDevice):
    """Gives the temperature that the clock measures each 64 s; nothing is written to it.

    It has no identity to ask for: what shows a day of the week, and zeros where a DS3231
    has them, is believed.
    """

    addresses = (ADDRESS,)
    registers = Block(0x03, ">B11xBxh")  # day, status, temperature in 1/256 Cel, p. 11

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, ADDRESS)

    @classmethod
    def identify(cls, bus: Bus, address: int) -> bool:
        """Whether the chip at this address can be a DS3231."""
        return address == ADDRESS and plausible(*cls(bus).registers)

    def start(self) -> None:
        """Look whether it can be a DS3231.

        Raises:
            WrongChip: it cannot.
        """
        if not self.identify(self.bus, self.address):
            raise self.wrong()

    def read(self) -> Steps[Reading]:
        """Fetch the latest value; if the chip measures just now, when it is done.

        Raises:
            NotReady: it still measures; after a cut of its power there is no value before.
            BadReading: what it holds cannot be.
        """
        day, status, raw = self.registers
        if status & BUSY:  # a new value may come between its two bytes
            yield CONVERSION_S
            day, status, raw = self.registers
        if not plausible(day, status, raw):
            raise BadReading(f"the DS3231 at {self.address:#04x} holds no time and temperature")
        if status & BUSY:
            raise NotReady("the clock chip measures")
        return Reading(raw / 256)
