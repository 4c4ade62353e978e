"""A driver at work: built, started, read, watched, closed; all on its worker's leash."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from pilogger.driver import Steps
from pilogger.errors import SensorError
from pilogger.sample import Sample
from pilogger.scheduler.conform import Shape
from pilogger.scheduler.duty import Duty
from pilogger.scheduler.leash import Abandoned, Leash

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
        self._watch: object = None  # whose edges count: those of the last `watch` only
        self._shape: Shape

    def sample(self) -> Steps[Sample]:
        """Start the driver if it has to be, and read it once; yields seconds to wait."""
        yield from self.start()
        reading = yield from self._steps(self.driver.read)
        boot = self._duty.stamp(POLL_US)
        return Sample(self._duty.probe.id, self._shape.values(reading), boot)

    def start(self) -> Steps[None]:
        """Build the driver if there is none, and start it if it has to be."""
        if self._ready:
            return
        self._close_retired()
        if self.driver is None:
            driver = self._call(self._duty.probe.build, self._bus())
            self._shape = Shape(driver, self._duty.probe)
            self._duty.declare(self._shape.channels)
            self.driver = driver
        else:
            self.close()
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
        self._watch = None
        self._close_retired()
        self._close(self.driver)

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
        self._close(retired)

    def _close(self, driver: object) -> None:
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
                values = self._shape.values(reading)
                self._leash.deliver(self._duty.record, Sample(self._duty.probe.id, values, boot))
            except Exception as error:
                self._duty.health.count(error)
            except Abandoned:
                self._watch = None

        return emit
