"""Sensirion SCD40, SCD41 and SCD43: CO2, temperature and relative humidity (I2C).

Datasheet: Sensirion "SCD4x", version 1.3, September 2022; "§" below refers to it.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5. The address is fixed. It draws 205 mA for an
instant at each measurement: a thin or long supply lets it reset.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.bus.sensirion import ask, encode
from pilogger.channel import Channel
from pilogger.driver import Source, Steps, latest
from pilogger.errors import BadReading, SensorError

ADDRESS = 0x62
START = b"\x21\xb1"  # a new value each 5 s, §3.5.1
READ = b"\xec\x05"  # §3.5.2; 0 ppm where CO2 was not measured
STOP = b"\x3f\x86"  # §3.5.3; while it measures, the settings below are refused
STOP_S = 0.5
SET_ALTITUDE = b"\x24\x27"  # §3.6.3; kept in memory that a power cut empties
SET_PRESSURE = b"\xe0\x00"  # §3.6.5; takes hPa while it measures, and overrides the altitude
SET_SELF_CALIBRATION = b"\x24\x16"  # §3.7.2; likewise
DATA_READY = b"\xe4\xb8"  # §3.8.2; is answered always
NEW = 0x07FF  # these bits are zero while there is nothing new
COMMAND_S = 0.001  # table 9
LOOK_S = 0.5
LOOKS = 12  # 6 s; a value takes 5

PRESSURE = Channel("Pa", 70_000, 120_000)

CO2 = Channel("[ppm]", 0, 40_000, step=1)
TEMPERATURE = Channel("Cel", -10, 60, step=0.001)  # 16 bits: 0.0027 Cel
HUMIDITY = Channel("%", 0, 100, step=0.001)  # 0.0015 %


class Reading(NamedTuple):
    co2: Annotated[int, CO2]
    temperature: Annotated[float, TEMPERATURE]
    humidity: Annotated[float, HUMIDITY]


def celsius(word: int) -> float:
    """Convert a word to degrees Celsius (§3.5.2)."""
    return 175 * word / 0xFFFF - 45


def percent(word: int) -> float:
    """Convert a word to relative humidity in percent (§3.5.2)."""
    return 100 * word / 0xFFFF


class SCD4x(I2CDevice):
    """Measures CO2, temperature and humidity each 5 s; a poll waits for values that are new.

    Options:
        altitude: metres above the sea, 0 to 3000; thin air reads as less CO2.
        self_calibration: true where the air is fresh (400 ppm) at least once a week.
        pressure: of the air, for `compensate`; its last value overrides the altitude.
    """

    addresses = (ADDRESS,)

    def __init__(
        self,
        bus: Bus,
        altitude: int = 0,
        self_calibration: bool = True,
        *,
        pressure: Annotated[Source | None, PRESSURE] = None,
    ) -> None:
        if not 0 <= altitude <= 3000:
            raise ValueError(f"an SCD4x knows altitudes from 0 to 3000 m, not {altitude}")
        super().__init__(bus, ADDRESS)
        self.altitude = altitude
        self.self_calibration = self_calibration
        self.pressure = pressure
        self.told: int | None = None

    @staticmethod
    def identify(bus: Bus, address: int) -> Steps[bool]:
        """Whether the chip at this address answers as an SCD4x, measuring or not."""
        try:
            yield from ask(bus, address, DATA_READY, COMMAND_S)
        except SensorError:
            return False
        return True

    def start(self) -> Steps[None]:
        """End what runs, set the chip up, and have it measure."""
        self.bus.write(self.address, STOP)
        yield STOP_S
        self.bus.write(self.address, SET_ALTITUDE + encode(self.altitude))
        yield COMMAND_S
        self.bus.write(self.address, SET_SELF_CALIBRATION + encode(int(self.self_calibration)))
        yield COMMAND_S
        self.bus.write(self.address, START)
        self.told = None

    def read(self) -> Steps[Reading]:
        """Wait for new values, up to 6 s, and fetch them.

        Raises:
            BadReading: a checksum is wrong, or the chip does not measure, as after a dip of its
                supply.
        """
        yield from self._tell_pressure()
        for _ in range(LOOKS):
            (ready,) = yield from ask(self.bus, self.address, DATA_READY, COMMAND_S)
            if ready & NEW:
                break
            yield LOOK_S
        else:
            raise BadReading("the SCD4x does not measure: its supply may have dipped")
        co2, temperature, humidity = yield from ask(self.bus, self.address, READ, COMMAND_S, 3)
        if not co2:
            raise BadReading("the SCD4x gives 0 ppm: it has not measured CO2")
        return Reading(co2, celsius(temperature), percent(humidity))

    def _tell_pressure(self) -> Steps[None]:
        """Tell the chip the pressure, if that is another than it was told last."""
        pressure = latest(self.pressure)
        if pressure is not None and (hectopascal := round(pressure / 100)) != self.told:
            self.bus.write(self.address, SET_PRESSURE + encode(hectopascal))
            self.told = hectopascal
            yield COMMAND_S
