"""Texas Instruments TMP117 and TMP119 thermometers (I2C).

Datasheet: TI SNOSD82D; "§" below refers to it.
Wiring: V+ to 3V3, SDA and SCL to pins 3 and 5; ADD0 to ground (0x48), 3V3 (0x49), SDA (0x4a)
or SCL (0x4b).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

ID_MASK, ID_VALUE = 0x0FFF, 0x0117  # the rest is the revision; the TMP119 has 0x2117, §7.6
SOFT_RESET, RESET_S = 0x0002, 0.002  # §7.6, table 7-6
ONE_SHOT_8 = 0b11 << 10 | 0b01 << 5  # one conversion, the mean of eight, then it sleeps
CONVERSION_S = 8 * 0.0175  # longest, §6.5
DATA_READY, ALWAYS_ZERO = 0x2000, 0x0003  # of the configuration; a stuck line has all bits set
MORE_S, MORE_TRIES = 0.0175, 4
UNMEASURED = 0x8000  # -256 Cel, §7.6

TEMPERATURE = Channel("Cel", -55, 150, step=0.001)  # 0.0078 Cel


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]


def celsius(word: int) -> float:
    """Convert 16 bits, two's complement, to degrees Celsius (§7.3.3, table 7-1)."""
    return ((word ^ 0x8000) - 0x8000) / 128


class TMP117(I2CDevice):
    """Takes the mean of eight temperatures at each poll; sleeps in between.

    Options:
        address: 0x48 to 0x4b, as ADD0 is wired.
    """

    addresses = range(0x48, 0x4C)
    temperature = Register(0x00, size=2)
    config = Register(0x01, size=2)
    device_id = Register(0x0F, size=2)

    def __init__(self, bus: Bus, address: int = 0x48) -> None:
        super().__init__(bus, address)

    @classmethod
    def identify(cls, bus: Bus, address: int) -> bool:
        """Whether the chip at this address is a TMP117 or TMP119.

        To an ADS1115 and an LM75 it is a register to read, to a PCF8591 a choice of its input.
        """
        return cls(bus, address).device_id & ID_MASK == ID_VALUE

    def start(self) -> Steps[None]:
        """Identify the chip, and reset it.

        Raises:
            WrongChip: something else lives at this address.
        """
        if (found := self.device_id) & ID_MASK != ID_VALUE:
            raise self.wrong(f"{found:#06x}")
        self.config = SOFT_RESET
        yield RESET_S

    def read(self) -> Steps[Reading]:
        """Measure once, which takes 140 ms.

        Raises:
            BadReading: the chip did not measure, as after a dip of its supply.
        """
        self.config = ONE_SHOT_8
        yield CONVERSION_S
        for _ in range(MORE_TRIES):
            if self.config & (DATA_READY | ALWAYS_ZERO) == DATA_READY:
                break
            yield MORE_S
        else:
            raise BadReading(f"the TMP117 at {self.address:#04x} does not finish measuring")
        if (word := self.temperature) == UNMEASURED:
            raise BadReading(f"the TMP117 at {self.address:#04x} did not measure")
        return Reading(celsius(word))
