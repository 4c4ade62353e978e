"""The leash: drivers run on it, and a supervisor can let go of one that hangs.

A thread that is stuck in a driver cannot be ended. It can be left behind, if it is sure
that it changes nothing when it comes back: every call of a driver goes through `call`, and
whoever comes back from one after the leash was cut gets `Abandoned`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from pilogger.clock import Clock
from pilogger.pulse import Pulse

T = TypeVar("T")


class Abandoned(BaseException):
    """The thread was left behind, another does its work; no Exception, so that none catches it."""


class Leash:
    """What ties one worker to its supervisor, and to the watchdog behind it."""

    def __init__(self, clock: Clock) -> None:
        self.pulse = Pulse("worker")
        self._clock = clock
        self._lock = Lock()
        self._overdue = math.inf  # when the running call is; inf: none runs
        self._is_cut = False

    def call(self, deadline: float, function: Callable[..., T], *args: object) -> T:
        """Run a piece of a driver that must return within `deadline` seconds.

        Raises:
            Abandoned: it did not, and the worker was replaced; a late result is discarded.
        """
        with self._held():
            self._overdue = self._clock.monotonic() + deadline
        self.pulse.beat(deadline)
        try:
            return function(*args)
        except Exception:
            raise
        except BaseException as error:  # sys.exit() in a driver must not end its worker
            raise RuntimeError(f"the driver raised {error!r}") from error
        finally:
            with self._held():
                self._overdue = math.inf
            self.pulse.beat()

    def deliver(self, function: Callable[[T], None], item: T) -> None:
        """Hand over a result, unless the leash was cut: then nothing is ever handed over.

        Raises:
            Abandoned: the leash was cut.
        """
        with self._held():
            function(item)

    def left(self) -> float:
        """Seconds until the running call is overdue; infinite when none runs."""
        return self._overdue - self._clock.monotonic()

    def cut_overdue(self) -> bool:
        """Cut the leash if the running call is overdue; tell whether it was."""
        return self._cut_if(lambda left: left <= 0)

    def cut_running(self) -> bool:
        """Cut the leash if a call is running; tell whether one was."""
        return self._cut_if(math.isfinite)

    def _cut_if(self, condition: Callable[[float], bool]) -> bool:
        if not self._lock.acquire(blocking=False):
            return False  # who holds the lock is not stuck in a driver
        try:
            cut = not self._is_cut and condition(self.left())
            self._is_cut = self._is_cut or cut
        finally:
            self._lock.release()
        return cut

    def cut(self) -> None:
        """Cut the leash in any case."""
        with self._lock:
            self._is_cut = True

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            if self._is_cut:
                raise Abandoned
            yield
