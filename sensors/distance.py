"""HC-SR04 and kin: distance by ultrasound (gpiozero).

Datasheet: ELEC Freaks "HC-SR04 user guide".
Wiring: VCC to 5V, Trig to a pin; Echo gives 5 V and goes through a divider, 1 kOhm to the pin and
2 kOhm from there to ground. An HC-SR04P or RCWL-1601 at 3V3 needs none.
"""

# quality: bench

from __future__ import annotations

import warnings
from typing import Annotated, Any, NamedTuple

from gpiozero import DistanceSensor, DistanceSensorNoEcho, PWMSoftwareFallback

from pilogger.bus.gpio import Bus
from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import NoAnswer, NotReady

FARTHEST = 4.0  # m
PINGS = 9  # their median counts: the program may be interrupted while it listens
PING_S = 0.1  # the echo of one must die away before the next

DISTANCE = Channel("m", 0, FARTHEST, step=0.001)  # interrupts make it centimetres at times


class Reading(NamedTuple):
    distance: Annotated[float, DISTANCE]


def speed_of_sound(celsius: float) -> float:
    """Return it in m/s, in air; good to 0.1 % from -20 to 40 Cel."""
    return 331.3 + 0.606 * celsius


class Distance:
    """Measures nine times per poll, in 0.9 s, and gives the median; silent in between.

    Options:
        trigger: the GPIO (BCM) number that Trig is at.
        echo: the GPIO (BCM) number that Echo is at, through its divider.
        temperature: of the air, in Cel; 10 Cel too much make 1.8 % too much.
    """

    def __init__(self, bus: Bus, trigger: int, echo: int, temperature: float = 20) -> None:
        self.bus = bus
        self.trigger = trigger
        self.echo = echo
        self.temperature = temperature

    def start(self) -> None:
        """See that both pins can be had.

        Raises:
            NoAnswer: there is no such pin, or something else uses it.
        """
        self._open().close()

    def read(self) -> Steps[Reading]:
        """Measure; the pins are free in between, and no echo of an earlier poll counts.

        Raises:
            NoAnswer: there is no echo, not even a late one.
            NotReady: nothing is within 4 m.
        """
        sensor = self._open()
        try:
            sensor.speed_of_sound = speed_of_sound(self.temperature)
            yield PINGS * PING_S
            metres: float = sensor.distance
        finally:
            sensor.close()
        if not metres:  # what gpiozero gives for no values at all
            raise NoAnswer(
                f"no echo at GPIO{self.echo}: is it wired, and Trig at GPIO{self.trigger}?"
            )
        if metres >= FARTHEST:
            raise NotReady(f"nothing is within {FARTHEST:g} m")
        return Reading(metres)

    def _open(self) -> Any:
        for category in (PWMSoftwareFallback, DistanceSensorNoEcho):  # known, or said by us
            warnings.simplefilter("ignore", category)
        return self.bus.device(
            DistanceSensor,
            self.echo,
            trigger=self.trigger,
            max_distance=FARTHEST,
            queue_len=PINGS,
            partial=True,  # it would wait for ever for nine echoes
        )
