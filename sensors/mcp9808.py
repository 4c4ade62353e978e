"""Microchip MCP9808 thermometer (I2C).

Datasheet: Microchip DS25095A; "§" below refers to it.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5; A0 to A2 to ground (0x18) or to 3V3 (+1, +2, +4).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

MANUFACTURER, DEVICE = 0x0054, 0x04  # §5.1.4, §5.1.5; the revision follows in the low byte
CONTINUOUS = 0x0000  # §5.1.1; not shut down, the alert output off
FINEST, CONVERSION_S = 0b11, 0.25  # 0.0625 Cel, "Temperature Resolution"
HIGHEST = 0x07D0  # 125 Cel; a reset leaves 0, §5.1.2
ALL_ONES = 0xFFFF  # above and below its limits at once

TEMPERATURE = Channel("Cel", -40, 125, step=0.01)  # 0.0625 Cel


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]


def celsius(word: int) -> float:
    """Convert 13 bits, two's complement, to degrees Celsius (§5.1.3.1)."""
    return ((word & 0x1FFF ^ 0x1000) - 0x1000) / 16


class MCP9808(I2CDevice):
    """Gives the latest of its temperatures, which it measures four times a second.

    Options:
        address: 0x18 to 0x1f, as A0 to A2 are wired.
    """

    addresses = range(0x18, 0x20)
    config = Register(0x01, size=2)
    upper = Register(0x02, size=2)
    ambient = Register(0x05, size=2)  # three bits of alerts, then the temperature, §5.1.3
    manufacturer = Register(0x06, size=2)
    device = Register(0x07, size=2)
    resolution = Register(0x08)

    def __init__(self, bus: Bus, address: int = 0x18) -> None:
        super().__init__(bus, address)

    @classmethod
    def identify(cls, bus: Bus, address: int) -> bool:
        """Whether the chip at this address has the maker and type of an MCP9808."""
        chip = cls(bus, address)
        return chip.manufacturer == MANUFACTURER and chip.device >> 8 == DEVICE

    def start(self) -> Steps[None]:
        """Identify the chip, set it up, and wait for its first value.

        Raises:
            WrongChip: something else lives at this address.
        """
        if not self.identify(self.bus, self.address):
            raise self.wrong(f"maker {self.manufacturer:#06x}, device {self.device:#06x}")
        self.config = CONTINUOUS
        self.upper = HIGHEST  # nothing happens there, but a reset will show
        self.resolution = FINEST
        yield CONVERSION_S

    def read(self) -> Reading:
        """Fetch the latest value.

        Raises:
            BadReading: the chip was reset and has not measured yet, or the line is stuck.
        """
        word = self.ambient
        if word == ALL_ONES or (not celsius(word) and self.upper != HIGHEST):
            raise BadReading(f"the MCP9808 at {self.address:#04x} did not measure")
        return Reading(celsius(word))
