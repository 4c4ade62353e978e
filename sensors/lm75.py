"""LM75, PCT2075, TMP102 and kin: thermometers of many makers (I2C).

Datasheets: TI LM75B (SNIS153), NXP LM75B and PCT2075, TI TMP102 (SBOS397). Their first four
registers are alike, but for how many bits of the temperature count.
Wiring: VCC to 3V3, SDA and SCL to pins 3 and 5; A0 to A2 to ground (0x48) or to 3V3 (+1, +2, +4).
"""

# quality: bench

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Literal, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer

BITS = {"lm75": 9, "lm75b": 11, "pct2075": 11, "tmp102": 12}
CONFIG = 0x01
RUNNING, RUNNING_TMP102 = b"\x00", b"\x60\xa0"  # what a reset leaves: it measures
LIMIT = 0x7D00  # 125 Cel; a reset leaves 80, 0x5000
LIMIT_BITS = 0xFF80  # nine bits count in all of them
CONVERSION_S = 0.3  # the first LM75 is the slowest
DOUBTFUL = 0x0000, 0xFFFF  # what a reset and a line that is stuck can leave
TMP117_ID = 0x0117
PCT2075_ADDRESSES = (*range(0x28, 0x30), *range(0x35, 0x38), *range(0x70, 0x78))  # besides

TEMPERATURE = Channel("Cel", -55, 128, step=0.01)  # 0.5, 0.125 or 0.0625 Cel


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]


def celsius(word: int, bits: int) -> float:
    """Convert a word whose first bits count, two's complement, to degrees Celsius."""
    return ((word >> 16 - bits << 16 - bits ^ 0x8000) - 0x8000) / 256


class LM75(I2CDevice):
    """Gives the latest of its temperatures, which it measures several times a second.

    It has no identity to ask for: whatever keeps its limit is believed.

    Options:
        address: 0x48 to 0x4f, as A0 to A2 are wired; a PCT2075 also 0x28 to 0x2f, 0x35 to 0x37 and
            0x70 to 0x77.
        model: lm75 in steps of 0.5 Cel; lm75b (0.125), which NXP's LM75A is too; pct2075 (0.125);
            or tmp102 (0.0625).
    """

    addresses = (*range(0x48, 0x50), *PCT2075_ADDRESSES)
    temperature = Register(0x00, size=2)
    limit = Register(0x03, size=2)
    tmp117_id = Register(0x0F, size=2)

    def __init__(
        self,
        bus: Bus,
        address: int = 0x48,
        model: Literal["lm75", "lm75b", "pct2075", "tmp102"] = "lm75",
    ) -> None:
        super().__init__(bus, address)
        self.bits = BITS[model]
        self.running = RUNNING_TMP102 if model == "tmp102" else RUNNING

    def start(self) -> Steps[None]:
        """Have the chip measure, and wait for its first value.

        Raises:
            WrongChip: a TMP117 lives at this address, or something that keeps no limit.
        """
        with suppress(NoAnswer):  # some may not know the register
            if self.tmp117_id == TMP117_ID:  # whose register 0 would be half of the truth
                raise self.wrong("TMP117", "tmp117")
        self.bus.write(self.address, bytes([CONFIG]) + self.running)
        self.limit = LIMIT  # nothing happens there, but a reset will show
        if not self._kept():
            raise self.wrong()
        yield CONVERSION_S

    def read(self) -> Reading:
        """Fetch the latest value.

        Raises:
            BadReading: the chip was reset and has not measured yet, or the line is stuck.
        """
        word = self.temperature
        if word in DOUBTFUL and not self._kept():
            raise BadReading(f"the chip at {self.address:#04x} did not measure")
        return Reading(celsius(word, self.bits))

    def _kept(self) -> bool:
        return self.limit & LIMIT_BITS == LIMIT
