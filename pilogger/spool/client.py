"""What a drop-in client sees of its spool: keep this, send it now, close."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Self

from pilogger.destinations import LockedOut, Outcome, Refused
from pilogger.errors import StoreBroken, StoreLocked
from pilogger.sample import Point, Sample
from pilogger.spool.orphans import Orphans, adopt
from pilogger.spool.process import GRACE_S, close_with_process, gate, inherited, spools
from pilogger.spool.sender import Habits, Make, Observer, Sender
from pilogger.store import Store

log = logging.getLogger("pilogger.spool")

TOLD = 20  # refusals that are logged, each with its reading


def state_folder() -> Path:
    """Return where programs of this user keep their state (XDG base directories).

    Raises:
        StoreBroken: the user has no home.
    """
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        return (given if given.is_absolute() else Path.home() / ".local" / "state") / "pilogger"
    except RuntimeError as error:
        raise StoreBroken(f"{error}: set HOME, XDG_STATE_HOME, or store=") from error


class Spool:
    """What one client of this process gave and the server has not had; thread-safe.

    It opens itself anew at the first call after a fork, and after `close`.
    """

    def __init__(
        self,
        folder: Path,
        kind: str,
        make: Make,
        *,
        store: Path | None,
        observer: Observer | None,
        gather: float,
        enough: int | None,
    ) -> None:
        self.folder = folder
        self._habits = Habits(kind, make, self._observe, gather, enough)
        self._observer = observer
        self._path = store
        self._told = 0
        self._locked_out = False
        self._lock = RLock()
        self._sender: Sender | None = None
        self._orphans: Orphans | None = None

    @classmethod
    def open(
        cls,
        kind: str,
        target: str,
        make: Make,
        *,
        store: Path | None = None,
        observer: Observer | None = None,
        gather: float = 1.0,
        enough: int | None = None,
    ) -> Self:
        """Open a file of this process for a client and its target, and begin to send.

        `kind` names the client: initialstate, rudderstack. `target` tells one account from
        another, as by base URL and key; only its hash is kept. `store` is one file instead
        of those in the state folder, and nobody looks for orphans then. What is given waits
        for company for `gather` seconds, unless there is `enough`.

        Raises:
            StoreLocked: another process writes the file that `store` names.
            StoreError: the file cannot be made or opened; the text says what to do.
        """
        folder = Path()
        if store is None:
            folder = state_folder() / kind / sha256(target.encode()).hexdigest()[:16]
        spool = cls(
            folder, kind, make, store=store, observer=observer, gather=gather, enough=enough
        )
        spool._open()
        return spool

    @property
    def store(self) -> Store:
        """The file of this process; another object after a fork and after `close`."""
        return (self._sender or self._open()).store

    def append(self, samples: Sequence[Sample]) -> None:
        """Keep samples of declared sensors; when this returns they survive kill -9.

        Raises:
            BadValue: a value cannot be held; no sample of this call was taken.
            StoreError: the disk is full or broken; no sample of this call was taken.
        """
        self.store.append(samples)

    def pending(self) -> int:
        """Count what the file of this process holds that was neither accepted nor refused."""
        return self._sender.pending if self._sender else 0

    @property
    def trouble(self) -> str:
        """Why nothing is delivered at the moment; empty while all is well."""
        return self._sender.uploader.state().why if self._sender else ""

    def flush(self, timeout: float, *, patience: float | None = None) -> bool:
        """Send everything now; False if something is left after `timeout` seconds.

        It returns already when nothing could be delivered for `patience` seconds.
        """
        sender = self._sender
        return sender is None or sender.flush(timeout, patience)

    def close(self, timeout: float = GRACE_S, *, patience: float | None = 0.0) -> bool:
        """`flush`, and let go of files and connections; True if nothing of ours is left.

        The rest of the time is for what is left of processes that are gone.
        """
        with self._lock:
            sender, orphans = self._sender, self._orphans
            self._sender = self._orphans = None
            spools.discard(self)
        until = time.monotonic() + timeout
        done = sender is None or sender.flush(timeout, patience)
        if orphans:
            orphans.stop(max(0.0, until - time.monotonic()) if done else 0.0)
        return sender is None or sender.close()

    def begin_anew(self) -> None:
        """Forget everything, in a child: its locks may be held by threads that are not here."""
        self._lock = RLock()
        self._sender = self._orphans = None

    def _open(self) -> Sender:
        with self._lock:
            if self._sender is None:
                self._sender = self._own()
                spools.add(self)
                close_with_process()
                if self._path is None:
                    self._orphans = Orphans(self.folder, self._habits)
                    self._orphans.start()
            return self._sender

    def _own(self) -> Sender:
        if self._path is None:
            with gate(self.folder):
                name = f"{time.time_ns():020}-{os.getpid()}.db"
                orphan = adopt(self.folder, self._habits)
                return orphan or Sender(self.folder / name, self._habits)
        path = self._path.resolve()
        if path in inherited:
            raise StoreLocked(
                f"{path} belongs to the process that this one was forked from: give each "
                "process a store of its own, or none"
            )
        return Sender(path, self._habits)

    def _observe(self, points: Sequence[Point], outcome: Outcome) -> None:
        if isinstance(outcome, LockedOut) and not self._locked_out:
            self._locked_out = True
            where = self._path or self.folder
            what = "a client with the right key sends it, given the file as its store"
            log.error("%s: what waits is in %s: %s", self._habits.kind, where, what)
        if isinstance(outcome, Refused) and len(points) == 1 and self._told < TOLD:
            self._told += 1
            (point,) = points
            what = f"{point.series} = {str(point.value)[:200]!r} at {point.epoch}"
            log.warning("%s: refused for ever: %s: %s", self._habits.kind, what, outcome.reason)
        if self._observer:
            try:
                self._observer(points, outcome)
            except Exception:
                log.exception("%s: a callback failed", self._habits.kind)
