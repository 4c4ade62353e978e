"""Texas Instruments INA219: voltage, current and power of a load (I2C).

Datasheet: TI SBOS448F; "p." below refers to it.
Wiring: VCC to 3V3, SDA and SCL to pins 3 and 5; the shunt between Vin+ (to the supply) and Vin-
(to the load), at most 26 V. A0 and A1 choose among 0x40 to 0x4f.
"""

# quality: bench

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer

RESET, AFTER_RESET, RESET_S = 0x8000, 0x399F, 0.001  # p. 25
RANGES = 1 << 13 | 0b11 << 11  # 32 V, and 320 mV at the shunt, p. 26
SIXTEEN = 0b1100 << 7 | 0b1100 << 3  # the mean of so many, of both, p. 27
BOTH_ONCE = 0b011
CONVERSION_S = 2 * 16 * 0.000586  # longest
READY, ALWAYS_ZERO, OVERFLOW = 1 << 1, 1 << 2, 1 << 0  # bits 2 to 0 of the bus voltage, p. 30
MORE_S, MORE_TRIES = 0.003, 4
BUS_V, SHUNT_V = 0.004, 1e-5  # of one count
MOST = 32_000  # counts at the shunt: 320 mV
OTHERS = {0x226: "ina226", 0x227: "ina260"}  # dies of those that have an identity

VOLTAGE = Channel("V", 0, 32, step=0.001)  # 4 mV
CURRENT = Channel("A", -10_000, 10_000, step=1e-6)  # as the shunt has it
POWER = Channel("W", -320_000, 320_000, step=1e-5)


class Reading(NamedTuple):
    """Voltage of the load, current through the shunt, and their product, with its sign."""

    voltage: Annotated[float, VOLTAGE]
    current: Annotated[float, CURRENT]
    power: Annotated[float, POWER]


class INA219(I2CDevice):
    """Takes the mean of sixteen conversions at each poll, in 19 ms; sleeps in between.

    Its calibration register, which a dip of the supply empties, is not used.

    Options:
        address: 0x40 to 0x4f, as A0 and A1 are wired.
        shunt: the resistor's ohms, more than 0; R100 is 0.1.
    """

    addresses = range(0x40, 0x50)
    config = Register(0x00, size=2)
    shunt_voltage = Register(0x01, size=2)
    bus_voltage = Register(0x02, size=2)
    manufacturer = Register(0xFE, size=2)  # those of its successors; it has none itself
    die = Register(0xFF, size=2)

    def __init__(self, bus: Bus, address: int = 0x40, shunt: float = 0.1) -> None:
        if not shunt > 0:
            raise ValueError(f"a shunt has more than 0 ohms, not {shunt}")
        super().__init__(bus, address)
        self.shunt = shunt

    def start(self) -> Steps[None]:
        """Reset the chip, and see that it comes back as an INA219 does.

        Raises:
            WrongChip: something else lives at this address.
        """
        with suppress(NoAnswer):  # it may not know these registers
            if self.manufacturer == 0x5449 and (name := OTHERS.get(self.die >> 4)):
                raise self.wrong(name.upper(), name)
        self.config = RESET
        yield RESET_S
        if (found := self.config) != AFTER_RESET:
            raise self.wrong(f"{found:#06x}")

    def read(self) -> Steps[Reading]:
        """Measure once.

        Raises:
            BadReading: the chip does not finish, or the current is more than it can measure.
        """
        self.config = RANGES | SIXTEEN | BOTH_ONCE
        yield CONVERSION_S
        for _ in range(MORE_TRIES):
            word = self.bus_voltage
            if word & (READY | ALWAYS_ZERO | OVERFLOW) == READY:
                break
            yield MORE_S
        else:
            raise BadReading(f"the INA219 at {self.address:#04x} does not finish measuring")
        count = (self.shunt_voltage ^ 0x8000) - 0x8000
        if abs(count) >= MOST:
            raise BadReading(f"the current is beyond {MOST * SHUNT_V / self.shunt:.3g} A")
        volts, amperes = (word >> 3) * BUS_V, count * SHUNT_V / self.shunt
        return Reading(volts, amperes, volts * amperes)
