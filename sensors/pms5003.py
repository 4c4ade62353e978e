"""Plantower PMS5003, PMS7003 and PMSA003: particles in the air, by mass and by number (serial).

Datasheet: Plantower "PMS5003 series data manual", 2016; its frame is in `pilogger/plantower.py`.
Wiring: VCC to 5V, its TX to RXD (pin 10); the console must not use the port. Nothing is sent to
it. The fan and the laser, which last about a year of hours, run as long as it has power.
"""

# quality: bench

from __future__ import annotations

from pilogger.bus.serial import Bus
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer
from pilogger.plantower import SIZE, START, WARM_UP_S, Reading, decode

LOOK_S = 0.25
LOOKS = 12  # 3 s; a frame comes each 0.2 to 2.3 s


class PMS5003:
    """Gives the particles' mass and number, from the next frame that the sensor sends."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    @classmethod
    def identify(cls, bus: Bus) -> Steps[bool]:
        """Whether what comes in are frames of Plantower; it is only listened to."""
        bus.speed(9600)
        yield from cls(bus).read()
        return True

    def start(self) -> Steps[None]:
        """Find the sensor, and wait 30 s until its air flows steadily.

        Raises:
            NoAnswer: nothing is sent.
            BadReading: what is sent is damaged.
        """
        self.bus.speed(9600)
        yield from self.read()
        yield WARM_UP_S

    def read(self) -> Steps[Reading]:
        """Wait for the next frame, up to 3 s; a damaged one is passed over for the next.

        Raises:
            NoAnswer: nothing is sent.
            BadReading: what is sent has no whole frame in it.
        """
        self.bus.read()  # what is old is forgotten
        heard, trouble = b"", ""
        for _ in range(LOOKS):
            yield LOOK_S
            heard += self.bus.read()
            while (at := heard.find(START)) >= 0 and len(heard) >= at + SIZE:
                try:
                    return decode(heard[at : at + SIZE])
                except BadReading as error:
                    trouble = str(error)
                    heard = heard[at + 1 :]  # the start may have been a value
        if not heard:
            raise NoAnswer("the PMS5003 sends nothing")
        raise BadReading(trouble or f"no frame of Plantower in {heard[:40].hex(' ')}")
