"""InvenSense MPU-6050: acceleration, rotation and temperature (I2C).

Datasheet: InvenSense RM-MPU-6000A-00, revision 4.2, the register map; "§" below refers to it.
Wiring: VCC to 3V3 (to 5V on a board with a regulator), SDA and SCL to pins 3 and 5; AD0 to ground
(0x68) or to 3V3 (0x69).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pilogger.bus.i2c import Block, Bus, I2CDevice, Register
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading

WHO = 0x68  # §4.32, whatever AD0 says
OTHERS = {0x70: "MPU-6500", 0x71: "MPU-9250", 0x73: "MPU-9255", 0x98: "ICM-20689"}
RESET, RESET_S = 0x80, 0.1  # §4.28
RUNNING = 0x01  # awake, on the clock of the gyroscope's X axis
SETTLE_S = 0.1  # the gyroscope takes 30 ms, and the filter below some values
SMOOTH = 0x04  # 20 Hz, §4.3
SELECT_BIT = 3  # of both ranges, §4.4 and §4.5
ENDS = (-0x8000, 0x7FFF)

GRAVITY = 9.80665  # m/s2
ACCELERATION = {2: 16384, 4: 8192, 8: 4096, 16: 2048}  # counts per g, §4.17
ROTATION = {250: 131.0, 500: 65.5, 1000: 32.8, 2000: 16.4}  # counts per deg/s, §4.19

ALONG = Channel("m/s2", -157, 157, step=1e-4)  # 0.0006 m/s2
AROUND = Channel("deg/s", -2000, 2000, step=0.001)  # 0.0076 deg/s
TEMPERATURE = Channel("Cel", -40, 85, step=0.001)  # 0.003 Cel


class Reading(NamedTuple):
    x: Annotated[float, ALONG]
    y: Annotated[float, ALONG]
    z: Annotated[float, ALONG]
    rotation_x: Annotated[float, AROUND]
    rotation_y: Annotated[float, AROUND]
    rotation_z: Annotated[float, AROUND]
    temperature: Annotated[float, TEMPERATURE]


def celsius(count: int) -> float:
    """Convert a count to degrees Celsius (§4.18)."""
    return count / 340 + 36.53


class MPU6050(I2CDevice):
    """Gives the latest of its values, which it measures a thousand times a second.

    Options:
        address: 0x68 or 0x69, as AD0 is wired.
        acceleration: the most that it measures, in g, either way: 2, 4, 8 or 16.
        rotation: the most that it measures, in deg/s, either way: 250, 500, 1000 or 2000.
    """

    addresses = (0x68, 0x69)
    filter = Register(0x1A)
    rotation_range = Register(0x1B)
    acceleration_range = Register(0x1C)
    values = Block(0x3B, ">7h")  # acceleration, temperature, rotation: of one moment
    power = Register(0x6B)
    who = Register(0x75)

    def __init__(
        self,
        bus: Bus,
        address: int = 0x68,
        acceleration: Literal[2, 4, 8, 16] = 2,
        rotation: Literal[250, 500, 1000, 2000] = 250,
    ) -> None:
        super().__init__(bus, address)
        self.acceleration = acceleration
        self.rotation = rotation

    @classmethod
    def identify(cls, bus: Bus, address: int) -> bool:
        """Whether the chip at this address says that it is an MPU-6050."""
        return cls(bus, address).who == WHO

    def start(self) -> Steps[None]:
        """Identify the chip, reset it, wake it and set it up.

        Raises:
            WrongChip: something else lives at this address.
        """
        if (found := self.who) != WHO:
            name = OTHERS.get(found, "another chip")
            raise self.wrong(f"{name} ({found:#04x})")
        self.power = RESET
        yield RESET_S
        self.power = RUNNING
        self.filter = SMOOTH
        self.rotation_range = list(ROTATION).index(self.rotation) << SELECT_BIT
        self.acceleration_range = list(ACCELERATION).index(self.acceleration) << SELECT_BIT
        yield SETTLE_S

    def read(self) -> Reading:
        """Fetch the latest values.

        Raises:
            BadReading: the chip sleeps, as after a dip of its supply, or something is beyond its
                range.
        """
        if self.power != RUNNING:
            raise BadReading(f"the MPU-6050 at {self.address:#04x} fell asleep")
        x, y, z, warmth, *around = self.values
        if any(count in ENDS for count in (x, y, z, *around)):
            raise BadReading(f"beyond the range of {self.acceleration} g and {self.rotation} deg/s")
        g, turn = ACCELERATION[self.acceleration], ROTATION[self.rotation]
        along = (count / g * GRAVITY for count in (x, y, z))
        turning = (count / turn for count in around)
        return Reading._make([*along, *turning, celsius(warmth)])
