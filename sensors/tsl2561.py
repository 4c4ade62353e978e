"""TAOS (ams) TSL2561 ambient light sensor (I2C).

Datasheet: TAOS "TSL2560, TSL2561", TAOS059K, April 2007; registers have their names from it, the
formula is that of its "Calculating Lux".
Wiring: VIN to 3V3, SDA and SCL to pins 3 and 5; ADDR open (0x39), to ground (0x29) or to 3V3
(0x49).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Block, Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

COMMAND, WORD = 0b1000_0000, 0b0010_0000  # COMMAND, with the register's address
OTHERS = (
    (0xB2, 0x50, "TSL2591", "tsl2591"),
    (0xC0, 0xEE, "VL53L0X", ""),
    (0x92, 0xAB, "APDS9960", ""),
)
POWER_ON, POWER_OFF = 0b11, 0b00  # CONTROL

ILLUMINANCE = Channel("lx", 0, 75_000, step=0.01)  # 0.03 lx in the dark


class Reading(NamedTuple):
    illuminance: Annotated[float, ILLUMINANCE]


class Band(NamedTuple):
    """The formula up to a ratio of infrared to all light: a of all light less b of infrared."""

    ratio: float
    a: float
    b: float


PACKAGES = {  # by the part number in ID
    0b0101: (  # T, FN, CL
        Band(0.50, 0.0304, 0.062),
        Band(0.61, 0.0224, 0.031),
        Band(0.80, 0.0128, 0.0153),
        Band(1.30, 0.00146, 0.00112),
    ),
    0b0001: (  # CS
        Band(0.52, 0.0315, 0.0593),
        Band(0.65, 0.0229, 0.0291),
        Band(0.80, 0.0157, 0.0180),
        Band(1.30, 0.00338, 0.00260),
    ),
}


class Range(NamedTuple):
    """One setting; its TIMING has the gain in bit 4, the time in 1:0."""

    timing: int
    scale: float  # to the gain of 16 and the 402 ms of the formula
    full: int  # what a channel counts at most
    longest_s: float  # integration, where the oscillator is slow: 690 of 735 kHz


DIM = Range(1 << 4 | 0b10, 1, 65_535, 0.429)
BRIGHT = Range(0 << 4 | 0b01, 16 * 322 / 81, 37_177, 0.108)


def lux(all_light: int, infrared: int, bands: tuple[Band, ...]) -> float:
    """Convert the counts of both channels, scaled; 0 where the light is nearly all infrared."""
    if not all_light:
        return 0.0
    ratio = infrared / all_light
    for band in bands:
        if ratio <= band.ratio:
            bent = ratio**0.4 if band is bands[0] else 1
            return band.a * all_light - band.b * infrared * bent
    return 0.0


class TSL2561(I2CDevice):
    """Measures illuminance up to direct sunlight in 0.4 to 0.5 s; sleeps in between.

    Options:
        address: 0x39, 0x29 if ADDR is low, or 0x49 if it is high.
    """

    addresses = (0x39, 0x29, 0x49)
    control = Register(COMMAND | 0x0)
    timing = Register(COMMAND | 0x1)
    ident = Register(COMMAND | 0xA)
    all_light = Block(COMMAND | WORD | 0xC, "<H")
    infrared = Block(COMMAND | WORD | 0xE, "<H")

    bands: tuple[Band, ...]

    def __init__(self, bus: Bus, address: int = 0x39) -> None:
        super().__init__(bus, address)

    @staticmethod
    def identify(bus: Bus, address: int) -> bool:
        """Whether the chip at this address says that it is a TSL2561, and not another, too.

        All that share its addresses take the questions for registers to read, but a PCF8591,
        to which the first is a choice of its input.
        """
        if bus.write_read(address, bytes([COMMAND | 0xA]), 1)[0] >> 4 not in PACKAGES:
            return False
        return not any(
            bus.write_read(address, bytes([at]), 1)[0] == value for at, value, *_ in OTHERS
        )

    def start(self) -> None:
        """Identify the chip, and its package, which has its own formula.

        Raises:
            WrongChip: another one lives at this address.
        """
        for register, value, name, fits in OTHERS:
            if self.bus.write_read(self.address, bytes([register]), 1)[0] == value:
                raise self.wrong(name, fits)
        if (found := self.ident) >> 4 not in PACKAGES:
            raise self.wrong(f"another chip ({found:#04x})")
        self.bands = PACKAGES[found >> 4]

    def read(self) -> Steps[Reading]:
        """Measure with the highest gain, and again with the lowest if that is too bright.

        Raises:
            BadReading: too bright, or the chip has lost its settings, as after a dip of its supply.
        """
        setting = DIM
        both = yield from self._counts(setting)
        if max(both) >= setting.full:
            setting = BRIGHT
            both = yield from self._counts(setting)
        if max(both) >= setting.full:
            raise BadReading("saturated: too bright, or the data line is stuck high")
        return Reading(lux(*both, self.bands) * setting.scale)

    def _counts(self, setting: Range) -> Steps[tuple[int, int]]:
        self.control = POWER_ON
        self.timing = setting.timing
        self.control = POWER_OFF
        self.control = POWER_ON  # begins to integrate anew
        yield setting.longest_s
        (all_light,), (infrared,) = self.all_light, self.infrared
        if self.control & POWER_ON != POWER_ON:
            raise BadReading("the TSL2561 did not measure: its supply may have dipped")
        self.control = POWER_OFF
        return all_light, infrared
