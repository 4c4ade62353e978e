"""How often a store was opened, by which it shows that it is not the newest that there was.

The number stands in the store and in its lock file. Where somebody put a backup in the place of
a store, the store's is smaller; where somebody put an old log beside it, the one without the log
is larger than the one with it.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from pilogger.store.connection import beside

log = logging.getLogger("pilogger.store")

KEY = "session"
NUMBER = "SELECT value FROM meta WHERE key = 'session'"


def count(connection: sqlite3.Connection) -> int:
    """Tell how often this store was opened for writing, as far as it knows."""
    row = connection.execute(NUMBER).fetchone()
    return row[0] if row and isinstance(row[0], int) else 0


def words(store: str, session: int) -> str:
    """Say what the lock file keeps of the store with that id."""
    return f"store {store} {session}"


def known(said: str, store: str) -> int:
    """Tell how often this store was opened, as its lock file says; 0 if it does not."""
    found = re.search(rf"^store {store} ([0-9]{{1,15}})$", said, re.MULTILINE)
    return int(found[1]) if found else 0


def put_old_log_aside(path: Path) -> bool:
    """Rename a write-ahead log that is older than the file beside it; True if it was.

    SQLite would put the old pages over the new ones. Call it before the file is opened.

    Raises:
        OSError: the disk refused.
    """
    old = beside(path, "wal")
    if not (path.exists() and old.exists() and old.stat().st_size):
        return False
    alone, together = _session(path, "immutable=1"), _session(path, "mode=ro")
    if alone is None or together is None or alone <= together:
        return False
    aside = beside(path, f"wal-of-another-time-{time.time_ns()}")
    old.rename(aside)
    beside(path, "shm").unlink(missing_ok=True)
    log.error("%s is older than the store beside it; kept as %s", old, aside)
    return True


def _session(path: Path, how: str) -> int | None:
    """Read the number in one of two ways; None if what is there cannot be read that way."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True)) as connection:
            return count(connection)
    except (sqlite3.Error, UnicodeDecodeError):
        return None
