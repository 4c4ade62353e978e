"""One file of a spool, and the uploader that empties it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from pilogger.clock import SystemClock
from pilogger.destinations import Destination, Interruptible, Outcome
from pilogger.links import LinkWatcher
from pilogger.sample import Point
from pilogger.spool.process import gate, senders, unforked
from pilogger.store import Bounds, Store, beside
from pilogger.store.connection import JOURNAL
from pilogger.uploader import Uploader

DURABILITY_S = 1.0
"""What a power cut can take."""

KEPT_S = 600.0  # after its delivery, so that the file does not grow
STOP_S = 0.5  # for a request that is under way
LOOK_S = 0.05  # between two looks whether all is delivered

# What waits is not given up for what comes: a full disk is an error of the call.
BOUNDS = Bounds(
    keep=KEPT_S,
    when_full="stop",
    remedy="make room on it, or set XDG_STATE_HOME, or store=, to another disk",
)
FILES = ("wal", "shm", *JOURNAL, "lock")
BALLAST = "ballast"  # of use while somebody writes

Make = Callable[[Store], Destination]
"""Makes the destination of one file, which may look up there what its readings belong to."""

Observer = Callable[[Sequence[Point], Outcome], None]
"""Hears of each request what it held and how it ended; in the thread that sends."""


class Habits(NamedTuple):
    """How all files of one client are sent; see `Spool.open`."""

    kind: str
    make: Make
    observer: Observer
    gather: float
    enough: int | None


class Sender:
    """An open file; it is being sent from the first moment.

    Raises:
        StoreLocked: another process has it.
        StoreError: it cannot be opened.
    """

    def __init__(self, path: Path, habits: Habits) -> None:
        clock = SystemClock("system")  # the clients give the epochs
        kind, make, observer, gather, enough = habits
        with unforked():
            self.store = Store.open(path, clock, durability=DURABILITY_S, bounds=BOUNDS)
            try:
                place, outbox = _Observed(make(self.store), observer), self.store.outbox(kind)
                self.uploader = Uploader(place, outbox, clock, kind, gather=gather, enough=enough)
                self._links = LinkWatcher(self.uploader.network_came)
                self.uploader.start()
                self._links.start()
            except BaseException:
                self.store.close()
                raise
            senders.append(self)

    @property
    def pending(self) -> int:
        """How many readings the server has neither accepted nor refused."""
        return self.uploader.outbox.pending()

    def flush(self, timeout: float, patience: float | None) -> bool:
        """Do what `Spool.flush` does."""
        until = time.monotonic() + timeout
        troubled = math.inf  # since when
        while not self.uploader.drain(min(LOOK_S, timeout)):
            now = time.monotonic()
            troubled = min(troubled, now) if self.uploader.state().why else math.inf
            hopeless = patience is not None and now >= troubled + patience
            if hopeless or now >= until:
                return False
        return True

    def close(self, *, remove: bool = False) -> bool:
        """Let go; True if nothing is left, and then the file may go too."""
        self.uploader.stop(STOP_S)
        with ExitStack() as stack:
            stack.enter_context(gate(self.store.path.parent) if remove else unforked())
            if self in senders:  # in one step for a fork, whose child would close files twice
                senders.remove(self)
                self._links.stop()
            done = self.pending == 0
            self.store.close()
            beside(self.store.path, BALLAST).unlink(missing_ok=True)
            if remove and done:
                self._remove()
        return done

    def _remove(self) -> None:
        path = self.store.path
        for file in (path, *(beside(path, what) for what in FILES)):
            file.unlink(missing_ok=True)

    # -- forks -------------------------------------------------------------------------------

    def hold(self) -> None:
        """Keep still: a fork in the middle of a query would leave SQLite locked in the child."""
        self.store.sealer.guard.acquire()
        self.store.still.acquire()
        self.store.writer.hold()

    def let_go(self) -> None:
        """Go on."""
        self.store.writer.let_go()
        self.store.still.release()
        self.store.sealer.guard.release()

    def leave(self) -> None:
        """Leave it to the parent, in a child."""
        self.store.writer.leave()
        self._links.leave()


class _Observed:
    """A destination, and somebody who hears of everything."""

    def __init__(self, destination: Destination, observer: Observer) -> None:
        self.limit = destination.limit
        self._destination = destination
        self._observer = observer

    def send(self, points: Sequence[Point]) -> Outcome:
        outcome = self._destination.send(points)
        self._observer(points, outcome)
        return outcome

    def interrupt(self) -> None:
        if isinstance(self._destination, Interruptible):
            self._destination.interrupt()

    def close(self) -> None:
        self._destination.close()
