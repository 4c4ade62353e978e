"""Signals, waited for like any other event."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

STOP = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Catches these signals from now on; `wait` returns them one by one.

    The handler only writes to a pipe: a lock taken in a signal handler can be one that
    the interrupted code already holds.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        for number in numbers:
            signal.signal(number, self._caught)

    def _caught(self, number: int, _frame: object) -> None:
        with suppress(BlockingIOError):  # thousands are waiting already
            os.write(self._write, bytes([number]))

    def wait(self, seconds: float | None = None) -> signal.Signals | None:
        """Wait for the next one, for `seconds` at most."""
        if not select.select([self._read], [], [], seconds)[0]:
            return None
        return signal.Signals(os.read(self._read, 1)[0])
