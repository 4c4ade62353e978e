"""A motion sensor with one wire: PIR boards as the HC-SR501 and the AM312, or radar (gpiozero).

Source: the boards' own descriptions: high while something moves, and for a while after.
Wiring: OUT to a GPIO pin, which takes no more than 3.3 V, as these boards give it; VCC to 5V
(HC-SR501) or 3V3 (AM312).
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, NamedTuple

from pilogger.bus.gpio import Bus
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.level import Level

WARM_UP_S = 60.0  # until then it sees what is not there

MOTION = Channel("1", 0, 1)


class Reading(NamedTuple):
    motion: Annotated[bool, MOTION]


class Motion(Level):
    """Reports each beginning and end of a motion as it happens, and the present state at each poll.

    Its first minute is a gap. A logger that is started anew cannot know how long it has had its
    supply, and waits as well.

    Options:
        pin: the GPIO (BCM) number, 0 to 27.
    """

    gives = Reading

    def __init__(self, bus: Bus, pin: int) -> None:
        super().__init__(bus, pin, pull_up=False, debounce=0)
        self.is_warm = False

    def start(self) -> Steps[None]:
        """Claim the pin, and wait until the sensor is warm.

        Raises:
            NoAnswer: there is no such pin, or something else uses it.
        """
        self.claim()
        if not self.is_warm:
            yield WARM_UP_S
            self.is_warm = True

    def read(self) -> Reading:
        """Return the present state.

        Raises:
            NoAnswer: the pin is not open.
        """
        return Reading(self.is_active())
