"""Winsen MH-Z19B and MH-Z19C: CO2 (serial).

Datasheet: Winsen "MH-Z19B user's manual", version 1.5.
Wiring: Vin to 5V, its Tx to RXD (pin 10) and its Rx to TXD (pin 8); the console must not use the
port. Its temperature is not described in the manual, and not given.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.serial import Bus
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer

BEGIN, FIRST_SENSOR = 0xFF, 0x01
READ, SELF_CALIBRATION = 0x86, 0x79
ON, OFF = 0xA0, 0x00
SIZE = 9
ANSWER_S = 0.1  # nine bytes each way take 19 ms
PREHEAT_S = 180.0

CO2 = Channel("[ppm]", 0, 10_000, step=1)


class Reading(NamedTuple):
    co2: Annotated[int, CO2]


def checksum(frame: bytes) -> int:
    """Return what makes bytes 1 to 8 add up to 0."""
    return -sum(frame[1:8]) & 0xFF


def command(number: int, argument: int = 0) -> bytes:
    """Return a command with its checksum."""
    frame = bytes([BEGIN, FIRST_SENSOR, number, argument, 0, 0, 0, 0])
    return frame + bytes([checksum(frame)])


class MHZ19:
    """Gives CO2, which it measures anew each few seconds.

    Its first three minutes of power are a gap. A logger that is started anew cannot know how long
    that was ago, and waits as well.

    Options:
        self_calibration: true where the air is fresh (400 ppm) at least once a day.
    """

    def __init__(self, bus: Bus, self_calibration: bool = True) -> None:
        self.bus = bus
        self.self_calibration = self_calibration
        self.is_warm = False

    @classmethod
    def identify(cls, bus: Bus) -> Steps[bool]:
        """Whether it answers when it is asked for CO2, which changes nothing in it."""
        bus.speed(9600)
        yield from cls(bus)._ask()
        return True

    def start(self) -> Steps[None]:
        """Find the sensor, set it up, and wait until it is warm.

        Raises:
            NoAnswer: nothing answers.
            BadReading: the answer is damaged.
        """
        self.bus.speed(9600)
        self.bus.write(command(SELF_CALIBRATION, ON if self.self_calibration else OFF))
        yield ANSWER_S
        yield from self._ask()
        if not self.is_warm:
            yield PREHEAT_S
            self.is_warm = True

    def read(self) -> Steps[Reading]:
        """Ask for the latest value.

        Raises:
            NoAnswer: nothing answers: it may have lost its supply, and will be cold.
            BadReading: the answer is damaged, or it has not measured.
        """
        try:
            co2 = yield from self._ask()
        except NoAnswer:
            self.is_warm = False
            raise
        if not co2:
            raise BadReading("the MH-Z19 gives 0 ppm: it has not measured")
        return Reading(co2)

    def _ask(self) -> Steps[int]:
        self.bus.read()  # what is old is forgotten
        self.bus.write(command(READ))
        yield ANSWER_S
        if not (frame := self.bus.read()):
            raise NoAnswer("the MH-Z19 does not answer")
        if len(frame) != SIZE or frame[0] != BEGIN or frame[1] != READ:
            raise BadReading(f"no answer of an MH-Z19: {frame[:20].hex(' ')}")
        if frame[8] != checksum(frame):
            raise BadReading(f"the checksum is wrong: {frame.hex(' ')}")
        return int.from_bytes(frame[2:4], "big")
