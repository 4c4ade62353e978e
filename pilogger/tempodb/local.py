"""A file that is asked as a hub would be: the same requests, the same code answers them."""

from __future__ import annotations

from pathlib import Path

from pilogger.clock import SystemClock
from pilogger.database import Database, Request
from pilogger.engine import SQLiteEngine
from pilogger.store import Store


class Local:
    """Answers from a store of this process; thread-safe, but not to be taken through a fork.

    Raises:
        StoreError: the file cannot be opened, or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self._store = Store.open(path, SystemClock(), durability=0)
        self._database = Database(SQLiteEngine(self._store))

    def ask(self, method: str, path: str, query: str, body: bytes, once: str) -> tuple[int, str]:
        """Answer with a status and a text."""
        request = Request("", method, path.encode("ascii"), query.encode("ascii"), body, once)
        answer = self._database.answer(request)
        return answer.status, answer.text if answer.pieces is None else "".join(answer.pieces)

    def close(self) -> None:
        """Commit everything and let go of the file."""
        self._store.close()
