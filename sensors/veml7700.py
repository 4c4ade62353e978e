"""Vishay VEML7700 ambient light sensor (I2C).

Datasheet: Vishay 84286 rev. 1.7, 29-Nov-2023. "AN" is its application note 84323 of 2025, which
corrects the counts per lux of the editions before 2023: theirs read 14 % too dark.
Wiring: VIN to 3V3, SDA and SCL to pins 3 and 5. The address is fixed.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Block, Bus, I2CDevice
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

ADDRESS = 0x10
DEVICE_ID = 0x81  # low byte of command code 7, which older parts do not have
ALS_CONF = 0x00  # 16 bits, low byte first; 0x0001 after power-on
SHUT_DOWN = 0x0001
WAKE_UP_S = 0.0025  # AN
SATURATED = 0xFFFF


class Range(NamedTuple):
    """One setting; its ALS_CONF has the gain in bits 12:11, the integration time in 9:6."""

    config: int
    integration_s: float
    lux_per_count: float  # AN, table of resolutions
    bends: bool  # whether the correction of AN is for this gain


DAYLIGHT = Range(0b10 << 11 | 0b0000 << 6, 0.1, 0.5376, bends=True)  # gain 1/8, 100 ms
DUSK = Range(0b01 << 11 | 0b0010 << 6, 0.4, 0.0084, bends=False)  # gain 2, 400 ms
DIM = 100  # counts by daylight, 54 lx: gain 2 is only for less than 100 lx (AN)

ILLUMINANCE = Channel("lx", 0, 140_000, step=0.001)  # its maximum; 0.0084 lx in the dark


class Reading(NamedTuple):
    illuminance: Annotated[float, ILLUMINANCE]


def lux(count: int, setting: Range) -> float:
    """Convert a count to lux, and straighten the chip's curve (AN, "correction formula").

    The note asks for that from 1000 lx on. Below, it changes little, and there is no jump.
    """
    x = count * setting.lux_per_count
    if not setting.bends:
        return x
    return (((6.0135e-13 * x - 9.3924e-9) * x + 8.1488e-5) * x + 1.0023) * x


class VEML7700(I2CDevice):
    """Measures illuminance from moonlight to sunlight; 0.2 s per poll, or 1 s where it is dark.

    Early parts have no identity to ask for: whatever takes the settings is believed.
    """

    addresses = (ADDRESS,)
    config = Block(ALS_CONF, "<H")
    als = Block(0x04, "<H")

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, ADDRESS)

    @staticmethod
    def identify(bus: Bus, address: int) -> bool | None:
        """Whether the chip at this address has the identity of newer parts; without, it may be."""
        return bus.write_read(address, b"\x07", 2)[0] == DEVICE_ID or None

    def read(self) -> Steps[Reading]:
        """Measure by daylight, and again with more gain if that is dim.

        Raises:
            BadReading: too bright, or the chip has lost its settings, as after a dip of its supply.
        """
        setting = DAYLIGHT
        count = yield from self._count(setting)
        if count <= DIM:
            setting = DUSK
            count = yield from self._count(setting)
        if count == SATURATED:
            raise BadReading("saturated: too bright, or the data line is stuck high")
        return Reading(lux(count, setting))

    def _count(self, setting: Range) -> Steps[int]:
        for config in (setting.config | SHUT_DOWN, setting.config):  # ends what is going on
            self.bus.write(self.address, bytes([ALS_CONF]) + config.to_bytes(2, "little"))
        yield WAKE_UP_S + 2 * setting.integration_s  # the first after waking may be short
        (count,) = self.als
        if self.config != (setting.config,):
            raise BadReading("the VEML7700 lost its settings, or this is another chip")
        return int(count)
