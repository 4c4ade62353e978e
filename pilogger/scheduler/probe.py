"""What the scheduler is told about a sensor; it knows no config and no store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from pilogger.bus import Kind
from pilogger.pipeline import Derivation, Treatment
from pilogger.scheduler.board import Wire


@dataclass(frozen=True, slots=True)
class Probe:
    """One sensor to serve: how its driver is made, where it hangs, how often it is read.

    `build` is given the open bus (None for a sensor without one), and a source for each of the
    `wires` to other sensors' channels; it does no I/O. `treatments` are what is done to its
    channels, `derivations` those that are calculated from them. `every`
    and `deadline` are seconds; the deadline is for each stretch of work between two waits,
    not for a whole poll. The first poll is due `delay` seconds after the start. Every call
    of the driver runs in a context that `inside` gives.
    """

    id: str
    build: Callable[..., Any]
    every: float
    kind: Kind | None = None
    bus: int | str | None = None
    deadline: float = 10.0
    raw: bool = False
    treatments: Mapping[str, Treatment] = field(default_factory=dict)
    derivations: Sequence[Derivation] = ()
    wires: Mapping[str, Wire] = field(default_factory=dict)
    delay: float = 0.0
    inside: Callable[[], AbstractContextManager[object]] = nullcontext

    def __post_init__(self) -> None:
        if not (self.every > 0 and self.deadline > 0):
            raise ValueError(f"{self.id}: an interval and a deadline are longer than 0 s")

    @property
    def line(self) -> tuple[str, int | str]:
        """What must be served by one worker: a bus, or the sensor alone."""
        if self.kind is None:
            return "alone", self.id
        return self.kind.name, self.kind.trunk(self.kind.default if self.bus is None else self.bus)

    def open_bus(self) -> Any:
        """Open the bus that this sensor is on; None for a sensor without one."""
        return None if self.kind is None else self.kind.open(self.line[1])

    def branch(self, bus: Any) -> Any:
        """Return the branch of an open bus that this sensor is on; mostly that is the whole."""
        return bus if self.kind is None or self.bus is None else self.kind.branch(bus, self.bus)
