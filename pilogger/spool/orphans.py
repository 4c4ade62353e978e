"""Sends what processes kept that are gone, one file after another."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from pilogger.errors import StoreError, StoreLocked
from pilogger.spool.process import gate, inherited
from pilogger.spool.sender import LOOK_S, Habits, Sender

log = logging.getLogger("pilogger.spool")

RESCAN_S = 60.0  # between two looks

_unusable: set[Path] = set()


def adopt(folder: Path, habits: Habits) -> Sender | None:
    """Open the oldest file of a folder whose process is gone; the caller is in the `gate`."""
    for path in sorted(folder.glob("*.db")):
        if path in inherited | _unusable:
            continue
        try:
            return Sender(path, habits)
        except StoreLocked:
            continue
        except StoreError as error:
            _unusable.add(path)  # for this process
            log.error("what an earlier process kept cannot be sent: %s", error)  # noqa: TRY400
    return None


class Orphans:
    """A thread that looks for them, and removes each that has nothing left."""

    def __init__(self, folder: Path, habits: Habits) -> None:
        self._folder = folder
        self._habits = habits
        self._until = math.inf
        self._ending = Event()
        self._thread = Thread(target=self._run, name=f"orphans {habits.kind}", daemon=True)

    def start(self) -> None:
        """Begin; once is enough."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End once all are sent, after `timeout` seconds, or if the server cannot be reached.

        What is not sent stays for others.
        """
        self._until = time.monotonic() + timeout
        self._ending.set()
        self._thread.join()

    @property
    def _is_over(self) -> bool:
        return time.monotonic() >= self._until

    def _run(self) -> None:
        while not self._is_over:
            if not _without_error(self._send_one):
                if self._ending.is_set():
                    return
                self._ending.wait(RESCAN_S)

    def _send_one(self) -> bool:
        """Send what one holds; False if there is none, or nobody takes it."""
        with gate(self._folder):
            orphan = adopt(self._folder, self._habits)
        if orphan is None:
            return False
        while not (done := orphan.uploader.drain(LOOK_S)) and not self._is_over:
            if self._ending.wait(LOOK_S) and orphan.uploader.state().why:
                break
        orphan.close(remove=True)
        return done


def _without_error(step: Callable[[], bool]) -> bool:
    try:
        return step()
    except (StoreError, OSError) as error:
        log.error("what earlier processes kept cannot be sent now: %s", error)  # noqa: TRY400
        return False
