"""The one hand that writes a store: journal first, then commits in groups.

Every change is a *write*: the name of one of the statements of `writes.py`, and its parameters.
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
from math import inf
from operator import itemgetter
from pathlib import Path

from pilogger.errors import StoreBroken
from pilogger.pulse import Pulse
from pilogger.store import ballast, damage, ending, sessions
from pilogger.store.checkpoint import Checkpoint
from pilogger.store.committer import Committer
from pilogger.store.connection import Lock, identity, is_journaled, leave, open_writer
from pilogger.store.journal import Journal, Write
from pilogger.store.writes import REPLAY, WRITES

log = logging.getLogger("pilogger.store")

PARAMETERS = itemgetter(slice(1, None))
IDLE_WINDOW_S = 10.0  # for what no caller waits for, when every append is committed at once


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
        self._committer: Committer | None = None
        self.generation = 0
        """Goes up when a damaged file gave way to a new one."""
        self.recollect: Callable[[], Sequence[Write]] = tuple
        """Tells everything that is known without the file, for a new one."""
        self.turned_back = False
        """Whether the file is older than what was written: some numbers were given already."""
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
        self.turned_back = damage.lost_its_log(path)
        if self.turned_back:
            log.error("the write-ahead log of %s is gone, and what was newest with it", path)
        self.turned_back |= sessions.put_old_log_aside(path)
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
        was_closed = not is_journaled(self.path)
        self.connection = open_writer(self.path)
        self._checkpoint = Checkpoint(self.path)
        try:
            self._file = self.path.stat()
            name = identity(self.connection)
            found, known = sessions.count(self.connection), sessions.known(self._guard.words, name)
            if found < known:
                log.error("%s is an older one than there was: numbers go on above", self.path)
                self.turned_back = True
            session = max(found, known) + 1
            self._journal = Journal(self.path, name)
            self._transaction([*self._journal.replay(), ("meta", sessions.KEY, session)], REPLAY)
            self._journal.reset()
            if not was_closed:
                ending.tell(self.path, self.connection)
        except (sqlite3.Error, OSError) as error:
            leave(self.connection, self.path)
            raise StoreBroken(f"{self.path} cannot be written: {error}") from error
        self._guard.mark(sessions.words(name, session))

    @property
    def trouble(self) -> str:
        """Why nothing reaches the disk, or nobody can see it; empty while all is well."""
        return self._failure or self._missing or self._checkpoint.trouble

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

    @contextmanager
    def without(self, writes: Sequence[Write]) -> Iterator[bool]:
        """Take back writes that wait in memory only; False if they were committed after all.

        Nothing is taken or committed while the block lasts.
        """
        with self._commit, self.lock:
            gone = {id(write) for write in writes}
            left = [write for write in self._waiting if id(write) not in gone]
            found = len(left) + len(writes) == len(self._waiting)
            if found:
                self._waiting = left
            yield found

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
                connection.executemany(statements[name], map(PARAMETERS, group))

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
            self._checkpoint = Checkpoint(self.path)
            name = identity(self.connection)
            self._transaction(self.recollect())
            self._journal.close()
            self._journal = Journal(self.path, name)
            if self._waiting:
                self._journal.append(self._waiting)
            self._guard.mark(sessions.words(name, sessions.count(self.connection)))
            self._file = self.path.stat()
            self.generation += 1
            self._damage, self._moved = "", False

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log to its place, so that its room is used again."""
        with self._commit:
            self._checkpoint.run(self.connection)

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
        self._checkpoint.tend(self.connection)

    # -- from the start to the end -------------------------------------------------------

    def start(self, tick: Callable[[], bool]) -> None:
        """Commit in the background; see `Committer`."""
        self._committer = Committer(self, tick)
        self._committer.start()

    def due(self) -> float:
        """Tell when what waits is to be committed, in monotonic seconds; never, if nothing does."""
        if not self._waiting:
            return inf
        window = 0.0 if self._journal.is_long else self.durability or IDLE_WINDOW_S
        return self._since + window

    def look_for_the_file(self) -> None:
        """See whether the open file is still the one that its name leads to."""
        try:
            found = self.path.stat()
            same = (found.st_dev, found.st_ino) == (self._file.st_dev, self._file.st_ino)
        except OSError:
            same = False
        lost = f"{self.path} was removed or replaced: stop pilogger, or what it logs now is lost"
        self._missing = "" if same else lost

    def hold(self) -> None:
        """Commit nothing until `let_go`: nobody forks in the middle of a query."""
        self._commit.acquire()

    def let_go(self) -> None:
        """Go on."""
        self._commit.release()

    def leave(self) -> None:
        """Leave the file to the parent, in a child: its lock must end with the parent."""
        self._guard.release()

    def abandon(self) -> None:
        """Let go of the file as it is; the journal keeps the rest for the next start."""
        leave(self.connection, self.path)
        self._journal.close()
        self._guard.release()

    def close(self, last: Sequence[Write] = ()) -> None:
        """Commit everything, with `last` at the end; let go of the file.

        Raises:
            StoreBroken: the disk refused; the journal keeps it for the next start.
        """
        refused = None
        with self.lock:
            if self._closed:
                return
            try:
                self.write(last)
            except StoreBroken as error:
                refused = error
            self._closed = True
        clean = False
        try:
            self.flush()
            if refused:
                raise refused
            clean = True
        finally:
            if self._committer:
                self._committer.stop()
            # The log goes last: a journal without one tells of a loss (`damage.lost_its_log`).
            self._journal.close(remove=clean)
            self.checkpoint()
            with self._commit:
                leave(self.connection, self.path)
            self._guard.release()
