"""A contact on a GPIO pin: door, window, reed, button, float switch (gpiozero).

Wiring: between the pin and ground with `pull: up`, between the pin and 3V3 with
`pull: down`. The resistor is inside the Pi; a cable of many metres wants 1 kOhm in series
at the pin, and 10 kOhm to the pull's side.
"""

# quality: bench

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from gpiozero import DigitalInputDevice

from pilogger.bus.gpio import Bus
from pilogger.channel import Channel
from pilogger.driver import Emit
from pilogger.errors import NoAnswer

CLOSED = Channel("1", 0, 1)


class Reading(NamedTuple):
    closed: Annotated[bool, CLOSED]


class Contact:
    """Reports each closing and opening as it happens, and the present state at each poll.

    Options:
        pin: the GPIO (BCM) number, 0 to 27.
        pull: up if the contact goes to ground, down if it goes to 3V3.
        debounce: seconds that a new state must last to count, 0 to 5; contacts bounce 0.01 to 0.05.
    """

    def __init__(
        self, bus: Bus, pin: int, pull: Literal["up", "down"] = "up", debounce: float = 0.02
    ) -> None:
        self.bus = bus
        self.pin = pin
        self.pull = pull
        self.debounce = debounce
        self.emit: Emit | None = None
        self.input: Any = None  # gpiozero carries no types

    def start(self) -> None:
        """Claim the pin.

        Raises:
            NoAnswer: there is no such pin, or something else uses it.
        """
        self.close()
        self.input = self.bus.device(
            DigitalInputDevice,
            self.pin,
            pull_up=self.pull == "up",  # the active state is then low: closed
            bounce_time=self.debounce or None,
        )
        self.input.when_activated = lambda: self._changed(closed=True)
        self.input.when_deactivated = lambda: self._changed(closed=False)

    def read(self) -> Reading:
        """Return the present state."""
        if self.input is None or self.input.closed:
            raise NoAnswer(f"GPIO{self.pin} is not open")
        return Reading(bool(self.input.is_active))

    def watch(self, emit: Emit) -> None:
        """Call `emit` at each change from now on, in gpiozero's thread."""
        self.emit = emit

    def close(self) -> None:
        """Free the pin."""
        if self.input is not None:
            self.input.close()

    def _changed(self, *, closed: bool) -> None:
        if self.emit:
            self.emit(Reading(closed))
