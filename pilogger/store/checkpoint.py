"""Moving what is in the write-ahead log to its place in the file, and knowing when that failed.

SQLite would do it by itself after a commit, but says nothing where the disk refuses. And it
believes the next sync, although one that failed may have dropped what was written before it:
a checkpoint that a reader keeps from its end writes pages, syncs nothing, and counts them as
done. So after a failure nothing counts as done (https://www.sqlite.org/walformat.html,
"The WAL-Index File Format").
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from pilogger.store import wal
from pilogger.store.connection import beside

LONG = 1 << 20  # bytes of pages in the log
BACKFILLED = 96  # where the wal-index counts the frames that are in their place


class Checkpoint:
    """Empties the log of the store at `path`; its caller sees to it that nobody commits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._index: int | None = None
        self.trouble = ""
        """Why the file does not take what the log holds; empty while it does."""

    def tend(self, connection: sqlite3.Connection) -> None:
        """Empty the log if it is long."""
        if wal.holds(beside(self._path, "wal"), LONG):
            self.run(connection)

    def run(self, connection: sqlite3.Connection) -> None:
        """Empty the log as far as readers let it; what the disk refuses stays in it, and counts."""
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            self.trouble = f"{self._path} does not take what its log holds: {error}"
            with suppress(OSError):
                self._begin_again()
        else:
            self.trouble = ""

    def _begin_again(self) -> None:
        if self._index is None:
            # Never closed, as that would end all locks that SQLite has on it in this process.
            self._index = os.open(beside(self._path, "shm"), os.O_RDWR | os.O_CLOEXEC)
        os.pwrite(self._index, bytes(4), BACKFILLED)
