"""The scheduler: one worker per bus, free of drift, and no sensor can harm another.

    Scheduler     threads, and the supervisor that replaces a worker whose driver hangs
    └── Worker    one bus: who is due next; deterministic, without threads
        ├── Duty      one sensor: its Grid of due times, its Health, its back-off
        ├── Session   its driver at work: start, read, watch, close; Shape checks readings
        └── Leash     every call of a driver; cut when one does not come back

It knows no config and no store: `Probe`s come in, samples go out through a callback.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from threading import Event, Thread
from time import monotonic

from pilogger.clock import Clock, SystemClock
from pilogger.scheduler.duty import Declare, Duty, Record
from pilogger.scheduler.health import Lateness, SensorState
from pilogger.scheduler.leash import Abandoned
from pilogger.scheduler.probe import Probe, Tuning
from pilogger.scheduler.worker import Worker

__all__ = ["Declare", "Lateness", "Probe", "Record", "Scheduler", "SensorState", "Tuning"]

IDLE_S = 10.0
SOON_S = 0.01


class Scheduler:
    """Polls every probe on time, from `start` to `stop`.

    `record` is given the samples, from any thread; it must neither block nor raise.
    `declare` is told a sensor's channels before its first sample.
    """

    def __init__(
        self, probes: Sequence[Probe], record: Record, declare: Declare, clock: Clock | None = None
    ) -> None:
        self._probes = probes
        self._record = record
        self._declare = declare
        self._clock = clock or SystemClock()
        self._duties: list[Duty] = []
        self._threads: dict[Worker, Thread] = {}
        self._stopping = Event()
        self._supervisor = Thread(target=self._supervise, name="supervisor", daemon=True)

    @property
    def taken(self) -> int:
        """Readings handed to `record` since the start."""
        return sum(duty.health.readings for duty in self._duties)

    def state(self) -> list[SensorState]:
        """How every sensor is doing, in the order of the probes."""
        return [duty.health.state() for duty in self._duties]

    def start(self) -> None:
        """Start the workers; every grid begins now. Once only."""
        self._duties = [
            Duty(probe, self._clock, self._record, self._declare) for probe in self._probes
        ]
        lines = sorted(self._duties, key=_line)  # stable: the order of the probes within a bus
        for _, duties in groupby(lines, key=_line):
            self._launch(Worker(list(duties), self._clock))
        self._supervisor.start()

    def stop(self, patience: float = 2.0) -> None:
        """Stop polling and close the drivers; wait `patience` seconds at most for all of them.

        When this returns, `record` is never called again, whatever a driver still does.
        """
        self._stopping.set()
        until = monotonic() + patience
        if self._supervisor.ident:
            self._supervisor.join(patience)
        for worker, thread in self._threads.items():
            thread.join(max(0.0, until - monotonic()))
            worker.leash.cut()

    def _launch(self, worker: Worker) -> None:
        name = " ".join(map(str, worker.duties[0].probe.line))
        thread = Thread(target=self._work, args=(worker,), name=name, daemon=True)
        self._threads[worker] = thread
        thread.start()

    def _work(self, worker: Worker) -> None:
        try:
            while not self._stopping.is_set():
                self._stopping.wait(worker.step())
            worker.close()
        except Abandoned:
            worker.release()

    def _supervise(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._replace_the_stuck())

    def _replace_the_stuck(self) -> float:
        """Replace every worker that is stuck; return the seconds until one could be.

        No call that starts later can be overdue before the shortest deadline has passed.
        """
        for worker in list(self._threads):
            if worker.leash.cut_overdue():
                del self._threads[worker]
                self._launch(worker.successor())
        left = [worker.leash.left() for worker in self._threads]
        shortest = min((probe.deadline for probe in self._probes), default=IDLE_S)
        return max(SOON_S, min([shortest, *left]))


def _line(duty: Duty) -> tuple[str, str]:
    kind, name = duty.probe.line
    return kind, str(name)
