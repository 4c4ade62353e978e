"""A contact on a GPIO pin: door, window, reed, button, float switch (gpiozero).

Wiring: between the pin and ground with `pull: up`, between the pin and 3V3 with
`pull: down`. The resistor is inside the Pi; a cable of many metres wants 1 kOhm in series
at the pin, and 10 kOhm to the pull's side.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pilogger.bus.gpio import Bus
from pilogger.channel import Channel
from pilogger.level import Level

CLOSED = Channel("1", 0, 1)


class Reading(NamedTuple):
    closed: Annotated[bool, CLOSED]


class Contact(Level):
    """Reports each closing and opening as it happens, and the present state at each poll.

    Options:
        pin: the GPIO (BCM) number, 0 to 27.
        pull: up if the contact goes to ground, down if it goes to 3V3.
        debounce: seconds that a new state must last to count, 0 to 5; contacts bounce 0.01 to 0.05.
    """

    gives = Reading

    def __init__(
        self, bus: Bus, pin: int, pull: Literal["up", "down"] = "up", debounce: float = 0.02
    ) -> None:
        super().__init__(bus, pin, pull_up=pull == "up", debounce=debounce)

    def start(self) -> None:
        """Claim the pin.

        Raises:
            NoAnswer: there is no such pin, or something else uses it.
        """
        self.claim()

    def read(self) -> Reading:
        """Return the present state.

        Raises:
            NoAnswer: the pin is not open.
        """
        return Reading(self.is_active())
