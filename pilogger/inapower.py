"""What INA226 and INA260 share: who they are, and one averaged conversion at a time (I2C).

Datasheets: TI SBOS547B (INA226), SBOS656 (INA260); their tables of registers are alike.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

TEXAS_INSTRUMENTS = 0x5449
DRIVERS = {0x226: "ina226", 0x227: "ina260"}  # by die; the last four bits are the revision
NEVER_CHANGE = 0xF000  # bits of the configuration
SIXTEEN = 0b010 << 9  # conversions that are averaged
LENGTHS = 0b100 << 6 | 0b100 << 3  # 1.1 ms for the voltage, as long for the current
BOTH_ONCE = 0b011
CONVERSION_S = 16 * 2 * 0.00121  # longest
READY, STUCK = 1 << 3, 0x03E0  # of mask/enable: bits 9 to 5 are always zero
MORE_S, MORE_TRIES = 0.005, 4
BUS_V = 0.00125  # of one count

VOLTAGE = Channel("V", 0, 40.96, step=1e-4)  # 1.25 mV
CURRENT = Channel("A", -10_000, 10_000, step=1e-6)  # as the shunt has it
POWER = Channel("W", -400_000, 400_000, step=1e-5)


class Reading(NamedTuple):
    """Voltage of the load, current through the shunt, and their product.

    Current and power are negative where the current flows backwards, as from a solar panel
    into a battery.
    """

    voltage: Annotated[float, VOLTAGE]
    current: Annotated[float, CURRENT]
    power: Annotated[float, POWER]


def signed(word: int) -> int:
    """Return 16 bits as the number that they are in two's complement."""
    return (word ^ 0x8000) - 0x8000


class INAPower(I2CDevice):
    """One of the two; measures when told to, and sleeps in between."""

    DIE: ClassVar[int]
    ALWAYS_SET: ClassVar[int]  # in the configuration

    config = Register(0x00, size=2)
    through = Register(0x01, size=2)  # the shunt's voltage (INA226), or the current (INA260)
    bus_voltage = Register(0x02, size=2)
    mask_enable = Register(0x06, size=2)
    manufacturer = Register(0xFE, size=2)
    die = Register(0xFF, size=2)

    @classmethod
    def identify(cls, bus: Bus, address: int) -> bool:
        """Whether the chip at this address has the configuration, the die and the maker.

        In this order: an HTU21D takes the address of the maker's register for a reset, and a
        PCF8591 takes both for settings that switch its output on; neither does the others any
        harm, and neither passes them.
        """
        chip = cls(bus, address)
        return (
            chip.config & NEVER_CHANGE == cls.ALWAYS_SET
            and chip.die >> 4 == cls.DIE
            and chip.manufacturer == TEXAS_INSTRUMENTS
        )

    def start(self) -> None:
        """Identify the chip; nothing needs to be set up.

        Raises:
            WrongChip: something else lives at this address.
        """
        if self.identify(self.bus, self.address):
            return
        maker, die = self.manufacturer, self.die
        if maker == TEXAS_INSTRUMENTS and (other := DRIVERS.get(die >> 4)):
            raise self.wrong(other.upper(), other)
        raise self.wrong(f"maker {maker:#06x}, die {die:#06x}")

    def convert(self) -> Steps[tuple[float, int]]:
        """Measure both at once; return volts, and the count of what flows through the shunt.

        Raises:
            BadReading: the chip does not finish, or a line is stuck.
        """
        self.config = self.ALWAYS_SET | SIXTEEN | LENGTHS | BOTH_ONCE  # takes READY back
        yield CONVERSION_S
        for _ in range(MORE_TRIES):
            if self.mask_enable & (READY | STUCK) == READY:
                return self.bus_voltage * BUS_V, signed(self.through)
            yield MORE_S
        raise BadReading(f"the chip at {self.address:#04x} does not finish measuring")
