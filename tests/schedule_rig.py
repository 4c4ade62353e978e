"""A bench for the scheduler's tests: one worker, a clock that is moved, drivers on strings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from pilogger.channel import Channel
from pilogger.sample import Sample
from pilogger.scheduler import Probe
from pilogger.scheduler.duty import Duty
from pilogger.scheduler.health import SensorState
from pilogger.scheduler.worker import Worker
from pilogger.testing import FakeClock

TICK = 1e-6  # the fake clock's resolution


class Reading(NamedTuple):
    temperature: Annotated[float, Channel("Cel", -40, 85, 0.01)]


class Puppet:
    """Reads what its script says: a number, or an error to raise; at its end, 20.0."""

    def __init__(self, *script: float | BaseException) -> None:
        self.script = list(script)
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def read(self) -> Reading:
        self.calls.append("read")
        found = self.script.pop(0) if self.script else 20.0
        if isinstance(found, BaseException):
            raise found
        return Reading(found)


def probe(driver: object, every: float = 10, sensor: str = "air", **more: Any) -> Probe:
    """Describe a sensor without a bus whose driver exists already."""
    return Probe(sensor, build=lambda _bus: driver, every=every, **more)


class Rig:
    """A worker and everything that it tells the outside."""

    def __init__(
        self,
        *probes: Probe,
        clock: FakeClock | None = None,
        record: Callable[[Sample], None] | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.began = self.clock.monotonic()
        self.samples: list[Sample] = []
        self.declared: list[tuple[str, list[str]]] = []
        self.duties = [
            Duty(probe, self.clock, record or self.samples.append, self.declare) for probe in probes
        ]
        self.worker = Worker(self.duties, self.clock)

    def declare(self, sensor: str, channels: Mapping[str, Channel]) -> None:
        self.declared.append((sensor, list(channels)))

    def run(self, seconds: float) -> None:
        """Do what is due at each moment of the next seconds."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            wait = self.worker.step()
            if wait > 0:
                self.clock.advance(min(max(wait, TICK), end - self.clock.monotonic()))

    def times(self, sensor: str = "air") -> list[float]:
        """When the samples of a sensor were taken, in seconds since the start."""
        stamps = [sample.boot for sample in self.samples if sample.sensor == sensor]
        return [round(stamp / 1e6 - self.began, 6) for stamp in stamps]

    def state(self, at: int = 0) -> SensorState:
        return self.duties[at].health.state()
