"""ASAIR AHT20, AHT21, DHT20 and AHT10: temperature and relative humidity (I2C).

Datasheets: ASAIR "DHT20", V1.0, May 2021, and "AHT10"; "§" below refers to the first.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pilogger.bus import sensirion
from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, WrongChip

RESET = b"\xba"
RESET_S = 0.02
CALIBRATE = {"aht20": b"\xbe\x08\x00", "aht10": b"\xe1\x08\x00"}  # load what the factory measured
CALIBRATE_S = 0.01
MEASURE = b"\xac\x33\x00"  # §7.4
MEASURE_S = 0.08  # §7.4
BUSY, CALIBRATED = 0b1000_0000, 0b0000_1000  # the status, table 9
IDLE_MASK, IDLE = 0b1001_1000, 0b0001_1000  # what §7.4 looks for; a BH1745 shows 0x4B here
MORE_S, MORE_TRIES = 0.02, 3  # some take 90 ms and more

TEMPERATURE = Channel("Cel", -40, 85, step=0.001)  # it resolves 0.01 Cel
HUMIDITY = Channel("%", 0, 100, step=0.01)  # 0.024 %


class Reading(NamedTuple):
    temperature: Annotated[float, TEMPERATURE]
    humidity: Annotated[float, HUMIDITY]


def celsius(count: int) -> float:
    """Convert 20 bits to degrees Celsius (§8)."""
    return 200 * count / 0x100000 - 50


def percent(count: int) -> float:
    """Convert 20 bits to relative humidity in percent (§8)."""
    return 100 * count / 0x100000


class AHT20(I2CDevice):
    """Measures temperature and humidity once per poll; the chip sleeps in between.

    Options:
        address: 0x38, or 0x39 of an AHT10 with A0 high.
        model: aht20, which AHT21 and DHT20 are too, or aht10, which has no checksum.
    """

    addresses = (0x38, 0x39)

    def __init__(
        self, bus: Bus, address: int = 0x38, model: Literal["aht20", "aht10"] = "aht20"
    ) -> None:
        super().__init__(bus, address)
        self.model = model
        self.length = 7 if model == "aht20" else 6

    @staticmethod
    def identify(bus: Bus, address: int) -> bool:
        """Whether the chip at this address, asked for nothing, tells the status of an idle one."""
        return bus.read(address, 1)[0] & IDLE_MASK == IDLE

    def start(self) -> Steps[None]:
        """Reset the chip, and have it load its calibration if it did not.

        Raises:
            WrongChip: it does not load any.
        """
        self.bus.write(self.address, RESET)
        yield RESET_S
        if not self.bus.read(self.address, 1)[0] & CALIBRATED:
            self.bus.write(self.address, CALIBRATE[self.model])
            yield CALIBRATE_S
            if not self.bus.read(self.address, 1)[0] & CALIBRATED:
                raise WrongChip(
                    f"{self.address:#04x} does not load a calibration as an {self.model}"
                )

    def read(self) -> Steps[Reading]:
        """Measure both once, which takes 80 ms, or 140 ms at most.

        Raises:
            BadReading: it does not finish, the checksum is wrong, it has lost its calibration, as
                after a dip of its supply, or it gives a humidity of 0, which none has measured.
        """
        self.bus.write(self.address, MEASURE)
        yield MEASURE_S
        answer = self.bus.read(self.address, self.length)
        for _ in range(MORE_TRIES):
            if not answer[0] & BUSY:
                break
            yield MORE_S
            answer = self.bus.read(self.address, self.length)
        return self._reading(answer)

    def _reading(self, answer: bytes) -> Reading:
        if answer[0] & BUSY:
            raise BadReading("the chip does not finish measuring")
        if self.model == "aht20" and sensirion.crc8(answer[:6]) != answer[6]:
            hint = "an AHT10 has none: set model: aht10"
            raise BadReading(f"the checksum is wrong: {answer.hex(' ')}; {hint}")
        if not answer[0] & CALIBRATED:
            raise BadReading("the chip has lost its calibration")
        counts = int.from_bytes(answer[1:6], "big")
        humidity, temperature = counts >> 20, counts & 0xFFFFF
        if not humidity:
            raise BadReading("the humidity is 0: the chip did not measure")
        return Reading(celsius(temperature), percent(humidity))
