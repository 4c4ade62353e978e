"""ROHM BH1750FVI ambient light sensor (I2C).

Datasheet: ROHM "BH1750FVI Technical Note", 2009.04 Rev.B; p. numbers refer to it.
The chip has no register map: one-byte opcodes go out, one 16-bit count comes back.
Wiring: VCC to 3V3, SDA and SCL to pins 3 and 5; leave ADDR open or tie it to ground.
"""

# quality: bench

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

COUNTS_PER_LUX = 1.2  # typical sensitivity, p. 2
CONVERSION_S = 0.180  # longest H-resolution conversion, p. 2
SATURATED = 0xFFFF


class Opcode(IntEnum):
    """The instructions used here (p. 5, "Instruction Set Architecture")."""

    POWER_ON = 0b0000_0001
    ONE_SHOT_HIGH = 0b0010_0000  # 1 lx steps; powers itself down afterwards


ILLUMINANCE = Channel("lx", 0, SATURATED / COUNTS_PER_LUX, step=0.1)


class Reading(NamedTuple):
    illuminance: Annotated[float, ILLUMINANCE]


def lux(count: int) -> float:
    """Convert a raw count to lux (p. 10)."""
    return count / COUNTS_PER_LUX


class BH1750(I2CDevice):
    """Measures illuminance once per poll; the chip sleeps in between.

    It has no identity to ask for: whatever answers at its address is believed.

    Options:
        address: 0x23, or 0x5C if ADDR is high.
    """

    addresses = (0x23, 0x5C)

    def __init__(self, bus: Bus, address: int = 0x23) -> None:
        super().__init__(bus, address)

    def read(self) -> Steps[Reading]:
        """Measure once, which takes 180 ms.

        Raises:
            BadReading: the light is too bright for the chip, or the line is stuck high.
        """
        for opcode in (Opcode.POWER_ON, Opcode.ONE_SHOT_HIGH):
            self.bus.write(self.address, bytes([opcode]))  # a STOP after each, p. 10
        yield CONVERSION_S
        count = int.from_bytes(self.bus.read(self.address, 2), "big")
        if count == SATURATED:
            raise BadReading(f"saturated: brighter than {ILLUMINANCE.high:.0f} lx")
        return Reading(lux(count))
