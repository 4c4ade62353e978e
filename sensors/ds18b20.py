"""Maxim DS18B20 thermometer (1-wire, through the kernel).

Datasheet: Maxim 19-7487 Rev 6, 7/18; "p." below refers to it. What genuine and false
parts do beyond it: https://github.com/cpetrich/counterfeit_DS18B20.
Wiring: VDD to 3V3, DQ to GPIO4 with 4.7 kOhm up to 3V3; `dtoverlay=w1-gpio` in config.txt.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.onewire import Bus
from pilogger.channel import Channel
from pilogger.errors import BadReading, NoAnswer, WrongChip

FAMILY = "28-"  # the family code of the ROM, p. 8
POWER_ON = 0x0550  # 85 Cel, before the first conversion, p. 6
UNTOUCHED = 0x0C  # scratchpad byte 6 until then; a conversion leaves 0x10 - (raw & 0x0F)

TEMPERATURE = Channel("Cel", -55, 125, step=0.01)  # 12 bits: 0.0625 Cel


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]


def crc8(data: bytes) -> int:
    """Return Maxim's CRC-8, x^8 + x^5 + x^4 + 1, reflected; 0 over data that ends in its CRC."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def scratchpad(text: str) -> bytes:
    """Return the nine bytes that the kernel read, CRC last, from its file `w1_slave`.

    Raises:
        BadReading: the bytes or their CRC are wrong, or all are zero, whose CRC is right.
    """
    first_line = text.partition("\n")[0]
    digits, _, verdict = first_line.partition(":")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if len(data) != 9:
        raise BadReading(f"the kernel gives no scratchpad: {first_line[:60]!r}")
    if not verdict.endswith("YES") or crc8(data):
        raise BadReading(f"the checksum is wrong: {data.hex(' ')}")
    if not any(data):
        raise BadReading("all bytes are zero: the data line is held low")
    return data


def celsius(data: bytes) -> float:
    """Convert a scratchpad to degrees Celsius (p. 6).

    Raises:
        BadReading: the value is what the chip holds before it has measured.
    """
    raw = int.from_bytes(data[:2], "little", signed=True)
    if raw == POWER_ON and data[6] == UNTOUCHED:
        raise BadReading("85 Cel is the power-on value: the chip lost its supply")
    undefined_bits = 3 - (data[4] >> 5 & 3)  # p. 9, table 2: 9 to 12 bits
    return (raw >> undefined_bits << undefined_bits) / 16


class DS18B20:
    """Measures one temperature; the kernel holds the 1-wire bus for up to 750 ms.

    Options:
        id: the chip, as in 28-00000a1b2c3d; needed only if there are several on the bus.
    """

    device: str

    def __init__(self, bus: Bus, id: str | None = None) -> None:
        self.bus = bus
        self.id = id

    @staticmethod
    def identify(_bus: Bus, device: str) -> bool:
        """Whether a chip is one, by the family in its id."""
        return device.startswith(FAMILY)

    def start(self) -> None:
        """Find the chip.

        Raises:
            NoAnswer: it is not on the bus.
            WrongChip: the id is of another family, or is missing and several chips answer.
        """
        if self.id and not self.id.startswith(FAMILY):
            raise WrongChip(f"{self.id} is no DS18B20: those start with {FAMILY}")
        found = [device for device in self.bus.devices() if device.startswith(FAMILY)]
        present = ", ".join(found) or "none"
        if self.id and self.id not in found:
            raise NoAnswer(f"{self.id} is not on the 1-wire bus; DS18B20 there: {present}")
        if not found:
            raise NoAnswer("no DS18B20 is on the 1-wire bus")
        if not self.id and len(found) > 1:
            raise WrongChip(f"several DS18B20 are on the 1-wire bus; set id to one of: {present}")
        self.device = self.id or found[0]

    def read(self) -> Reading:
        """Measure once.

        Raises:
            NoAnswer: the chip has left the bus.
            BadReading: the checksum is wrong, or the chip did not measure.
        """
        text = self.bus.read(self.device, "w1_slave")
        if not text:  # what the kernel shows when the chip left while it was asked
            raise NoAnswer(f"{self.device} does not answer")
        return Reading(celsius(scratchpad(text)))
