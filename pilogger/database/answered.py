"""Requests that must not be done twice: each is done once, and answered again as it was then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from pilogger.store import Store, open_reader
from pilogger.store.journal import Write

KEPT_S = 86_400
TIDY_S = 3_600


class Name(NamedTuple):
    """What a request is remembered by."""

    account: str
    key: str


class Said(NamedTuple):
    """What it was answered."""

    status: int
    text: str


class Answered:
    """Remembers answers for a day; thread-safe.

    An answer is written by the same call as what the request changed, so there is never one
    without the other.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._busy: set[Name] = set()
        self._uncommitted: dict[Name, Said] = {}
        self._tidied = 0

    @contextmanager
    def turn(self, name: Name) -> Iterator[Said | None]:
        """Wait while the same request is under way; give what it was answered, if it was.

        What is done inside is on the disk at the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: name not in self._busy)
            self._busy.add(name)
        try:
            yield self._uncommitted.get(name) or self._find(name)
            self._store.flush()
            self._uncommitted.pop(name, None)
        finally:
            with self._changed:
                self._busy.remove(name)
                self._changed.notify_all()

    def rows(self, name: Name, said: Said) -> list[Write]:
        """Return what is to be written together with what the request changes."""
        now = self._store.clock.wall() // 1_000_000
        writes: list[Write] = [("answered", *name, *said, now)]
        if now > self._tidied + TIDY_S:
            self._tidied = now
            writes.append(("forget_answered", now - KEPT_S))
        return writes

    def __contains__(self, name: Name) -> bool:
        return name in self._uncommitted

    def taken(self, name: Name, said: Said) -> None:
        """Remember from now on, though the disk may not have it yet."""
        self._uncommitted[name] = said

    def _find(self, name: Name) -> Said | None:
        with closing(open_reader(self._store.path)) as db:
            row = db.execute(
                "SELECT status, body FROM answered WHERE account = ? AND key = ?", name
            ).fetchone()
        return Said(*row) if row else None
