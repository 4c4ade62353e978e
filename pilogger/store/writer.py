"""The one hand that writes a store: journal first, then commits in groups.

Every change is a *write*: the name of one of the statements below and its parameters.
All are idempotent, so replaying a journal that was partly committed changes nothing, and
none turns back what only moves forward, so a journal that a power cut brought back from the
past does no harm.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from pilogger.errors import StoreBroken
from pilogger.pulse import Pulse
from pilogger.store.connection import Lock, identity, open_writer
from pilogger.store.journal import Journal, Write

log = logging.getLogger("pilogger.store")

WRITES = {
    "sample": "INSERT OR IGNORE INTO sample VALUES (?, ?, ?, ?, ?, ?)",
    "source": "INSERT OR IGNORE INTO source VALUES (?, ?, ?, ?, ?)",
    "bucket": "INSERT INTO bucket VALUES (?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    # More may become known of a segment, never less.
    "clock": "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
    ' SET "offset" = excluded."offset", state = excluded.state, anchor = excluded.anchor,'
    " drift = excluded.drift, synced_by = excluded.synced_by"
    " WHERE segment.state = 'unsynced' OR segment.drift IS NULL AND excluded.drift IS NOT NULL",
    # These two are in journals of before the third migration.
    "segment": """INSERT OR IGNORE INTO segment (id, boot_id, started, "offset", state)"""
    " VALUES (?, ?, ?, ?, ?)",
    "correct": """UPDATE segment SET "offset" = ?, state = 'synced'"""
    " WHERE boot_id = ? AND state = 'unsynced'",
    "destination": "INSERT INTO destination VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET seq = excluded.seq, sent = excluded.sent, refused = excluded.refused"
    " WHERE excluded.seq >= destination.seq",
    "set_aside": "INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?, ?)",
    # The same for spans: they grow while the cursor passes over them, then they only shrink.
    "held": "INSERT OR REPLACE INTO held SELECT d.name, ?2, ?3 FROM destination AS d"
    " WHERE d.name = ?1 AND d.seq < ?3",
    "reserve": "INSERT INTO meta VALUES ('next_seq', ?) ON CONFLICT (key) DO UPDATE"
    " SET value = max(value, excluded.value)",
    "release": "DELETE FROM held WHERE destination = ? AND last <= ?",
    "shrink": "UPDATE held SET first = ?2 + 1 WHERE destination = ?1 AND first <= ?2",
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
        self.lock = threading.RLock()
        """Guards what is not yet committed; never held while the disk is waited for."""
        self._failure = ""
        self._missing = ""
        self._on_commit = on_commit
        self.pulse = Pulse("store")
        """The committer's sign of life."""
        self._commit = threading.Lock()
        self._waiting: list[Write] = []
        self._since = 0.0
        self._closed = False
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._guard = Lock(path)
        try:
            self.connection = open_writer(path)
            self._file = path.stat()
            self._journal = Journal(path, identity(self.connection))
            self._transaction(self._journal.replay())
            self._journal.reset()
        except BaseException as error:
            self._guard.release()
            if isinstance(error, sqlite3.Error | OSError):
                raise StoreBroken(f"{path} cannot be written: {error}") from error
            raise

    @property
    def trouble(self) -> str:
        """Why nothing reaches the disk, or nobody can see it; empty while all is well."""
        return self._failure or self._missing

    def write(self, writes: Sequence[Write]) -> None:
        """Take writes; when this returns they survive kill -9.

        Raises:
            StoreBroken: the disk took nothing, or the store was closed; nothing is kept.
        """
        with self.lock:
            if self._closed:
                raise StoreBroken(f"{self.path} is closed")
            try:
                self._journal.append(writes)
            except OSError as error:
                raise StoreBroken(f"{self.path}: {error.strerror or error}") from error
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting += writes

    def flush(self) -> None:
        """Commit everything that was taken so far; threads that ask together share a commit.

        Raises:
            StoreBroken: the disk refused; everything is kept and tried again.
        """
        with self._commit:
            with self.lock:
                if not self._waiting:
                    return
                writes, self._waiting = self._waiting, []
                self._journal.swap()
            try:
                self._transaction(writes)
            except BaseException as error:
                with self.lock:
                    self._waiting = writes + self._waiting
                if not isinstance(error, sqlite3.Error):
                    raise
                self._failure = f"{self.path} cannot be written: {error}"
                raise StoreBroken(self._failure) from error
            with self.lock:
                self._on_commit(writes)
                with suppress(OSError):  # then it is replayed, which changes nothing
                    self._journal.clear()
            self._failure = ""

    def _transaction(self, writes: Sequence[Write]) -> None:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for name, group in groupby(writes, key=itemgetter(0)):
                self.connection.executemany(WRITES[name], [write[1:] for write in group])
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
        """Go on, whatever happens: without this thread nothing would reach the disk."""
        retry_at = 0.0
        while True:
            due = max(retry_at, self._since + (self.durability or IDLE_WINDOW_S))
            left = due - time.monotonic() if self._waiting else TICK_S
            pause = min(TICK_S, max(left, 0.01))
            self.pulse.beat(pause)
            if self._stopped.wait(pause):
                self.pulse.end()
                return
            self.pulse.beat()
            was = self.trouble
            try:
                if self._waiting and time.monotonic() >= due:
                    retry_at = time.monotonic() + RETRY_S
                    self.flush()
                self._look_for_the_file()
                tick()
            except StoreBroken:
                pass  # told below
            except Exception:
                log.exception("the store's keeper met a bug, and goes on")
            if self.trouble and not was:
                log.error("%s; keeping everything and trying again", self.trouble)
            elif was and not self.trouble:
                log.warning("the store can be written again")

    def _look_for_the_file(self) -> None:
        """See whether the open file is still the one that its name leads to."""
        try:
            found = self.path.stat()
            same = (found.st_dev, found.st_ino) == (self._file.st_dev, self._file.st_ino)
        except OSError:
            same = False
        lost = f"{self.path} was removed or replaced: stop pilogger, or what it logs now is lost"
        self._missing = "" if same else lost

    def close(self, last: Sequence[Write] = ()) -> None:
        """Commit everything, with `last` at the end; let go of the file.

        Raises:
            StoreBroken: the disk refused; the journal keeps it for the next start.
        """
        with self.lock:
            if self._closed:
                return
            try:
                self.write(last)
            finally:
                self._closed = True
        clean = False
        try:
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
