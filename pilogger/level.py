"""A GPIO pin with two levels that is polled and watched: what `contact` and `motion` share."""

from __future__ import annotations

from typing import Any, ClassVar

from gpiozero import DigitalInputDevice

from pilogger.bus.gpio import Bus
from pilogger.driver import Emit
from pilogger.errors import NoAnswer


class Level:
    """An input of gpiozero's; `gives` makes a reading of whether it is active."""

    gives: ClassVar[type[Any]]

    def __init__(self, bus: Bus, pin: int, *, pull_up: bool, debounce: float) -> None:
        self.bus = bus
        self.pin = pin
        self.pull_up = pull_up  # the active state is then low
        self.debounce = debounce
        self.emit: Emit | None = None
        self.input: Any = None  # gpiozero carries no types

    def claim(self) -> None:
        """Claim the pin.

        Raises:
            NoAnswer: there is no such pin, or something else uses it.
        """
        self.close()
        self.input = self.bus.device(
            DigitalInputDevice,
            self.pin,
            pull_up=self.pull_up,
            bounce_time=self.debounce or None,
        )
        self.input.when_activated = lambda: self._changed(active=True)
        self.input.when_deactivated = lambda: self._changed(active=False)

    def is_active(self) -> bool:
        """Whether it is now.

        Raises:
            NoAnswer: the pin was not claimed, or is free again.
        """
        if self.input is None or self.input.closed:
            raise NoAnswer(f"GPIO{self.pin} is not open")
        return bool(self.input.is_active)

    def watch(self, emit: Emit) -> None:
        """Call `emit` at each change from now on, in gpiozero's thread."""
        self.emit = emit

    def close(self) -> None:
        """Free the pin."""
        if self.input is not None:
            self.input.close()

    def _changed(self, *, active: bool) -> None:
        if self.emit:
            self.emit(self.gives(active))
