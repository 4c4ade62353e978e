"""Plantower PMSA003I: particles in the air, by mass and by number (I2C).

Datasheet: Plantower "PMSA003I series data manual"; its frame is in `pilogger/plantower.py`.
Wiring: VCC to 5V, SDA and SCL to pins 3 and 5. It is not specified above 100 kHz, which is the
Pi's default. The address is fixed. The fan runs as long as it has power.
"""

# quality: bench

from __future__ import annotations

from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.driver import Steps
from pilogger.plantower import SIZE, START, WARM_UP_S, Reading, decode

ADDRESS = 0x12


class PMSA003I(I2CDevice):
    """Gives the particles' mass and number, which it measures anew each 1 to 2.3 s."""

    addresses = (ADDRESS,)

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, ADDRESS)

    @staticmethod
    def identify(bus: Bus, address: int) -> bool:
        """Whether what is at this address begins like a frame of Plantower."""
        return bus.read(address, len(START)) == START

    def start(self) -> Steps[None]:
        """Identify the sensor, and wait 30 s until its air flows steadily.

        Raises:
            WrongChip: something else lives at this address.
        """
        if not self.identify(self.bus, self.address):
            raise self.wrong()
        yield WARM_UP_S

    def read(self) -> Reading:
        """Fetch the latest values.

        Raises:
            BadReading: the frame is damaged.
        """
        return decode(self.bus.read(self.address, SIZE))
