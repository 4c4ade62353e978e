"""How a sensor is doing: counted, kept for `pilogger status`, logged when it changes."""

from __future__ import annotations

import logging
import math
import traceback
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Literal, NamedTuple

from pilogger.clock import Clock
from pilogger.errors import BadReading, NoAnswer, NotReady, SensorError, WrongChip
from pilogger.harmless import harmless
from pilogger.sample import Value

log = logging.getLogger("pilogger.scheduler")

Status = Literal["starting", "ok", "failing", "hung", "set aside"]

REASONS = (
    (NoAnswer, "no answer"),
    (BadReading, "bad reading"),
    (NotReady, "not ready"),
    (WrongChip, "wrong chip"),
    (SensorError, "no reading"),
)
BUG = "driver bug"
HUNG = "hung"
WINDOW = 500  # polls whose lateness is remembered
LONGEST = 300  # characters of a driver's message that are kept


class Lateness(NamedTuple):
    """How late the last polls began after they were due, in seconds."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class SensorState:
    """A sensor at one moment.

    `since` is how many seconds it has had this status, `age` how old `values` are. `skipped`
    counts slots that came too late, `retried` tries that were repeated in the same slot.
    """

    id: str
    status: Status
    since: float
    samples: int
    readings: int
    failures: Mapping[str, int]
    skipped: int
    retried: int
    error: str
    values: Mapping[str, Value]
    age: float | None
    lateness: Lateness | None


class Health:
    """The record of one sensor; its worker, its edges and its readers share it."""

    def __init__(self, sensor: str, clock: Clock) -> None:
        self.status: Status = "starting"
        self.readings = 0
        self._sensor = sensor
        self._clock = clock
        self._lock = Lock()
        self._since = clock.monotonic()
        self._samples = 0
        self._failures: Counter[str] = Counter()
        self._skipped = 0
        self._retried = 0
        self._error = ""
        self._values: Mapping[str, Value] = {}
        self._taken = math.nan
        self._lateness: deque[float] = deque(maxlen=WINDOW)
        self._outage = (0.0, 0)  # when it began, and with which slot
        self._bugs: set[type] = set()

    @property
    def down(self) -> bool:
        """Whether it gave no reading when it should have."""
        return self.status in {"failing", "hung"}

    def polled(self, lateness: float, skipped: int) -> None:
        """Count a slot that is served now, and those that were skipped for it."""
        with self._lock:
            self._lateness.append(lateness)
            self._skipped += skipped

    def lost(self) -> None:
        """Count a slot that could not be finished, because the bus was reopened."""
        with self._lock:
            self._skipped += 1

    def retried(self) -> None:
        with self._lock:
            self._retried += 1

    def recorded(self, values: Mapping[str, Value]) -> None:
        with self._lock:
            self._samples += 1
            self.readings += len(values)
            self._values = values
            self._taken = self._clock.monotonic()

    def good(self, slot: int) -> None:
        """A slot gave a reading."""
        if self.down:
            began, first = self._outage
            seconds = self._clock.monotonic() - began
            log.info(
                "%s is back after %.0f s; %d polls missed", self._sensor, seconds, slot - first
            )
        self._become("ok")

    def bad(self, error: Exception, slot: int) -> None:
        """A slot gave no reading. Logged for the first of a row only."""
        self.count(error)
        if not self.down:
            log.warning("%s gives no reading: %s", self._sensor, self._error)
        self._go_down("failing", slot)

    def hung(self, deadline: float, pause: float, slot: int) -> None:
        """The driver did not return in time."""
        with self._lock:
            self._failures[HUNG] += 1
            self._error = f"{HUNG}: the driver did not return within {deadline:g} s"
        log.warning("%s: %s; the next try is in %.0f s", self._sensor, self._error, pause)
        self._go_down("hung", slot)

    def count(self, error: Exception) -> None:
        """Count a failure by its reason; log the trace of a bug the first time."""
        reason = next((words for kind, words in REASONS if isinstance(error, kind)), BUG)
        with self._lock:
            self._failures[reason] += 1
            self._error = f"{reason}: {message(error)}"
            new = reason == BUG and type(error) not in self._bugs
            self._bugs.add(type(error))
        if new:
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s: %s\n%s", self._sensor, self._error, frames.rstrip())

    def state(self) -> SensorState:
        with self._lock:
            now = self._clock.monotonic()
            return SensorState(
                id=self._sensor,
                status=self.status,
                since=now - self._since,
                samples=self._samples,
                readings=self.readings,
                failures=dict(self._failures),
                skipped=self._skipped,
                retried=self._retried,
                error=self._error,
                values=self._values,
                age=now - self._taken if self._samples else None,
                lateness=_quantiles(sorted(self._lateness)),
            )

    def _go_down(self, status: Status, slot: int) -> None:
        if not self.down:
            self._outage = (self._clock.monotonic(), slot)
        self._become(status)

    def _become(self, status: Status) -> None:
        with self._lock:
            if status != self.status:
                self.status, self._since = status, self._clock.monotonic()


def message(error: Exception) -> str:
    """Return a stranger's message as one printable line: a type and at most 300 characters."""
    try:
        text = str(error)
    except Exception:  # its __str__ may be wrong too
        text = ""
    if not isinstance(error, SensorError):
        text = f"{type(error).__name__}: {text}"
    line = harmless(text[:LONGEST])
    return line if len(text) <= LONGEST else line + "..."


def _quantiles(window: list[float]) -> Lateness | None:
    if not window:
        return None
    last = len(window) - 1
    return Lateness(window[last // 2], window[round(last * 0.99)], window[-1])
