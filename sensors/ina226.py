"""Texas Instruments INA226: voltage, current and power of a load (I2C).

Datasheet: TI SBOS547B; "§" below refers to it.
Wiring: VS to 3V3, SDA and SCL to pins 3 and 5; the shunt between IN+ (to the supply) and IN- (to
the load), VBUS to the load, at most 36 V. A0 and A1 choose among 0x40 to 0x4f.
"""

# quality: bench

from __future__ import annotations

from pilogger.bus.i2c import Bus
from pilogger.driver import Steps
from pilogger.errors import BadReading
from pilogger.inapower import INAPower, Reading

SHUNT_V = 2.5e-6  # of one count, §7.1.2
ENDS = (-0x8000, 0x7FFF)  # 81.92 mV or more, either way


class INA226(INAPower):
    """Takes the mean of sixteen conversions at each poll, in 39 ms; sleeps in between.

    Its calibration register, which a dip of the supply empties, is not used.

    Options:
        address: 0x40 to 0x4f, as A0 and A1 are wired.
        shunt: the resistor's ohms, more than 0; R100 is 0.1, R010 is 0.01, R002 is 0.002.
    """

    addresses = range(0x40, 0x50)
    DIE = 0x226
    ALWAYS_SET = 0x4000

    def __init__(self, bus: Bus, address: int = 0x40, shunt: float = 0.1) -> None:
        if not shunt > 0:
            raise ValueError(f"a shunt has more than 0 ohms, not {shunt}")
        super().__init__(bus, address)
        self.shunt = shunt

    def read(self) -> Steps[Reading]:
        """Measure once.

        Raises:
            BadReading: the chip does not finish, or the current is more than it can measure.
        """
        volts, count = yield from self.convert()
        if count in ENDS:
            raise BadReading(f"the current is beyond {0.08192 / self.shunt:.3g} A")
        amperes = count * SHUNT_V / self.shunt
        return Reading(volts, amperes, volts * amperes)
