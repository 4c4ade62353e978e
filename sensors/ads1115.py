"""Texas Instruments ADS1115 and ADS1015: voltages on four inputs (I2C).

Datasheets: TI SBAS444D (ADS1115, 16 bits) and SBAS473E (ADS1015, 12 bits); "§" below refers to
both.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5; ADDR to ground (0x48), VDD (0x49), SDA (0x4a) or
SCL (0x4b). No input may be above VDD or below ground by more than 0.3 V, whatever the full scale.
"""

# quality: bench

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pilogger.bus.i2c import Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

Input = Literal["a0", "a1", "a2", "a3", "a0_a1", "a0_a3", "a1_a3", "a2_a3"]
MUX: dict[Input, int] = {  # bits 14:12, §9.6.3, table 8
    "a0_a1": 0b000,
    "a0_a3": 0b001,
    "a1_a3": 0b010,
    "a2_a3": 0b011,
    "a0": 0b100,
    "a1": 0b101,
    "a2": 0b110,
    "a3": 0b111,
}
GAINS = {6.144: 0b000, 4.096: 0b001, 2.048: 0b010, 1.024: 0b011, 0.512: 0b100, 0.256: 0b101}
START = 1 << 15  # when read: no conversion is under way
ONE_SHOT = 1 << 8
MIDDLE_RATE = 0b100 << 5  # 128 conversions per second, or 1600
NO_COMPARATOR = 0b11
BITS = {"ads1115": 16, "ads1015": 12}  # left-aligned in the word
CONVERSION_S = {"ads1115": 1.1 / 128, "ads1015": 1.1 / 1600}  # the clock errs by 10 %, §7.5
MORE_TRIES = 4
SLOWEST_S = 1.1 / 8  # what another program started may last so long


class ADS1115(I2CDevice):
    """Measures each chosen input once per poll; sleeps in between.

    An input beyond the full scale has no value; its channel is absent then.

    Options:
        address: 0x48 to 0x4b, as ADDR is wired.
        model: ads1115 or ads1015.
        full_scale: 6.144, 4.096, 2.048, 1.024, 0.512 or 0.256 V, either way.
        inputs: any of a0, a1, a2, a3 against ground; a0_a1, a0_a3, a1_a3, a2_a3 as differences.
    """

    addresses = range(0x48, 0x4C)
    conversion = Register(0x00, size=2)
    config = Register(0x01, size=2)

    def __init__(
        self,
        bus: Bus,
        address: int = 0x48,
        model: Literal["ads1115", "ads1015"] = "ads1115",
        full_scale: float = 4.096,
        inputs: Sequence[Input] = ("a0", "a1", "a2", "a3"),
    ) -> None:
        if full_scale not in GAINS:
            raise ValueError(f"full_scale is one of {', '.join(map(str, GAINS))}, not {full_scale}")
        if not inputs:
            raise ValueError("inputs names no input")
        super().__init__(bus, address)
        self.bits = BITS[model]
        self.conversion_s = CONVERSION_S[model]
        self.full_scale = full_scale
        self.inputs = tuple(inputs)
        self.settings = GAINS[full_scale] << 9 | ONE_SHOT | MIDDLE_RATE | NO_COMPARATOR

    def channels(self) -> dict[str, Channel]:
        """Return a voltage for each input."""
        step = float(f"1e{math.floor(math.log10(self.full_scale / (1 << self.bits - 1)))}")
        return dict.fromkeys(self.inputs, Channel("V", -self.full_scale, self.full_scale, step))

    def start(self) -> Steps[None]:
        """Put the chip to sleep with our settings.

        Raises:
            WrongChip: something lives at this address that does not keep them.
        """
        self.config = self.settings
        yield SLOWEST_S
        if (found := self.config) != START | self.settings:
            raise self.wrong(f"something with the settings {found:#06x}")

    def read(self) -> Steps[dict[str, float]]:
        """Measure the inputs, one after another, each in 9 ms (ADS1015: 1 ms).

        Raises:
            BadReading: the chip does not finish, or forgot its settings; or no input is within
                the full scale.
        """
        values: dict[str, float] = {}
        for name in self.inputs:
            counts = yield from self._convert(name)
            most = 1 << self.bits - 1
            if -most < counts < most - 1:  # the last codes mean that much or more
                values[name] = counts * self.full_scale / most
        if not values:
            raise BadReading(f"no input is within +-{self.full_scale} V")
        return values

    def _convert(self, name: Input) -> Steps[int]:
        asked = START | MUX[name] << 12 | self.settings
        self.config = asked
        for _ in range(MORE_TRIES):
            yield self.conversion_s
            found = self.config
            if found | START != asked:
                raise BadReading(f"the ADS1115 at {self.address:#04x} forgot its settings")
            if found == asked:
                return signed(self.conversion) >> 16 - self.bits
        raise BadReading(f"the ADS1115 at {self.address:#04x} does not finish measuring")


def signed(word: int) -> int:
    """Return 16 bits as the number that they are in two's complement."""
    return (word ^ 0x8000) - 0x8000
