"""The sign of life of a thread, for the watchdog: a promise when it will be heard of again.

A disk that is full or slow is no reason to end a process, because nothing gets better by
that; a thread that died, or waits for a lock that nobody will release, is one.
"""

from __future__ import annotations

import math
from threading import Thread, current_thread
from time import monotonic

DISK_S = 600.0
"""How long a thread may wait for a disk: a card that stalls for longer is dead."""

MARGIN_S = 20.0  # a busy machine keeps every promise late


class Pulse:
    """One thread's; `beat` is for that thread, everything else for those who watch it."""

    def __init__(self, name: str, margin: float = MARGIN_S) -> None:
        self.name = name
        self._margin = margin
        self._thread: Thread | None = None
        self._due = math.inf

    def beat(self, within: float = DISK_S) -> None:
        """Promise to beat again `within` so many seconds."""
        self._thread, self._due = current_thread(), monotonic() + within

    def end(self) -> None:
        """Say that the thread ends, as it was told to."""
        self._thread, self._due = None, math.inf

    @property
    def stopped(self) -> bool:
        """Whether the thread died, or broke its promise."""
        dead = self._thread is not None and not self._thread.is_alive()
        return dead or monotonic() > self._due + self._margin
