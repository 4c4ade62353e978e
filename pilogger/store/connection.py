"""Opening a store's file: one process writes it, everyone else reads it.

Two connections that write or checkpoint at the same time can corrupt a WAL in SQLite
3.7.0 to 3.51.2, which is what a Pi ships: so one writer, guarded by a lock file, and
readers that open `mode=ro`.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from pilogger.errors import StoreBroken, StoreLocked
from pilogger.store.schema import know_crc, migrate

LARGEST_LOG = 4_194_304  # bytes that the write-ahead log keeps once it is empty
PAGE = 1024  # bytes; a commit of a few samples writes pages of this size to the card
JOURNAL = ("fresh-0", "fresh-1")
"""What the two files of a store's journal are called beside it."""

SMALL_CACHE = "PRAGMA cache_size = -512"  # KiB; the kernel has the pages too


class Lock:
    """The right to write one store, held by this process until `release`."""

    def __init__(self, store: Path) -> None:
        path = beside(store, "lock")
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreBroken(
                f"{path.parent} cannot be written ({error.strerror}): give its folder to the "
                "user that runs pilogger, or set store.path"
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._said().split("\n")[0] or "unknown"
            os.close(self._fd)
            raise StoreLocked(
                f"{store} is being written by another pilogger (process {holder}): "
                "stop it, or set another store.path"
            ) from None
        self.words = self._said().partition("\n")[2].strip()
        """What the last holder said."""
        self.mark(self.words)

    def _said(self) -> str:
        return os.pread(self._fd, 128, 0).decode(errors="replace")

    def mark(self, words: str) -> None:
        """Say who holds it, and some words for who comes later."""
        with suppress(OSError):  # a full disk: then nobody learns who it is, that is all
            text = f"{os.getpid()}\n{words}\n".encode()
            os.pwrite(self._fd, text, 0)
            os.ftruncate(self._fd, len(text))

    def release(self) -> None:
        os.close(self._fd)


def beside(store: Path, what: str) -> Path:
    """Name a file that belongs to a store: `pilogger.db-lock`."""
    return store.with_name(f"{store.name}-{what}")


def is_journaled(store: Path) -> bool:
    """Tell whether a journal is beside a store: who closes it, takes it away."""
    return any(os.path.lexists(beside(store, part)) for part in JOURNAL)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the store for writing, make or migrate its tables; the caller holds its `Lock`.

    Raises:
        StoreBroken: it is no database, or cannot be written safely.
        StoreNewer: a newer pilogger wrote it.
    """
    if path.exists() and path.stat().st_nlink > 1:
        raise StoreBroken(f"{path} has another name (a hard link): two could write it; remove one")
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise StoreBroken(f"{path} cannot be opened: {error}") from error
    try:
        connection.execute(f"PRAGMA page_size = {PAGE}")  # heard by a new file only
        # It can silently stay in another mode, which would break every promise below.
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreBroken(f"{path} cannot use a write-ahead log (it stays in mode {mode})")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(SMALL_CACHE)
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `Checkpoint`
        connection.execute(f"PRAGMA journal_size_limit = {LARGEST_LOG}")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        migrate(connection)
        sync(path.parent)  # SQLite does so too, but goes on where that fails
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:  # SQLite's words may be garbled
        leave(connection, path)
        refused = isinstance(error, sqlite3.OperationalError | OSError)
        what = "cannot be written" if refused else "is no store"
        raise StoreBroken(f"{path} {what}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def identity(connection: sqlite3.Connection) -> str:
    """Return the id that a store got when it was made; its journal repeats it."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
    if row is None:
        row = (uuid4().hex,)
        connection.execute("INSERT INTO meta VALUES ('id', ?)", row)
    found: str = row[0]
    return found


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the store read-only, while it is written or not, also as another user.

    Raises:
        StoreBroken: there is no store, or it cannot be read.
    """
    if not path.exists():
        raise StoreBroken(f"there is no store at {path}")
    # After a clean stop there is no -shm file, and a stranger may not make one: nobody
    # writes then, so the file alone is the whole truth.
    tries = ("mode=ro",) if beside(path, "wal").exists() else ("mode=ro", "immutable=1")
    for query in tries:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?{query}", uri=True, check_same_thread=False
        )
        try:
            connection.execute(SMALL_CACHE)
            know_crc(connection)
            connection.execute("SELECT 1 FROM meta LIMIT 1")
        except sqlite3.Error as error:
            connection.close()
            problem = error
        else:
            return connection
    raise StoreBroken(f"{path} cannot be read as a store: {problem}") from problem


def leave(connection: sqlite3.Connection, path: Path) -> None:
    """Close the store, also where its journal is needed yet.

    Who closes it last removes its log, and rightly so: what a sync refused may be in there, and
    would be believed. But a journal without a log tells of a loss: so there is an empty one.
    """
    connection.close()
    if is_journaled(path):
        with suppress(OSError):
            beside(path, "wal").touch()


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Let several queries see the same moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
