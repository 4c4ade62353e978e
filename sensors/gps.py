"""Any GPS receiver that speaks NMEA 0183: position, height, speed (serial, USB).

Source: the sentences RMC and GGA as u-blox has them in its "Receiver Description Including
Protocol Specification", UBX-13003221.
Wiring: VCC as its board says, its TX to RXD (pin 10); the console must not use the port. By USB:
`bus: /dev/ttyACM0`. Nothing is sent to it. Where gpsd has the port, this driver cannot.
"""

# quality: bench

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from pilogger.bus.serial import Bus
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer, NotReady

LOOK_S = 0.2
LOOKS = 15  # 3 s; a receiver speaks each second
SENTENCE = re.compile(rb"\$([A-Z0-9,.+\-_ /]*)\*([0-9A-F]{2})\r?\n", re.IGNORECASE)
KNOT = 1852 / 3600  # m/s
MEASURED = frozenset("12345")  # qualities of a fix; 6 is guessed on, 7 typed in, 8 simulated

LATITUDE = Channel("deg", -90, 90, step=1e-7)
LONGITUDE = Channel("deg", -180, 180, step=1e-7)
ALTITUDE = Channel("m", -1000, 50_000, step=0.01)
SPEED = Channel("m/s", 0, 1000, step=0.001)
SATELLITES = Channel("1", 0, 99)


class Reading(NamedTuple):
    """Position in degrees, north and east positive; height above the mean sea, if known."""

    latitude: Annotated[float, LATITUDE]
    longitude: Annotated[float, LONGITUDE]
    altitude: Annotated[float | None, ALTITUDE]
    speed: Annotated[float | None, SPEED]
    satellites: Annotated[int | None, SATELLITES]


def sentences(heard: bytes) -> list[list[str]]:
    """Return the fields of each whole sentence whose checksum, the XOR of its bytes, is right."""
    found = []
    for match in SENTENCE.finditer(heard):
        crc = 0
        for byte in match[1]:
            crc ^= byte
        if crc == int(match[2], 16):
            found.append(match[1].decode("ascii").split(","))
    return found


def degrees(text: str, side: str) -> float:
    """Convert ddmm.mmm or dddmm.mmm to degrees; south and west are negative."""
    whole, minutes = divmod(float(text), 100)
    return (whole + minutes / 60) * (-1 if side in "SW" else 1)


class GPS:
    """Gives a fix of the second in which it is asked; without a fix there is a gap.

    The receiver's time is not used: the first one after a cold start is wrong.

    Options:
        baud: bits per second, 4800 to 921600; most receivers have 9600.
    """

    def __init__(self, bus: Bus, baud: int = 9600) -> None:
        if not 4800 <= baud <= 921_600:
            raise ValueError(f"a receiver speaks 4800 to 921600 baud, not {baud}")
        self.bus = bus
        self.baud = baud

    @staticmethod
    def identify(bus: Bus) -> Steps[bool]:
        """Whether what comes in at 9600 baud are sentences of NMEA; it is only listened to."""
        bus.speed(9600)
        heard = b""
        for _ in range(LOOKS):
            yield LOOK_S
            heard += bus.read()
            if sentences(heard):
                return True
        return False

    def start(self) -> Steps[None]:
        """Set the port's speed, and listen for a sign of life.

        Raises:
            NoAnswer: nothing is sent.
        """
        self.bus.speed(self.baud)
        self.bus.read()
        for _ in range(LOOKS):
            yield LOOK_S
            if self.bus.read():
                return
        raise NoAnswer("the receiver sends nothing")

    def read(self) -> Steps[Reading]:
        """Wait for the two sentences of one moment, up to 3 s.

        Raises:
            NoAnswer: nothing is sent.
            BadReading: what is sent are no sentences: perhaps another baud rate.
            NotReady: there is no fix.
        """
        self.bus.read()  # what is old is forgotten
        heard = b""
        for _ in range(LOOKS):
            yield LOOK_S
            heard += self.bus.read()
            found = {fields[0][2:]: fields for fields in sentences(heard)}  # the latest of each
            rmc, gga = found.get("RMC"), found.get("GGA")
            if rmc and gga and rmc[1:2] == gga[1:2]:
                return reading(rmc, gga)
        if not heard:
            raise NoAnswer("the receiver sends nothing")
        if not sentences(heard):
            raise BadReading(f"no NMEA sentence in {heard[:20].hex(' ')}: is the baud rate right?")
        raise BadReading("the receiver does not send RMC and GGA of one moment")


def reading(rmc: list[str], gga: list[str]) -> Reading:
    """Return what two sentences of one moment say.

    Raises:
        NotReady: there is no fix.
        BadReading: they are not as they should be.
    """
    try:
        if rmc[2] != "A" or gga[6] not in MEASURED:
            raise NotReady("the receiver has no fix yet")
        return Reading(
            latitude=degrees(rmc[3], rmc[4]),
            longitude=degrees(rmc[5], rmc[6]),
            altitude=float(gga[9]) if gga[9] else None,
            speed=float(rmc[7]) * KNOT if rmc[7] else None,
            satellites=int(gga[7]) if gga[7] else None,
        )
    except (ValueError, IndexError) as error:
        raise BadReading(f"not as RMC and GGA should be: {','.join(rmc)}") from error
