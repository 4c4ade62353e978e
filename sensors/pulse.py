"""A pulse counter on a GPIO pin: rain, wind, flow, energy (gpiozero).

    rain: {driver: pulse, pin: 6, each: 0.2794, unit: mm, debounce: 0.05}  # a tip of its bucket
    flow: {driver: pulse, pin: 5, debounce: 0}  # a YF-S201: 7 Hz for each litre per minute

Wiring: as a contact: between the pin and ground with `pull: up`, between the pin and 3V3 with
`pull: down`. No sensor may give the pin more than 3.3 V.
"""

# quality: bench

from __future__ import annotations

from time import monotonic
from typing import Any, Literal

from gpiozero import DigitalInputDevice

from pilogger.bus.gpio import Bus
from pilogger.channel import Channel, Unit
from pilogger.errors import NoAnswer

FREQUENCY = Channel("Hz", 0, step=1e-4)


class Pulse:
    """Counts pulses: a total since the logger started, and how many a second since the last poll.

    The total begins anew at 0 when the logger is started anew; what was counted is the sum of
    its rises.

    Options:
        pin: the GPIO (BCM) number, 0 to 27.
        each: what one pulse stands for, in the unit of the total.
        unit: the unit of the total, as a UCUM code.
        pull: up if a pulse pulls the pin to ground, down if it lifts it to 3V3.
        debounce: seconds that a new state must last to count; less than the shortest pulse, 0 for
            electronic ones.
    """

    def __init__(
        self,
        bus: Bus,
        pin: int,
        *,
        each: float = 1,
        unit: Unit = "1",
        pull: Literal["up", "down"] = "up",
        debounce: float = 0.005,
    ) -> None:
        if not each > 0:
            raise ValueError(f"a pulse stands for more than 0, not {each}")
        self.bus = bus
        self.pin = pin
        self.each = int(each) if float(each).is_integer() else each
        self.unit = unit
        self.pull = pull
        self.debounce = debounce
        self.count = 0  # by gpiozero's thread alone
        self.last: tuple[int, float] | None = None  # the count, and when that was
        self.input: Any = None  # gpiozero carries no types

    def channels(self) -> dict[str, Channel]:
        return {"total": Channel(self.unit, 0), "frequency": FREQUENCY}

    def start(self) -> None:
        """Claim the pin; what was counted before stays.

        Raises:
            NoAnswer: there is no such pin, or something else uses it.
        """
        self.close()
        self.last = None  # pulses may have been missed meanwhile
        self.input = self.bus.device(
            DigitalInputDevice,
            self.pin,
            pull_up=self.pull == "up",
            bounce_time=self.debounce or None,
        )
        self.input.when_activated = self._pulse

    def read(self) -> dict[str, float]:
        """Return the total, and, but for the first time, the frequency."""
        if self.input is None or self.input.closed:
            raise NoAnswer(f"GPIO{self.pin} is not open")
        count, now = self.count, monotonic()
        values: dict[str, float] = {"total": round(count * self.each, 9)}
        if self.last and now > self.last[1]:
            values["frequency"] = (count - self.last[0]) / (now - self.last[1])
        self.last = count, now
        return values

    def close(self) -> None:
        """Free the pin."""
        if self.input is not None:
            self.input.close()

    def _pulse(self) -> None:
        self.count += 1
