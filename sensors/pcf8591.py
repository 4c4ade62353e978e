"""NXP PCF8591: voltages on four inputs, with eight bits (I2C).

Datasheet: NXP "PCF8591", rev. 7; "§" below refers to it.
Wiring: VDD and VREF to 3V3, SDA and SCL to pins 3 and 5; A0 to A2 to ground (0x48) or to 3V3 (+1,
+2, +4). Inputs are against AGND, up to VREF. Many boards have a light and a potentiometer on
them, with jumpers to take out.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.channel import Channel

INPUTS = 4
SINGLE_ENDED = 0b00 << 4  # of the control byte, §7.2; its last two bits choose the input
STEPS = 256

VOLTAGE = Channel("V", 0, 6, step=0.001)  # at 3.3 V: 13 mV


class Reading(NamedTuple):
    a0: Annotated[float, VOLTAGE]
    a1: Annotated[float, VOLTAGE]
    a2: Annotated[float, VOLTAGE]
    a3: Annotated[float, VOLTAGE]


class PCF8591(I2CDevice):
    """Measures each of its inputs once per poll.

    It has no identity to ask for, and nothing that it keeps: whatever answers is believed.

    Options:
        address: 0x48 to 0x4f, as A0 to A2 are wired.
        reference: volts at VREF, 2.5 to 6.
    """

    addresses = range(0x48, 0x50)

    def __init__(self, bus: Bus, address: int = 0x48, reference: float = 3.3) -> None:
        if not 2.5 <= reference <= 6:
            raise ValueError(f"a PCF8591 takes a reference of 2.5 to 6 V, not {reference}")
        super().__init__(bus, address)
        self.reference = reference

    def read(self) -> Reading:
        """Measure all four."""
        return Reading(*(self._convert(number) for number in range(INPUTS)))

    def _convert(self, number: int) -> float:
        # Asking for the first byte starts a conversion; the byte itself is the one before, §8.4.
        _, code = self.bus.write_read(self.address, bytes([SINGLE_ENDED | number]), 2)
        return code * self.reference / STEPS
