"""ON Semiconductor LC709203F: voltage, charge and temperature of a lithium cell (I2C).

Datasheet: ON Semiconductor LC709203F/D, rev. 9, tables 6 to 8.
Wiring: it lives of its cell; SDA and SCL to pins 3 and 5. The address is fixed.
"""

# quality: bench

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Literal, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer, SensorError

ADDRESS = 0x0B
POLYNOMIAL = 0x07  # of CRC-8-ATM, begun with 0
THERMISTOR_B, INITIAL_RSOC, TEMPERATURE_OF, VOLTAGE_OF = 0x06, 0x07, 0x08, 0x09
PACK, CHARGE_OF, VERSION, PROFILE, POWER, THERMISTOR = 0x0B, 0x0F, 0x11, 0x12, 0x15, 0x16
OPERATIONAL = 0x0001
START_RSOC = 0xAA55
PACKS = {100: 0x08, 200: 0x0B, 500: 0x10, 1000: 0x19, 2000: 0x2D, 3000: 0x36}  # by mAh
PROFILES = {"3.8": 0x0000, "3.7": 0x0001}  # by nominal voltage
WAKE_S = 0.001  # what wakes it is not acknowledged
SETTLE_S = 0.1  # until its first guess
ZERO_CEL = 2731.5  # in tenths of kelvin

VOLTAGE = Channel("V", 0, 5, step=0.001)
CHARGE = Channel("%", 0, 100, step=0.1)
TEMPERATURE = Channel("Cel", -20, 60, step=0.01)


class Reading(NamedTuple):
    """The temperature is absent without a thermistor: the chip would tell what it was told."""

    voltage: Annotated[float, VOLTAGE]
    charge: Annotated[float, CHARGE]
    temperature: Annotated[float | None, TEMPERATURE]


def crc8(data: bytes) -> int:
    """Return the checksum of a transfer, its address bytes included."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (POLYNOMIAL if crc & 0x80 else 0)) & 0xFF
    return crc


class LC709203F(I2CDevice):
    """Gives the voltage, and how full the cell is by the chip's model of it.

    Options:
        capacity: mAh of the cell: 100, 200, 500, 1000, 2000 or 3000, the nearest.
        nominal: "3.7" for a cell that is charged to 4.2 V, "3.8" for one to 4.35 V.
        thermistor: the B constant, in kelvin, of the one at TSENSE; 0 if there is none.
    """

    addresses = (ADDRESS,)

    def __init__(
        self,
        bus: Bus,
        capacity: Literal[100, 200, 500, 1000, 2000, 3000] = 500,
        nominal: Literal["3.7", "3.8"] = "3.7",
        thermistor: int = 0,
    ) -> None:
        if not 0 <= thermistor <= 0xFFFF:
            raise ValueError(f"a thermistor has a B constant of 0 to 65535 K, not {thermistor}")
        super().__init__(bus, ADDRESS)
        self.has_thermistor = thermistor > 0
        self.settings = {
            POWER: OPERATIONAL,
            PACK: PACKS[capacity],
            PROFILE: PROFILES[nominal],
            THERMISTOR: int(self.has_thermistor),
        }
        if thermistor:
            self.settings[THERMISTOR_B] = thermistor

    @classmethod
    def identify(cls, bus: Bus, address: int) -> bool:
        """Whether what is at this address answers with the right checksum."""
        chip = cls(bus)
        chip.address = address
        for _ in range(2):  # the first question may only wake it
            with suppress(SensorError):
                chip.word(VERSION)
                return True
        return False

    def start(self) -> Steps[None]:
        """Wake the chip; if it does not have our settings, set it up and let it guess anew.

        A chip that has them has learnt, too, and is left as it is.

        Raises:
            BadReading: a checksum is wrong.
        """
        with suppress(NoAnswer):
            self.word(POWER)
        yield WAKE_S
        if self._kept():
            return
        for register, word in self.settings.items():
            self.set(register, word)
        self.set(INITIAL_RSOC, START_RSOC)
        yield SETTLE_S

    def read(self) -> Reading:
        """Fetch the latest values.

        Raises:
            BadReading: a checksum is wrong, or the chip forgot its settings, as after a change of
                its cell.
        """
        if not self._kept():
            raise BadReading("the LC709203F forgot its settings")
        kelvin = self.word(TEMPERATURE_OF) if self.has_thermistor else None
        return Reading(
            voltage=self.word(VOLTAGE_OF) / 1000,
            charge=self.word(CHARGE_OF) / 10,
            temperature=None if kelvin is None else (kelvin - ZERO_CEL) / 10,
        )

    def _kept(self) -> bool:
        return all(self.word(register) == word for register, word in self.settings.items())

    def word(self, register: int) -> int:
        """Read a word, low byte first, and check it."""
        answer = self.bus.write_read(self.address, bytes([register]), 3)
        if crc8(bytes([self.address << 1, register, self.address << 1 | 1]) + answer):
            raise BadReading(f"the checksum is wrong: {answer.hex(' ')}")
        return int.from_bytes(answer[:2], "little")

    def set(self, register: int, word: int) -> None:
        """Write a word, low byte first, with its checksum."""
        data = bytes([register]) + word.to_bytes(2, "little")
        self.bus.write(self.address, data + bytes([crc8(bytes([self.address << 1]) + data)]))
