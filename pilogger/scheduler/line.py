"""The thread of one worker: steps and waits, and changes its duties between two steps."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread

from pilogger.scheduler.duty import Duty
from pilogger.scheduler.leash import Abandoned
from pilogger.scheduler.worker import Worker


class Line:
    """A worker at work; it ends when it is asked to serve nothing.

    `wanted` are the duties it shall have, if these are not its worker's.
    """

    def __init__(self, worker: Worker, wanted: Sequence[Duty] | None = None) -> None:
        self.worker = worker
        self.wanted = worker.duties
        """What it was asked to serve last; it does when `settled` says so."""
        self._news = Event()
        self._settled = Event()
        if wanted is not None:
            self.ask(wanted)
        name = " ".join(map(str, worker.duties[0].probe.line))
        worker.leash.pulse.name = name
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def ask(self, duties: Sequence[Duty]) -> None:
        """Ask it to serve these from now on, without waiting for it."""
        if list(duties) != list(self.wanted):
            self.wanted = duties
            self._settled.clear()
            self._news.set()

    def settled(self, patience: float) -> bool:
        """Wait until it does what it was asked; False if it could not within `patience` seconds."""
        if not self.wanted:
            self._thread.join(patience)
            return not self._thread.is_alive()
        return not self._news.is_set() or self._settled.wait(patience)

    def _run(self) -> None:
        worker, wait = self.worker, 0.0
        pulse = worker.leash.pulse
        try:
            while self.wanted:
                pulse.beat(wait)
                if self._news.wait(wait):
                    self._news.clear()
                    worker.change(self.wanted)
                    self._settled.set()
                    continue
                pulse.beat()
                wait = worker.step()
            worker.change(())
            worker.close()
        except Abandoned:
            worker.release()
        pulse.end()
