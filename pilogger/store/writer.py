"""The one hand that writes a store: journal first, then commits in groups.

Every change is a *write*: the name of one of the statements below and its parameters.
All are idempotent, so replaying a journal that was partly committed changes nothing.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from pilogger.errors import StoreBroken
from pilogger.store.connection import Lock, open_writer
from pilogger.store.journal import Journal, Write

log = logging.getLogger("pilogger.store")

WRITES = {
    "sample": "INSERT OR IGNORE INTO sample VALUES (?, ?, ?, ?, ?, ?)",
    "source": "INSERT OR IGNORE INTO source VALUES (?, ?, ?, ?, ?)",
    "bucket": "INSERT INTO bucket VALUES (?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    "segment": "INSERT OR IGNORE INTO segment VALUES (?, ?, ?, ?, ?)",
    "correct": """UPDATE segment SET "offset" = ?, state = 'synced'"""
    " WHERE boot_id = ? AND state = 'unsynced'",
    # A journal that a power cut brought back from the past must not turn a cursor back.
    "destination": "INSERT INTO destination VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET seq = excluded.seq, sent = excluded.sent, refused = excluded.refused"
    " WHERE excluded.seq >= destination.seq",
    "set_aside": "INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?, ?)",
    "held": "INSERT OR REPLACE INTO held VALUES (?, ?, ?)",
    "meta": "INSERT OR REPLACE INTO meta VALUES (?, ?)",
}

IDLE_WINDOW_S = 10.0  # for what no caller waits for, when every append is committed at once
TICK_S = 1.0
RETRY_S = 1.0


class Writer:
    """Takes writes from any thread, keeps them safe from kill -9, commits them in groups."""

    def __init__(
        self, path: Path, durability: float, on_commit: Callable[[Sequence[Write]], None]
    ) -> None:
        self.path = path
        self.durability = durability
        self._on_commit = on_commit
        self.lock = threading.RLock()
        """Guards what is not yet committed; never held while the disk is waited for."""
        self.trouble = ""
        """Why the last commit failed; empty while all is well."""
        self._commit = threading.Lock()
        self._waiting: list[Write] = []
        self._since = 0.0
        self._given = 0
        self._committed = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._guard = Lock(path)
        try:
            self.connection = open_writer(path)
            self._journal = Journal(path)
            self._transaction(self._journal.replay())
            self._journal.reset()
        except BaseException:
            self._guard.release()
            raise

    def write(self, writes: Sequence[Write]) -> int:
        """Take writes; when this returns they survive kill -9. Returns a ticket for `wait`.

        Raises:
            StoreBroken: the disk took nothing, or the store was closed; nothing is kept.
        """
        with self.lock:
            if self._stopped.is_set():
                raise StoreBroken(f"{self.path} is closed")
            try:
                self._journal.append(writes)
            except OSError as error:
                raise StoreBroken(f"{self.path}: {error.strerror or error}") from error
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting += writes
            self._given += len(writes)
            return self._given

    def wait(self, ticket: int) -> None:
        """Return when the writes of this ticket are on the disk; callers share one commit."""
        with self._commit:
            if self._committed < ticket:
                self._flush()

    def flush(self) -> None:
        """Commit everything that was taken so far.

        Raises:
            StoreBroken: the disk refused; everything is kept and tried again.
        """
        with self._commit:
            self._flush()

    def _flush(self) -> None:
        with self.lock:
            if not self._waiting:
                return
            writes, self._waiting = self._waiting, []
            self._journal.swap()
        try:
            self._transaction(writes)
        except sqlite3.Error as error:
            with self.lock:
                self._waiting = writes + self._waiting
            self.trouble = str(error)
            raise StoreBroken(f"{self.path} cannot be written: {error}") from error
        self.trouble = ""
        with self.lock:
            self._committed += len(writes)
            self._journal.clear()
            self._on_commit(writes)

    def _transaction(self, writes: Sequence[Write]) -> None:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for name, group in groupby(writes, key=itemgetter(0)):
                self.connection.executemany(WRITES[name], (write[1:] for write in group))
            execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                execute("ROLLBACK")
            raise

    def start(self, tick: Callable[[], None]) -> None:
        """Commit in the background once per durability window; call `tick` every second."""
        self._thread = threading.Thread(target=self._run, args=(tick,), name="store", daemon=True)
        self._thread.start()

    def _run(self, tick: Callable[[], None]) -> None:
        window = self.durability or IDLE_WINDOW_S
        retry_at = 0.0
        pause = min(TICK_S, window)
        while not self._stopped.wait(pause):
            now = time.monotonic()
            due = max(self._since + window, retry_at)
            if self._waiting and now >= due:
                was = self.trouble
                try:
                    self.flush()
                    if was:
                        log.warning("the store can be written again")
                except StoreBroken as error:
                    retry_at = now + RETRY_S
                    if not was:
                        log.error("%s; keeping everything and trying again", error)  # noqa: TRY400
            tick()
            left = self._since + window - time.monotonic() if self._waiting else TICK_S
            pause = min(TICK_S, max(left, 0.01))

    def close(self, last: Sequence[Write] = ()) -> None:
        """Commit everything, with `last` at the end; let go of the file."""
        if self._stopped.is_set():
            return
        clean = False
        try:
            self.write(last)
            self.flush()
            clean = True
        finally:
            self._stopped.set()
            if self._thread:
                self._thread.join()
            with self._commit:
                self.connection.close()
            self._journal.close(remove=clean)
            self._guard.release()
