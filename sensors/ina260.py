"""Texas Instruments INA260: voltage, current and power of a load, with its shunt inside (I2C).

Datasheet: TI SBOS656.
Wiring: VS to 3V3, SDA and SCL to pins 3 and 5; IN+ to the supply, IN- to the load, VBUS to the
load, at most 36 V and 15 A. A0 and A1 choose among 0x40 to 0x4f.
"""

# quality: bench

from __future__ import annotations

from pilogger.bus.i2c import Bus
from pilogger.driver import Steps
from pilogger.errors import BadReading
from pilogger.inapower import INAPower, Reading

CURRENT_A = 0.00125  # of one count
ENDS = (-0x8000, 0x7FFF)  # 40.96 A or more: it would be on fire


class INA260(INAPower):
    """Takes the mean of sixteen conversions at each poll, in 39 ms; sleeps in between.

    Options:
        address: 0x40 to 0x4f, as A0 and A1 are wired.
    """

    addresses = range(0x40, 0x50)
    DIE = 0x227
    ALWAYS_SET = 0x6000

    def __init__(self, bus: Bus, address: int = 0x40) -> None:
        super().__init__(bus, address)

    def read(self) -> Steps[Reading]:
        """Measure once.

        Raises:
            BadReading: the chip does not finish, or the current is more than it can measure.
        """
        volts, count = yield from self.convert()
        if count in ENDS:
            raise BadReading("the current is beyond 40.96 A")
        amperes = count * CURRENT_A
        return Reading(volts, amperes, volts * amperes)
