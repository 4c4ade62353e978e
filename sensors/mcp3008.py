"""Microchip MCP3004, MCP3008, MCP3204 and MCP3208: voltages on four or eight inputs (SPI).

Datasheets: Microchip DS21295D (10 bits), DS21298E (12 bits); figures 6-1 of both.
Wiring: VDD and VREF to 3V3; CLK, Dout, Din to pins 23, 21, 19; CS to pin 24 (CE0) or 26 (CE1).
`sudo raspi-config nonint do_spi 0` switches SPI on.
"""

# quality: bench

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pilogger.bus.gpio import SPI, Bus
from pilogger.channel import Channel
from pilogger.errors import NoAnswer

Input = Literal["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"]
INPUTS: tuple[Input, ...] = ("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7")
BITS = {"mcp3004": 10, "mcp3008": 10, "mcp3204": 12, "mcp3208": 12}
SINGLE_ENDED = 0b11000  # the start bit and SGL; three bits of the input follow


class MCP3008:
    """Measures each chosen input once per poll, in less than a millisecond.

    Options:
        model: mcp3004, mcp3008, mcp3204 or mcp3208.
        inputs: any of a0 to a7, or to a3 for an mcp3004 or mcp3204; the first four by default.
        select: 0 if CS is at CE0, 1 at CE1.
        reference: volts at VREF, more than 0, up to 5.5; Dout must not give the Pi more than 3.3.
    """

    def __init__(
        self,
        bus: Bus,
        model: Literal["mcp3004", "mcp3008", "mcp3204", "mcp3208"] = "mcp3008",
        inputs: Sequence[Input] = INPUTS[:4],
        select: Literal[0, 1] = 0,
        reference: float = 3.3,
    ) -> None:
        there = INPUTS[: int(model[-1])]
        if not inputs or not set(inputs) <= set(there):
            raise ValueError(f"the inputs of an {model} are {there[0]} to {there[-1]}")
        if not 0 < reference <= 5.5:
            raise ValueError(f"a reference has up to 5.5 V, not {reference}")
        self.bus = bus
        self.model = model
        self.bits = BITS[model]
        self.inputs = tuple(inputs)
        self.select = select
        self.reference = reference
        self.chip: SPI | None = None

    def channels(self) -> dict[str, Channel]:
        """Return a voltage for each input."""
        step = 0.001 if self.bits == 10 else 1e-4
        return dict.fromkeys(self.inputs, Channel("V", 0, self.reference, step))

    def start(self) -> None:
        """Claim the pins, and see that something drives them.

        Raises:
            NoAnswer: they are used by something else, or nothing answers.
        """
        self.close()
        self.chip = self.bus.spi(self.select)
        self._convert(self.inputs[0])

    def read(self) -> dict[str, float]:
        """Measure the inputs, one after another.

        Raises:
            NoAnswer: nothing drives the line; one that is held low reads as 0 V, though.
        """
        most = 1 << self.bits
        return {name: self._convert(name) * self.reference / most for name in self.inputs}

    def close(self) -> None:
        """Free the pins."""
        if self.chip is not None:
            self.chip.close()
            self.chip = None

    def _convert(self, name: Input) -> int:
        if self.chip is None:
            raise NoAnswer(f"SPI0 CE{self.select} is not open")
        asked = (SINGLE_ENDED | INPUTS.index(name)) << self.bits + 2  # the answer ends with a byte
        answer = int.from_bytes(self.chip.transfer([*asked.to_bytes(3, "big")]), "big")
        if answer >> self.bits & 1:  # the chip sends a zero before its first bit
            raise NoAnswer(f"no {self.model} answers at SPI0 CE{self.select}")
        return answer & (1 << self.bits) - 1
