"""ScioSense ENS160: air quality from metal oxides heated on a chip (I2C).

Datasheet: ScioSense "ENS160", version 0.95, December 2020; "§" below refers to it.
Wiring: VIN to 3V3, SDA and SCL to pins 3 and 5, CS to 3V3; ADDR to 3V3 (0x53) or to ground (0x52).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Block, Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Source, Steps, latest
from pilogger.errors import BadReading, NotReady

PARTS = {0x0160: "ENS160", 0x0161: "ENS161"}  # §16.2.1; the ENS161 has the same registers
ADXL345 = 0xE5  # what that has in its register 0x00
STANDARD = 0x02  # OPMODE, §16.2.2; after power-on it sleeps: 0x00
RUNNING, FAULT, NEW = 0b1000_0000, 0b0100_0000, 0b0000_0010  # DEVICE_STATUS, §16.2.7
WARMING_UP, FIRST_START, NO_OUTPUT = 1, 2, 3  # its bits 3:2
LOOK_S = 0.5
LOOKS = 5  # 2 s; a value takes 1

AIR_IN = 0x13, 0x15  # TEMP_IN, in 1/64 K, and RH_IN, in 1/512 %, §16.2.5 and 6
AIR = Channel("Cel", -40, 85)
MOISTURE = Channel("%", 0, 100)
STANDARD_AIR = 25.0, 50.0

AQI = Channel("1", 1, 5, step=1)  # from excellent to unhealthy, as the German UBA grades it
TVOC = Channel("[ppb]", 0, 65_000, step=1)
ECO2 = Channel("[ppm]", 400, 65_000, step=1)


class Reading(NamedTuple):
    aqi: Annotated[int, AQI]
    tvoc: Annotated[int, TVOC]
    eco2: Annotated[int, ECO2]


class ENS160(I2CDevice):
    """Gives an air quality index, compounds in the air, and the CO2 that would go with them.

    It takes 3 minutes to warm up, and an hour the first time it has power.

    Options:
        address: 0x53, or 0x52 if ADDR is low.
        temperature: of the air, for `compensate`; 25 Cel without.
        humidity: of the air, likewise; 50 % without.
    """

    addresses = (0x53, 0x52)
    part = Block(0x00, "<H")
    opmode = Register(0x10)
    output = Block(0x20, "<BBHH")  # DEVICE_STATUS, DATA_AQI, DATA_TVOC, DATA_ECO2: one moment

    def __init__(
        self,
        bus: Bus,
        address: int = 0x53,
        *,
        temperature: Annotated[Source | None, AIR] = None,
        humidity: Annotated[Source | None, MOISTURE] = None,
    ) -> None:
        super().__init__(bus, address)
        self.temperature = temperature
        self.humidity = humidity
        self.told: tuple[int, int] | None = words(*STANDARD_AIR)

    @staticmethod
    def identify(bus: Bus, address: int) -> bool:
        """Whether the chip at this address says that it is an ENS160, or an ENS161."""
        return int.from_bytes(bus.write_read(address, b"\x00", 2), "little") in PARTS

    def start(self) -> None:
        """Identify the chip, and have it measure; one that does already stays warm.

        Raises:
            WrongChip: another one lives at this address.
        """
        (found,) = self.part
        if found not in PARTS:
            name = "ADXL345" if found & 0xFF == ADXL345 else "another chip"
            raise self.wrong(f"{name} ({found:#06x})")
        if self.opmode != STANDARD:
            self.opmode = STANDARD
        self.told = words(*STANDARD_AIR) if self.temperature is self.humidity is None else None

    def read(self) -> Steps[Reading]:
        """Wait for new values, up to 2.5 s, and fetch them.

        Raises:
            NotReady: the chip is warming up.
            BadReading: it has a fault, or does not measure, as after a dip of its supply.
        """
        self._tell_air()
        for _ in range(LOOKS):
            status, aqi, tvoc, eco2 = self.output
            if not status & RUNNING or status & FAULT or status >> 2 & 0b11 == NO_OUTPUT:
                raise BadReading(f"the ENS160 does not measure: its status is {status:#04x}")
            if status >> 2 & 0b11 in (WARMING_UP, FIRST_START):
                raise NotReady("the ENS160 is warming up: 3 minutes, the first time an hour")
            if status & NEW:
                break
            yield LOOK_S
        else:
            raise BadReading("the ENS160 has nothing new")
        if not aqi:
            raise BadReading("the ENS160 gives no air quality index")
        return Reading(aqi & 0b111, tvoc, eco2)

    def _tell_air(self) -> None:
        """Tell the chip how warm and moist the air is, if that is other than it was told last."""
        warm, wet = latest(self.temperature), latest(self.humidity)
        air = words(
            STANDARD_AIR[0] if warm is None else warm, STANDARD_AIR[1] if wet is None else wet
        )
        if air != self.told:
            for register, word in zip(AIR_IN, air, strict=True):
                self.bus.write(self.address, bytes([register]) + word.to_bytes(2, "little"))
            self.told = air


def words(temperature: float, humidity: float) -> tuple[int, int]:
    """Return TEMP_IN in 1/64 K, and RH_IN in 1/512 %."""
    return round((temperature + 273.15) * 64), round(humidity * 512)
