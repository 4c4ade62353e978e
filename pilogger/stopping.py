"""SIGTERM, SIGINT and SIGHUP, waited for like any other event."""

from __future__ import annotations

import os
import select
import signal


class StopSignal:
    """Catches them from now on; `wait` returns when one came.

    SIGHUP is a terminal that was closed: as good a reason to end cleanly as any.

    The handler only writes to a pipe: a lock taken in a signal handler can be one that
    the interrupted code already holds.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._caught)

    def _caught(self, *_: object) -> None:
        os.write(self._write, b".")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait, for `seconds` at most; returns whether to stop."""
        return bool(select.select([self._read], [], [], seconds)[0])
