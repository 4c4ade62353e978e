"""The scheduler: one worker per bus, free of drift, and no sensor can harm another.

    Scheduler     the lines, and the supervisor that replaces a worker whose driver hangs
    └── Line          the thread of a worker; changes its duties between two steps
        └── Worker    one bus: who is due next; deterministic, without threads
            ├── Duty      one sensor: its Grid of due times, its Health, its back-off
            ├── Session   its driver at work: start, read, watch, close; Shape checks readings,
            │             Refinery makes of them what the user wants
            ├── Leash     every call of a driver; cut when one does not come back
            ├── Board     the latest value of every channel, for drivers that are wired to it
            └── Memory    what drivers remember across restarts

It knows no config and no store: `Probe`s come in, samples go out through a callback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from time import monotonic

from pilogger.clock import Clock, SystemClock
from pilogger.pulse import Pulse
from pilogger.scheduler.board import Board, Wire
from pilogger.scheduler.duty import Declare, Duty, Record
from pilogger.scheduler.health import Lateness, SensorState
from pilogger.scheduler.line import Line
from pilogger.scheduler.memory import PREFIX, Memory
from pilogger.scheduler.probe import Probe
from pilogger.scheduler.worker import Worker

__all__ = [
    "PREFIX",
    "Declare",
    "Lateness",
    "Memory",
    "Probe",
    "Record",
    "Scheduler",
    "SensorState",
    "Wire",
]

IDLE_S = 10.0
SOON_S = 0.01
LET_GO_S = 3.0  # for a call under way when a sensor is changed


class Scheduler:
    """Polls every probe on time, from `start` to `stop`.

    `record` is given the samples, from any thread; it must neither block nor raise.
    `declare` is told a sensor's channels before its first sample. `memory` is what its
    drivers remember.
    """

    def __init__(
        self,
        probes: Sequence[Probe],
        record: Record,
        declare: Declare,
        clock: Clock | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._probes = probes
        self._record = record
        self._declare = declare
        self._clock = clock or SystemClock()
        self._board = Board(self._clock)
        self._memory = memory or Memory(self._clock)
        self._duties: list[Duty] = []
        self._gone = 0  # readings of sensors that are no longer there
        self._lines: list[Line] = []
        self._changing = Lock()  # of `_lines`
        self._news = Event()
        self._stopping = False
        self._pulse = Pulse("supervisor")
        self._supervisor = Thread(target=self._supervise, name="supervisor", daemon=True)

    @property
    def taken(self) -> int:
        """Readings handed to `record` since the start."""
        return self._gone + sum(duty.health.readings for duty in self._duties)

    @property
    def pulses(self) -> list[Pulse]:
        """The signs of life of its threads, for the watchdog."""
        return [self._pulse, *(line.worker.leash.pulse for line in tuple(self._lines))]

    def state(self) -> list[SensorState]:
        """How every sensor is doing, in the order of the probes."""
        return [duty.health.state() for duty in self._duties]

    def start(self) -> None:
        """Start the workers; every grid begins now. Once only."""
        self.change(self._probes)
        self._supervisor.start()

    def change(self, probes: Sequence[Probe], between: Callable[[], object] = int) -> None:
        """Serve these probes from now on.

        A probe that was served already (the same object) keeps everything: its grid, its
        counters, its driver. `between` is called when nothing more will come from those
        that are left out, and nothing has come yet from those that are new.
        """
        with self._changing:
            served = {id(duty.probe): duty for duty in self._duties}
            stay = [served[id(probe)] for probe in probes if id(probe) in served]
            self._let_go(stay)
            gone = [duty for duty in self._duties if duty not in stay]
            between()
            self._duties = [served.get(id(probe)) or self._duty(probe) for probe in probes]
            self._gone += sum(duty.health.readings for duty in gone)
            self._probes = probes
            self._take_on()
        self._news.set()  # a shorter deadline may be among them

    def stop(self, patience: float = 2.0) -> None:
        """Stop polling and close the drivers; wait `patience` seconds at most for all of them.

        When this returns, `record` is never called again, whatever a driver still does.
        """
        until = monotonic() + patience
        self._stopping = True
        self._news.set()
        if self._supervisor.ident:
            self._supervisor.join(patience)
        for line in self._lines:
            line.ask(())
        for line in self._lines:
            line.settled(max(0.0, until - monotonic()))
            line.worker.leash.cut()

    def _duty(self, probe: Probe) -> Duty:
        return Duty(
            probe,
            self._clock,
            self._record,
            self._declare,
            board=self._board,
            memory=self._memory,
        )

    def _let_go(self, stay: Sequence[Duty]) -> None:
        """Have every line serve no others than these; wait until it does."""
        for line in self._lines:
            line.ask([duty for duty in line.wanted if duty in stay])
        until = monotonic() + LET_GO_S
        for line in tuple(self._lines):
            while not line.settled(max(SOON_S, until - monotonic())):
                if line.worker.leash.cut_running():
                    self._replace(line, hung=False)
                    break
        self._lines = [line for line in self._lines if line.wanted]

    def _take_on(self) -> None:
        """Give every duty to the line of its bus."""
        buses: dict[tuple[str, int | str], list[Duty]] = {}
        for duty in self._duties:
            buses.setdefault(duty.probe.line, []).append(duty)
        for line in self._lines:
            line.ask(buses.pop(line.wanted[0].probe.line))
        for duties in buses.values():
            self._launch(Line(Worker(duties, self._clock)))

    def _launch(self, line: Line) -> None:
        self._lines.append(line)
        line.start()

    def _replace(self, line: Line, *, hung: bool) -> None:
        self._lines.remove(line)
        if line.worker.duties:
            self._launch(Line(line.worker.successor(hung=hung), line.wanted))

    def _supervise(self) -> None:
        while not self._stopping:
            self._pulse.beat()
            with self._changing:
                pause = self._replace_the_stuck()
            self._pulse.beat(pause)
            self._news.wait(pause)
            self._news.clear()
        self._pulse.end()

    def _replace_the_stuck(self) -> float:
        """Replace every worker that is stuck; return the seconds until one could be.

        No call that starts later can be overdue before the shortest deadline has passed.
        """
        for line in tuple(self._lines):
            if line.worker.leash.cut_overdue():
                self._replace(line, hung=True)
        left = [line.worker.leash.left() for line in self._lines]
        shortest = min((probe.deadline for probe in self._probes), default=IDLE_S)
        return max(SOON_S, min([shortest, *left]))
