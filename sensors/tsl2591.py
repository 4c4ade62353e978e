"""ams TSL2591 ambient light sensor (I2C).

Datasheet: ams "TSL2591", v2-04, 2018-Jun-05; registers have their names from it. The maker gives
no formula for lux: this one is that of Linux's driver and of Adafruit's for Arduino. Expect the
shape of a day to be right, and single values to be off by some 10 %.
Wiring: VIN to 3V3, SDA and SCL to pins 3 and 5. The address is fixed.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Block, Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

ADDRESS = 0x29
COMMAND = 0b1010_0000  # a normal transaction, and the register's address (COMMAND)
CHIP_ID = 0x50  # ID
OTHERS = ((0x8A, 0xF0, 0x50, "TSL2561", "tsl2561"), (0xC0, 0xFF, 0xEE, "VL53L0X", ""))
POWER_ON, ALS_ON = 0b0000_0001, 0b0000_0010  # ENABLE: PON, AEN
VALID = 0b0000_0001  # STATUS: an integration has ended since ALS_ON was set
STEP_S = 0.12  # of integration: 100 ms, 108 at the longest
FULL_100_MS, FULL = 36_863, 65_535  # what a channel counts at most
COUNTS_PER_LUX = 1 / 408  # at 1 ms and a gain of 1

ILLUMINANCE = Channel("lx", 0, FULL_100_MS / COUNTS_PER_LUX / 100, step=0.01)  # 0.03 lx in the dark


class Range(NamedTuple):
    """One setting; its CONTROL has the gain in bits 5:4, the steps in 2:0, less one."""

    control: int
    gain: int
    steps: int  # of 100 ms
    full: int


SUN = Range(0b00 << 4 | 0, 1, 1, FULL_100_MS)
ROOM = Range(0b01 << 4 | 0, 25, 1, FULL_100_MS)  # the higher gains vary by 10 %: not used
NIGHT = Range(0b01 << 4 | 5, 25, 6, FULL)
DIM = 100  # counts


class Reading(NamedTuple):
    illuminance: Annotated[float, ILLUMINANCE]


def lux(all_light: int, infrared: int, setting: Range) -> float:
    """Convert the counts of both channels; 0 where all is infrared."""
    visible = all_light - infrared
    if visible <= 0:
        return 0.0
    counts = visible * (1 - infrared / all_light)
    return counts / (COUNTS_PER_LUX * 100 * setting.steps * setting.gain)


class TSL2591(I2CDevice):
    """Measures illuminance from starlight to sunlight in 0.1 to 0.8 s; sleeps in between."""

    addresses = (ADDRESS,)
    enable = Register(COMMAND | 0x00)
    control = Register(COMMAND | 0x01)
    chip_id = Register(COMMAND | 0x12)
    status = Register(COMMAND | 0x13)
    counts = Block(COMMAND | 0x14, "<HH")  # all light, then infrared: one burst is one moment

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, ADDRESS)

    @staticmethod
    def identify(bus: Bus, address: int) -> bool:
        """Whether the chip at this address says that it is a TSL2591."""
        return bus.write_read(address, bytes([COMMAND | 0x12]), 1)[0] == CHIP_ID

    def start(self) -> None:
        """Identify the chip.

        Raises:
            WrongChip: another one lives at this address.
        """
        if (found := self.chip_id) == CHIP_ID:
            return
        for register, mask, value, name, fits in OTHERS:
            if self.bus.write_read(self.address, bytes([register]), 1)[0] & mask == value:
                raise self.wrong(name, fits)
        raise self.wrong(f"another chip ({found:#04x})")

    def read(self) -> Steps[Reading]:
        """Measure as in a room, and again if that is too bright or too dim.

        Raises:
            BadReading: too bright, or the chip has lost its settings, as after a dip of its supply.
        """
        setting = ROOM
        both = yield from self._counts(setting)
        if max(both) >= setting.full or both[0] < DIM:
            setting = SUN if max(both) >= setting.full else NIGHT
            both = yield from self._counts(setting)
        if max(both) >= setting.full:
            raise BadReading("saturated: too bright, or the data line is stuck high")
        return Reading(lux(*both, setting))

    def _counts(self, setting: Range) -> Steps[tuple[int, int]]:
        self.control = setting.control
        self.enable = POWER_ON | ALS_ON
        yield STEP_S * setting.steps
        if not self.status & VALID:
            raise BadReading("the TSL2591 did not measure: its supply may have dipped")
        all_light, infrared = self.counts
        self.enable = 0
        return all_light, infrared
