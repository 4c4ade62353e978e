"""A driver at work: built, started, read, watched, closed; all on its worker's leash.

What it remembers is given to it before its first start, and saved after a reading when that is due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from pilogger.driver import Steps
from pilogger.errors import SensorError
from pilogger.sample import Sample
from pilogger.scheduler.conform import Shape
from pilogger.scheduler.duty import Duty
from pilogger.scheduler.health import message
from pilogger.scheduler.leash import Abandoned, Leash
from pilogger.scheduler.memory import ages
from pilogger.scheduler.refinery import Refinery

log = logging.getLogger("pilogger.scheduler")

LONGEST_WAIT_S = 3600.0
POLL_US = 1000
EDGE_US = 1


class Session:
    """The driver of one sensor, on one open bus.

    `retired` is the driver that a worker left behind had for this sensor, if any: it is
    closed before its successor starts, because it may still hold a pin or a port.
    """

    def __init__(
        self, duty: Duty, leash: Leash, bus: Callable[[], Any], retired: object = None
    ) -> None:
        self.driver: Any = None
        self._duty = duty
        self._leash = leash
        self._bus = bus
        self._retired = retired
        self._ready = False
        self._has_news = False  # a reading since its state was saved
        self._watch: object = None  # whose edges count: those of the last `watch` only
        self._shape: Shape
        self._refinery: Refinery

    def poll(self) -> Steps[None]:
        """Start the driver if it has to be, read it once, and pass on what it gives."""
        yield from self.start()
        reading = yield from self._steps(self.driver.read)
        boot = self._duty.stamp(POLL_US)
        self._has_news = True
        # First of all: a total that survives must not be less than a reading that did.
        if self._duty.memory.is_due(self._duty.probe.id, type(self.driver)):
            self._save(self.driver)
        self._pass_on(reading, boot)

    def start(self) -> Steps[None]:
        """Build the driver if there is none, and start it if it has to be."""
        if self._ready:
            return
        self._close_retired()
        if self.driver is None:
            driver = self._restored(self._build())
            self._shape = Shape(driver)
            self._refinery = Refinery(
                self._shape.channels, self._duty.probe, self._duty.board.latest
            )
            self._duty.declare(self._refinery.channels)
            self.driver = driver
        else:
            self._shut(self.driver)
        if hasattr(self.driver, "start"):
            yield from self._steps(self.driver.start)
        if hasattr(self.driver, "watch"):
            self._call(self.driver.watch, self._emitter())
        self._ready = True

    def restart(self) -> None:
        """Have the driver started anew before its next read."""
        self._ready = False

    def close(self) -> None:
        """Close the driver, if it can be; its errors are counted and cost nothing else."""
        self._ready = False
        self._close_retired()
        if self._has_news or not ages(self.driver):  # or what is old would seem to be new
            self._save(self.driver)
        self._shut(self.driver)

    def _build(self) -> Any:
        probe, board = self._duty.probe, self._duty.board
        sources = {name: board.source(wire) for name, wire in probe.wires.items()}
        return self._call(partial(probe.build, self._bus(), **sources))

    def _restored(self, driver: object) -> Any:
        """Give a new driver what was remembered; if it cannot use that, say so and make another."""
        sensor, kind, memory = self._duty.probe.id, type(driver), self._duty.memory
        if not hasattr(kind, "state") or (state := memory.recall(sensor, kind)) is None:
            return driver
        try:
            self._call(setattr, driver, "state", state)
        except Exception as error:
            log.warning("%s forgets what it remembered: %s", sensor, message(error))
            self._leash.deliver(lambda kind: memory.forget(sensor, kind), kind)
            return self._build()
        return driver

    def _save(self, driver: Any) -> None:
        """Have the memory keep what the driver remembers; its errors cost nothing else."""
        sensor, kind, memory = self._duty.probe.id, type(driver), self._duty.memory
        if not hasattr(kind, "state"):
            return
        try:
            state = dict(self._call(getattr, driver, "state"))
            self._leash.deliver(lambda state: memory.save(sensor, kind, state), state)
            self._has_news = False
        except Exception as error:
            self._duty.health.count(error)

    def _pass_on(self, reading: Any, boot: int) -> None:
        """Check, refine, show and record a reading of a poll or an edge."""
        duty = self._duty
        refined = self._refinery.refine(self._shape.values(reading), boot)
        self._leash.deliver(lambda seen: duty.post(seen, self._refinery.channels), refined.seen)
        if refined.kept:
            self._leash.deliver(duty.record, Sample(duty.probe.id, refined.kept, boot))
        for error in refined.refused:
            duty.health.count(error)

    def _steps(self, function: Callable[[], Any]) -> Steps[Any]:
        """Run a method that may be a generator; each stretch has the whole deadline."""
        steps = self._call(function)
        if not isinstance(steps, Generator):
            return steps
        try:
            while True:
                wait = self._call(next, steps)
                if not (isinstance(wait, float | int) and 0 <= wait <= LONGEST_WAIT_S):
                    raise TypeError(f"a driver yields 0 to {LONGEST_WAIT_S:g} s, not {wait!r}")
                yield wait
        except StopIteration as stop:
            return stop.value
        finally:
            self._call(steps.close)  # what ends early may have something to switch off

    def _call(self, function: Callable[..., Any], *args: object) -> Any:
        with self._duty.probe.inside():
            return self._leash.call(self._duty.probe.deadline, function, *args)

    def _close_retired(self) -> None:
        retired, self._retired = self._retired, None
        if not ages(retired):
            self._save(retired)
        self._shut(retired)

    def _shut(self, driver: object) -> None:
        self._watch = None
        try:
            if hasattr(driver, "close"):
                self._call(driver.close)
        except SensorError:
            pass  # it is being closed because it does not answer
        except Exception as error:
            self._duty.health.count(error)

    def _emitter(self) -> Callable[[Any], None]:
        """Return what a driver reports its edges to; never raises, and may be called anywhere."""
        watch = self._watch = object()

        def emit(reading: Any) -> None:
            boot = self._duty.stamp(EDGE_US)
            if watch is not self._watch:
                return
            try:
                self._pass_on(reading, boot)
            except Exception as error:
                self._duty.health.count(error)
            except Abandoned:
                self._watch = None

        return emit
