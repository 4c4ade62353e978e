"""Sensirion SCD30: CO2, temperature and relative humidity (I2C).

Datasheet: Sensirion "Interface Description SCD30", version 1.0, May 2020; "§" below refers to it.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5, SEL open. The address is fixed. It stretches the
clock with every command, which the Pi's I2C does not bear: slow the bus down, with
`dtparam=i2c_arm_baudrate=10000` in config.txt, or use `dtoverlay=i2c-gpio`.
"""

# quality: bench

from __future__ import annotations

import struct
from typing import Annotated, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.bus.sensirion import ask, encode
from pilogger.channel import Channel
from pilogger.driver import Source, Steps, latest
from pilogger.errors import BadReading, SensorError

ADDRESS = 0x61
MEASURE = b"\x00\x10"  # for ever; takes the pressure in hPa, 0 where the altitude tells it, §1.4
INTERVAL = b"\x46\x00"  # §1.4
INTERVAL_S = 2
READY = b"\x02\x02"  # §1.4
READ = b"\x03\x00"  # §1.4; the first after power-on has 0 ppm
SELF_CALIBRATION = b"\x53\x06"  # §1.4
ALTITUDE = b"\x51\x02"  # §1.4
VERSION = b"\xd1\x00"  # §1.4
COMMAND_S = 0.05  # more than 3 ms, §1.4; with less there are time-outs
LOOK_S = 0.5
LOOKS = 6  # 3 s

PRESSURE = Channel("Pa", 70_000, 140_000)  # §1.4
PRESSURE_STEP = 5  # hPa, about 0.5 % of the CO2: the command is kept in memory that wears

CO2 = Channel("[ppm]", 0, 40_000, step=0.1)
TEMPERATURE = Channel("Cel", -40, 70, step=0.001)
HUMIDITY = Channel("%", 0, 100, step=0.001)


class Reading(NamedTuple):
    co2: Annotated[float, CO2]
    temperature: Annotated[float, TEMPERATURE]
    humidity: Annotated[float, HUMIDITY]


class SCD30(I2CDevice):
    """Measures CO2, temperature and humidity each 2 s; a poll waits for values that are new.

    Options:
        altitude: metres above the sea, 0 to 65535; thin air reads as less CO2.
        self_calibration: true where the air is fresh (400 ppm) for an hour each day.
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
        if not 0 <= altitude <= 0xFFFF:
            raise ValueError(f"an SCD30 knows altitudes from 0 to 65535 m, not {altitude}")
        super().__init__(bus, ADDRESS)
        self.altitude = altitude
        self.self_calibration = self_calibration
        self.pressure = pressure
        self.told = 0  # hPa

    @staticmethod
    def identify(bus: Bus, address: int) -> Steps[bool]:
        """Whether the chip at this address tells its firmware's version as an SCD30 does."""
        try:
            yield from ask(bus, address, VERSION, COMMAND_S)
        except SensorError:
            return False
        return True

    def start(self) -> Steps[None]:
        """Set the chip up, and have it measure."""
        yield from self._keep(INTERVAL, INTERVAL_S)
        yield from self._keep(ALTITUDE, self.altitude)
        yield from self._keep(SELF_CALIBRATION, int(self.self_calibration))
        self.told = self._hectopascal() or 0
        yield from self._measure()

    def read(self) -> Steps[Reading]:
        """Wait for new values, up to 3 s, and fetch them.

        Raises:
            BadReading: a checksum is wrong, or the chip does not measure.
        """
        now = self._hectopascal()
        if now is not None and abs(now - self.told) >= PRESSURE_STEP:
            self.told = now
            yield from self._measure()
        for _ in range(LOOKS):
            (ready,) = yield from ask(self.bus, self.address, READY, COMMAND_S)
            if ready:
                break
            yield LOOK_S
        else:
            raise BadReading("the SCD30 does not measure")
        words = yield from ask(self.bus, self.address, READ, COMMAND_S, 6)
        reading = Reading(*struct.unpack(">3f", struct.pack(">6H", *words)))
        if not reading.co2 > 0:  # as NaN is not, too
            raise BadReading(f"the SCD30 gives {reading.co2:g} ppm: it has not measured CO2")
        return reading

    def _hectopascal(self) -> int | None:
        pressure = latest(self.pressure)
        return None if pressure is None else round(pressure / 100)

    def _measure(self) -> Steps[None]:
        self.bus.write(self.address, MEASURE + encode(self.told))
        yield COMMAND_S

    def _keep(self, setting: bytes, value: int) -> Steps[None]:
        """Change a setting where it is another: it survives power cuts in memory that wears."""
        (present,) = yield from ask(self.bus, self.address, setting, COMMAND_S)
        if present != value:
            self.bus.write(self.address, setting + encode(value))
            yield COMMAND_S
