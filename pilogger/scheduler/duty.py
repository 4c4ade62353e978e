"""What is owed to one sensor: when it is due, how it is doing, how long to leave it alone.

A duty outlives its drivers and its workers. Only the worker that has it changes it, and
the supervisor while it passes the duty on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock

from pilogger.channel import Channel
from pilogger.clock import Clock
from pilogger.errors import NotReady, WrongChip
from pilogger.sample import Sample, Value
from pilogger.scheduler.board import Board
from pilogger.scheduler.grid import Grid
from pilogger.scheduler.health import Health
from pilogger.scheduler.memory import Memory
from pilogger.scheduler.probe import Probe

Record = Callable[[Sample], None]
"""Takes a sample. Called from any thread; it must neither block nor raise."""

Declare = Callable[[str, Mapping[str, Channel]], None]
"""Is told a sensor's channels once, before its first sample."""

LONGEST_BACKOFF_S = 60.0
FIRST_HANG_S = 60.0
LONGEST_HANG_S = 3600.0


class Duty:
    """One sensor's place in the schedule; its first poll is due now, or after a delay."""

    def __init__(
        self,
        probe: Probe,
        clock: Clock,
        record: Record,
        declare: Declare,
        *,
        board: Board | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.probe = probe
        self.board = board or Board(clock)
        self.memory = memory or Memory(clock)
        self.health = Health(probe.id, clock)
        self._clock = clock
        self._record = record
        self._declare = declare
        self._declared = False
        self._stamped = 0
        self._stamping = Lock()  # edges come from any thread
        self._grid = Grid(clock.monotonic() + probe.delay, probe.every)
        self._most = max(1, int(LONGEST_BACKOFF_S / probe.every))  # slots between two attempts
        self._backoff = 1
        self._hang_pause = FIRST_HANG_S
        self._calm = -1.0  # a hang after this moment is not the last one's successor

    @property
    def due(self) -> float:
        """When the next slot is due, in seconds of the monotonic clock."""
        return self._grid.due

    def begin(self) -> None:
        """Take the slot that is due; those that are late by a whole interval are skipped."""
        now = self._clock.monotonic()
        skipped = self._grid.take(now)
        self.health.polled(now - self._grid.at(self._grid.slot), skipped)

    def declare(self, channels: Mapping[str, Channel]) -> None:
        """Tell the channels of a driver that was just built; once is enough."""
        if not self._declared:
            self._declare(self.probe.id, channels)
            self._declared = True

    def stamp(self, step: int) -> int:
        """Return the present boot time in whole steps of so many microseconds.

        It is always later than the sensor's stamp before: two readings of one series with
        one epoch would be one reading at many a receiver.
        """
        with self._stamping:
            last = self._stamped // step
            self._stamped = max(self._clock.boot() // step, last + 1) * step
            return self._stamped

    def record(self, sample: Sample) -> None:
        """Pass on a sample of a poll or an edge."""
        self._record(sample)
        self.health.recorded(sample.values)

    def post(self, seen: Mapping[str, Value], channels: Mapping[str, Channel]) -> None:
        """Show the values to whoever is wired to this sensor."""
        self.board.post(self.probe.id, self.probe.every, seen, channels)

    def good(self) -> None:
        """The slot gave a reading."""
        self.health.good(self._grid.slot)
        self._backoff = 1

    def failed(self, error: Exception) -> bool:
        """The slot gave none; return whether the sensor must be started anew.

        A sensor that is not ready is left in peace and asked in its next slot. The others
        are asked after 1, 2, 4 ... slots up to a minute, another chip every minute.
        """
        if isinstance(error, NotReady):
            self.health.count(error)
            return False
        self.health.bad(error, self._grid.slot)
        self._grid.hold_off(self._most if isinstance(error, WrongChip) else self._backoff)
        self._backoff = min(self._backoff * 2, self._most)
        return True

    def hung(self) -> None:
        """The driver did not come back; leave the sensor alone for 1, 2, 4 ... 60 minutes.

        Each hang costs a thread, so a sensor earns short pauses back by an hour without one.
        """
        now = self._clock.monotonic()
        again = now < self._calm
        self._hang_pause = min(self._hang_pause * 2, LONGEST_HANG_S) if again else FIRST_HANG_S
        self._calm = now + self._hang_pause + LONGEST_HANG_S
        self.health.hung(self.probe.deadline, self._hang_pause, self._grid.slot)
        self._grid.hold_until(now + self._hang_pause)
