"""A pulse counter on a GPIO pin: rain, wind, flow, energy (gpiozero).

    rain: {driver: pulse, pin: 6, each: 0.2794, unit: mm, debounce: 0.05}  # a tip of its bucket
    flow:  # a YF-S201: 7 Hz for each litre per minute
      {driver: pulse, pin: 5, debounce: 0, each: 0.00238, unit: l,
       channels: {frequency: {scale: 0.1429, becomes: l/min}}}
    meter: {driver: pulse, pin: 16, each: 1, unit: W.h}  # 1000 blinks for a kW.h
    fan:  # two pulses for each turn
      {driver: pulse, pin: 26, channels: {frequency: {scale: 0.5, unit: rpm}}}

Wiring: as a contact: between the pin and ground with `pull: up`, between the pin and 3V3 with
`pull: down`. No sensor may give the pin more than 3.3 V.
"""

# quality: bench

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from time import monotonic
from typing import Any, Literal

from gpiozero import DigitalInputDevice

from pilogger.bus.gpio import Bus
from pilogger.channel import Channel, Unit
from pilogger.errors import NoAnswer

FREQUENCY = Channel("Hz", 0, step=1e-4)


class Pulse:
    """Counts pulses: a total that goes on over restarts, and how many a second since the last poll.

    The total never goes back. Pulses while the logger does not run are not counted, nor those
    between the last stored reading and a power cut. Another unit, or another id, begins anew.

    Options:
        pin: the GPIO (BCM) number, 0 to 27.
        each: what one pulse stands for, in the unit of the total.
        unit: the unit of the total, as a UCUM code.
        pull: up if a pulse pulls the pin to ground, down if it lifts it to 3V3.
        debounce: seconds that a new state must last to count; less than the shortest pulse, 0 for
            electronic ones.
    """

    state_exact = True

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
        self.before: float = 0  # the total of those who counted before
        self.count = 0  # by gpiozero's thread alone
        self.last: tuple[int, float] | None = None  # the count, and when that was
        self.input: Any = None  # gpiozero carries no types

    @property
    def state(self) -> dict[str, Any]:
        """The total, and what it is counted in."""
        return {"total": self._total(self.count), "unit": self.unit}

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        if state["unit"] != self.unit:
            raise ValueError(f"it was counted in {state['unit']}, not {self.unit}")
        if not 0 <= state["total"] < inf:
            raise ValueError(f"{state['total']} is no total")
        self.before = state["total"]

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
        values = {"total": self._total(count)}
        if self.last and now > self.last[1]:
            values["frequency"] = (count - self.last[0]) / (now - self.last[1])
        self.last = count, now
        return values

    def close(self) -> None:
        """Free the pin."""
        if self.input is not None:
            self.input.close()

    def _total(self, count: int) -> float:
        return round(self.before + count * self.each, 9)

    def _pulse(self) -> None:
        self.count += 1
