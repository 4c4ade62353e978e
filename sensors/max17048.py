"""Maxim MAX17048 and MAX17043: voltage and charge of a lithium cell (I2C).

Datasheets: Maxim 19-6171 (MAX17048), MAX17043/MAX17044 rev. 4; their first registers are alike.
Wiring: it lives of its cell and is silent without one; SDA and SCL to pins 3 and 5. The address
is fixed. For one cell: a MAX17044 or MAX17049 in a pack of two gives half of its voltage.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Block, Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.errors import BadReading

ADDRESS = 0x36
VERSION_17048, VERSION_MASK = 0x0010, 0xFFF0  # the last four bits are the revision
VERSIONS_17043 = 0x0002, 0x0003
UNMEASURED = 0  # until 0.5 s after it got its power
FINE_V, COARSE_V = 78.125e-6, 1.25e-3  # of one count; the MAX17043 has twelve bits, left-aligned

VOLTAGE = Channel("V", 0, 5, step=1e-5)
CHARGE = Channel("%", 0, 128, step=0.001)  # 1/256 %; may pass 100 while it learns


class Reading(NamedTuple):
    voltage: Annotated[float, VOLTAGE]
    charge: Annotated[float, CHARGE]


class MAX17048(I2CDevice):
    """Gives the voltage, and how full the cell is by the chip's model of it.

    It needs no setting up: it guesses when it gets its cell, and learns from then on.
    """

    addresses = (ADDRESS,)
    values = Block(0x02, ">HH")  # VCELL, SOC
    version = Register(0x08, size=2)

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, ADDRESS)
        self.fine = True

    @classmethod
    def identify(cls, bus: Bus, address: int) -> bool:
        """Whether the chip at this address has the version of one of the two."""
        chip = cls(bus)
        chip.address = address
        return is_17048(found := chip.version) or found in VERSIONS_17043

    def start(self) -> None:
        """Find out which of the two it is.

        Raises:
            WrongChip: something else lives at this address.
        """
        found = self.version
        self.fine = is_17048(found)
        if not self.fine and found not in VERSIONS_17043:
            raise self.wrong(f"{found:#06x}")

    def read(self) -> Reading:
        """Fetch the latest values.

        Raises:
            BadReading: the chip has not measured yet.
        """
        cell, charge = self.values
        if cell == UNMEASURED:
            raise BadReading("the MAX17048 has not measured its cell yet")
        return Reading(volts(cell, fine=self.fine), charge / 256)


def is_17048(version: int) -> bool:
    """Tell a MAX17048 by its version."""
    return version & VERSION_MASK == VERSION_17048


def volts(word: int, *, fine: bool) -> float:
    """Convert VCELL to volts."""
    return word * FINE_V if fine else (word >> 4) * COARSE_V
