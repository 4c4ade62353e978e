"""Lite-On LTR-559ALS-01: illuminance, and how near things are (I2C).

Datasheet: Lite-On DS86-2013-0003 rev. B, 07/09/2014; registers have their names from it. The
formula for lux is in the maker's appendix; Pimoroni's and ESPHome's drivers have the same.
Wiring: VCC to 3V3, SDA and SCL to pins 3 and 5. The address is fixed.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Block, Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, WrongChip

ADDRESS = 0x23
IDENTITY = (0x92, 0x05)  # PART_ID, MANUFAC_ID
RESET, ACTIVE = 0b10, 0b01  # ALS_CONTR
RESET_S = 0.1  # "initial startup time"
EACH_100_MS = 0b000_001  # ALS_MEAS_RATE: integrates for 100 ms, every 100 ms
NEARNESS_ON = 0b0010_0011  # PS_CONTR, with its flag of saturation
INVALID, NEW = 0b1000_0000, 0b0000_0100  # ALS_PS_STATUS
FULL = 0xFFFF
DAZZLED = 0x8000  # PS_DATA: so much light that nearness cannot be seen
SETTLE_S = 0.25  # two integrations and a wake-up: the first may have the gain of before
LOOK_S = 0.1
LOOKS = 5

ILLUMINANCE = Channel("lx", 0, 64_000, step=0.01)  # 0.02 lx in the dark
PROXIMITY = Channel("1", 0, 2047, step=1)  # more is nearer


class Gain(NamedTuple):
    """An amplification, and its code in ALS_CONTR and ALS_PS_STATUS."""

    code: int
    factor: int


SUN, ROOM, NIGHT = Gain(0b000, 1), Gain(0b010, 4), Gain(0b111, 96)
DIM = 100  # counts at 4: 44 lx; 96 is for up to 600 lx


class Reading(NamedTuple):
    illuminance: Annotated[float, ILLUMINANCE]
    proximity: Annotated[int | None, PROXIMITY]


def lux(visible: int, infrared: int, gain: int) -> float:
    """Convert the counts of channel 0 and 1 in 100 ms; 0 where nearly all is infrared."""
    total = visible + infrared
    ratio = infrared / total if total else 1
    if ratio < 0.45:
        return (1.7743 * visible + 1.1059 * infrared) / gain
    if ratio < 0.64:
        return (4.2785 * visible - 1.9548 * infrared) / gain
    if ratio < 0.85:
        return (0.5926 * visible + 0.1185 * infrared) / gain
    return 0.0


class LTR559(I2CDevice):
    """Measures illuminance, and what of its own infrared comes back from things nearby."""

    addresses = (ADDRESS,)
    als_contr = Register(0x80)
    ps_contr = Register(0x81)
    als_meas_rate = Register(0x85)
    identity = Block(0x86, "BB")
    als_data = Block(0x88, "<HH")  # channel 1, then 0; one burst is one moment
    status = Register(0x8C)
    ps_data = Block(0x8D, "<H")

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, ADDRESS)

    @staticmethod
    def identify(bus: Bus, address: int) -> bool:
        """Whether the chip at this address says that it is an LTR-559; a BH1750 knows no 0x86."""
        return tuple(bus.write_read(address, b"\x86", 2)) == IDENTITY

    def start(self) -> Steps[None]:
        """Identify the chip, reset it, and have it measure.

        Raises:
            WrongChip: another one lives at this address.
        """
        if self.identity != IDENTITY:
            raise WrongChip(
                f"{self.address:#04x} does not answer as LTR559; if it is a BH1750, "
                "which has no identity, use driver: bh1750"
            )
        self.als_contr = RESET
        yield RESET_S
        self.als_meas_rate = EACH_100_MS
        self.ps_contr = NEARNESS_ON

    def read(self) -> Steps[Reading]:
        """Measure as in a room, and again if that is too bright or too dim; 0.3 to 0.5 s.

        Raises:
            BadReading: too bright, or the chip has lost its settings, as after a dip of its supply.
        """
        gain = ROOM
        both = yield from self._counts(gain)
        if max(both) == FULL or both[0] < DIM:
            gain = SUN if max(both) == FULL else NIGHT
            both = yield from self._counts(gain)
        if max(both) == FULL:
            raise BadReading("saturated: too bright, or the data line is stuck high")
        (near,) = self.ps_data
        return Reading(lux(*both, gain.factor), None if near & DAZZLED else near & 0x07FF)

    def _counts(self, gain: Gain) -> Steps[tuple[int, int]]:
        self.als_contr = gain.code << 2 | ACTIVE
        yield SETTLE_S
        for _ in range(LOOKS):
            status = self.status
            if status & NEW and not status & INVALID and status >> 4 & 0b111 == gain.code:
                break
            yield LOOK_S
        else:
            raise BadReading("the LTR559 does not measure")
        if self.ps_contr != NEARNESS_ON:
            raise BadReading("the LTR559 lost its settings: its supply may have dipped")
        infrared, visible = self.als_data
        return visible, infrared
