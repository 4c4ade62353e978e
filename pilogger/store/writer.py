"""The one hand that writes a store: journal first, then commits in groups.

Every change is a *write*: the name of one of the statements below and its parameters.
All are idempotent, so replaying a journal that was partly committed changes nothing, and
none turns back what only moves forward, so a journal that a power cut brought back from the
past does no harm.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from pilogger.errors import StoreBroken
from pilogger.pulse import Pulse
from pilogger.store import ballast, damage
from pilogger.store.connection import Lock, identity, open_writer
from pilogger.store.journal import Journal, Write

log = logging.getLogger("pilogger.store")

WRITES = {
    "sample": "INSERT OR IGNORE INTO sample VALUES (?, ?, ?, ?, ?, ?)",
    "series": "INSERT OR IGNORE INTO series (id, bucket, key, unit, uid) VALUES (?, ?, ?, ?, ?)",
    "unit": "UPDATE series SET unit = ?2 WHERE id = ?1",
    "latest": "UPDATE series SET latest = 1 WHERE id = ?",
    "describe": "UPDATE series SET name = ?2, tags = ?3, attributes = ?4 WHERE id = ?1",
    "gone": "UPDATE series SET gone = 1 WHERE id = ?",
    "erase": "INSERT OR IGNORE INTO erased VALUES (?, ?, ?, ?)",
    "source": "INSERT OR IGNORE INTO source (id, bucket, sensor, channels, units, series, stamped)"
    " VALUES (?, ?, ?, ?, ?, ?, 0)",
    "stamped": "UPDATE source SET stamped = 1 WHERE id = ?",
    "bucket": "INSERT INTO bucket VALUES (?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    # More may become known of a segment, never less.
    "clock": "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
    ' SET "offset" = excluded."offset", state = excluded.state, anchor = excluded.anchor,'
    " drift = excluded.drift, synced_by = excluded.synced_by"
    " WHERE segment.state = 'unsynced' OR segment.drift IS NULL AND excluded.drift IS NOT NULL",
    # A segment that moved takes its blocks along; their rollups are stale, before and after.
    "place": """UPDATE block SET (start, "end") = (
        SELECT "offset" + boot_start + (boot_start - anchor) * ifnull(drift, 0) / 1000000000,
            "offset" + boot_end + (boot_end - anchor) * ifnull(drift, 0) / 1000000000
        FROM segment WHERE id = ?1) WHERE segment = ?1""",
    "reach": """UPDATE source SET (newest, span) = (
        SELECT max("end"), max("end" - start) FROM block WHERE source = source.id)
        WHERE id IN (SELECT source FROM block WHERE segment = ?1)""",
    "unroll": """INSERT OR IGNORE INTO stale
        SELECT DISTINCT item.value, start / 900000000 * 900 - 900, "end" / 900000000 * 900 + 1800
        FROM block JOIN source ON source.id = block.source, json_each(source.series) AS item
        WHERE segment = ?1""",
    "destination": "INSERT INTO destination VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET seq = excluded.seq, sent = excluded.sent, refused = excluded.refused"
    " WHERE excluded.seq >= destination.seq",
    "set_aside": "INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?, ?)",
    # The same for spans: they grow while the cursor passes over them, then they only shrink.
    "held": "INSERT OR REPLACE INTO held SELECT d.name, ?2, ?3, 'clock' FROM destination AS d"
    " WHERE d.name = ?1 AND d.seq < ?3",
    "reserve": "INSERT INTO meta VALUES ('next_seq', ?) ON CONFLICT (key) DO UPDATE"
    " SET value = max(value, excluded.value)",
    "owed": "INSERT OR IGNORE INTO held SELECT ?1, ?2, ?3, ?4"
    " WHERE NOT EXISTS (SELECT 1 FROM destination WHERE name = ?1)",
    "sent": "DELETE FROM held WHERE destination = ?1 AND first = ?2 AND last <= ?3",
    "sent_to": "UPDATE OR REPLACE held SET first = ?3 + 1 WHERE destination = ?1 AND first = ?2",
    "again": "INSERT OR IGNORE INTO held VALUES (?, ?, ?, 'replay')",
    "untimed": "INSERT OR IGNORE INTO held VALUES (?, ?, ?, 'clock')",
    "meta": "INSERT OR REPLACE INTO meta VALUES (?, ?)",
    "message": "INSERT OR IGNORE INTO message (account, message_id, type, user_id, anonymous_id,"
    " event, timestamp, received, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "answered": "INSERT OR IGNORE INTO answered VALUES (?, ?, ?, ?, ?)",
    "forget_answered": "DELETE FROM answered WHERE at < ?",
}

REPLAY = WRITES | {
    # What became history since must not come back as fresh.
    "sample": "INSERT OR IGNORE INTO sample SELECT ?1, ?2, ?3, ?4, ?5, ?6"
    " WHERE ?1 > (SELECT sealed FROM source WHERE id = ?2)",
}
"""The same, for a journal that may be older than the store."""

IDLE_WINDOW_S = 10.0  # for what no caller waits for, when every append is committed at once
TICK_S = 1.0
BREATH_S = 0.01  # between two pieces of work, for whoever waits for the processor
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
        self.full = False
        """The disk had no room for a commit; until the keeper has seen to it."""
        self.unjournaled = False
        """Not even the journal has room: nothing survives kill -9 before it is committed."""
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
        self.generation = 0
        """Goes up when a damaged file gave way to a new one."""
        self.recollect: Callable[[], Sequence[Write]] = tuple
        """Tells everything that is known without the file, for a new one."""
        self.doubted = False
        """Whether somebody stumbled over what the file holds; until the inspector looked."""
        self._damage = ""
        self._moved = False
        self._guard = Lock(path)
        try:
            ballast.make_room(path)
            self._open_whole()
        except BaseException as error:
            self._guard.release()
            if isinstance(error, OSError):
                raise StoreBroken(f"{path} cannot be written: {error}") from error
            raise

    def _open_whole(self) -> None:
        """Open the file; if it is damaged, move it away and begin a new one."""
        path = self.path
        if damage.is_foreign(path):
            raise StoreBroken(
                f"{path} is no store, but the database of another program: set another store.path"
            )
        ours = damage.was_store(path)
        damage.finish_move(path)
        self.lost_log = damage.lost_its_log(path)
        if self.lost_log:
            log.error("the write-ahead log of %s is gone, and what was newest with it", path)
        if ours and (why := damage.looks_damaged(path)):
            damage.move_aside(path, why)
        try:
            self._open()
        except StoreBroken as error:
            if not (ours and damage.is_damage(error.__cause__, opening=True)):
                raise
            damage.move_aside(path, str(error.__cause__))
            self._open()

    def _open(self) -> None:
        self.connection = open_writer(self.path)
        try:
            self._file = self.path.stat()
            name = identity(self.connection)
            self._journal = Journal(self.path, name)
            self._transaction(self._journal.replay(), REPLAY)
            self._journal.reset()
        except (sqlite3.Error, OSError) as error:
            self.connection.close()
            raise StoreBroken(f"{self.path} cannot be written: {error}") from error
        self._guard.mark(f"store {name}")

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
                self.unjournaled = False
            except OSError as error:
                self.unjournaled = error.errno in (errno.ENOSPC, errno.EDQUOT)
                if self._failure or not self.unjournaled:
                    raise StoreBroken(f"{self.path}: {error.strerror or error}") from error
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting += writes

    def flush(self) -> None:
        """Commit everything that was taken so far; threads that ask together share a commit.

        Raises:
            StoreBroken: the disk refused; everything is kept and tried again.
        """
        with self._commit, self._translated():
            if self._damage:
                self._begin_anew()
            try:
                with self._judged():
                    self._commit_waiting()
            except sqlite3.DatabaseError:
                if not self._damage:
                    raise
                self._begin_anew()
                self._commit_waiting()
            self._failure = ""

    def _commit_waiting(self) -> None:
        with self.lock:
            if not self._waiting:
                return
            writes, self._waiting = self._waiting, []
            self._journal.swap()
        try:
            self._transaction(writes)
        except BaseException:
            with self.lock:
                self._waiting = writes + self._waiting
            raise
        with self.lock:
            self._on_commit(writes)
            with suppress(OSError):  # then it is replayed, which changes nothing
                self._journal.clear()

    def _transaction(self, writes: Sequence[Write], statements: Mapping[str, str] = WRITES) -> None:
        with self._begun() as connection:
            for name, group in groupby(writes, key=itemgetter(0)):
                connection.executemany(statements[name], [write[1:] for write in group])

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """Change the file in a transaction of one's own, while no commit is under way.

        Raises:
            StoreBroken: the disk refused; nothing was changed.
        """
        with self._commit, self._translated():
            if self._damage:
                self._begin_anew()
            with self._judged(), self._begun() as connection:
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self.full |= getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
            self._failure = f"{self.path} cannot be written: {error}"
            raise StoreBroken(self._failure) from error

    # -- a damaged file ------------------------------------------------------------------

    @contextmanager
    def reading(self, generation: int) -> Iterator[None]:
        """Read the file of that generation; where it is damaged, a new one takes its place.

        Raises:
            StoreBroken: it was damaged; to try again helps.
        """
        try:
            yield
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            if not damage.is_damage(error):
                self.doubted = True  # text that is none, perhaps
                raise
            with self._commit, self._translated():
                if generation == self.generation:
                    self._damage = self._damage or str(error)
                    self._begin_anew()
            raise StoreBroken(f"{self.path} was damaged: {error}") from error

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Remember what shows that the file is damaged."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if damage.is_damage(error):
                self._damage = str(error)
            raise

    def _begin_anew(self) -> None:
        """Move the file away and go on with a new one, and with all that memory holds.

        A step that fails is taken again by the next call.
        """
        with self.lock:
            self.connection.close()
            if not self._moved:
                damage.move_aside(self.path, self._damage)
                self._moved = True
            self.connection = open_writer(self.path)
            name = identity(self.connection)
            self._transaction(self.recollect())
            self._journal.close()
            self._journal = Journal(self.path, name)
            if self._waiting:
                self._journal.append(self._waiting)
            self._guard.mark(f"store {name}")
            self._file = self.path.stat()
            self.generation += 1
            self._damage, self._moved = "", False

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log to its place, so that its room is used again."""
        with self._commit, suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    @contextmanager
    def _begun(self) -> Iterator[sqlite3.Connection]:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
            execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                execute("ROLLBACK")
            raise

    def start(self, tick: Callable[[], bool]) -> None:
        """Commit in the background once per durability window; call `tick` every second.

        While it answers that more is to do, it is called again soon.
        """
        self._thread = threading.Thread(target=self._run, args=(tick,), name="store", daemon=True)
        self._thread.start()

    def _run(self, tick: Callable[[], bool]) -> None:
        """Go on, whatever happens: without this thread nothing would reach the disk."""
        retry_at = 0.0
        more = False
        while True:
            window = 0.0 if self._journal.is_long else self.durability or IDLE_WINDOW_S
            due = max(retry_at, self._since + window)
            left = due - time.monotonic() if self._waiting else TICK_S
            pause = BREATH_S if more else min(TICK_S, max(left, BREATH_S))
            self.pulse.beat(pause)
            if self._stopped.wait(pause):
                self.pulse.end()
                return
            self.pulse.beat()
            was = self.trouble
            more = False
            if self._waiting and time.monotonic() >= due:
                retry_at = time.monotonic() + RETRY_S
                with suppress(StoreBroken):  # told below; to make room is for `tick`
                    self.flush()
            try:
                self._look_for_the_file()
                more = tick()
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

    def abandon(self) -> None:
        """Let go of the file as it is; the journal keeps the rest for the next start."""
        self.connection.close()
        self._journal.close()
        self._guard.release()

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
