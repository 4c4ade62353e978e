"""Requests that must not be done twice: each is done once, and answered again as it was then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pilogger.engine import Engine, Receipt


class Name(NamedTuple):
    """What a request is remembered by."""

    account: str
    key: str


class Answered:
    """Lets the same request be under way once at a time; thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._busy: set[Name] = set()

    @contextmanager
    def turn(self, name: Name) -> Iterator[Receipt | None]:
        """Wait while the same request is under way; give its receipt, if it was done.

        What is done inside is on the disk at the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: name not in self._busy)
            self._busy.add(name)
        try:
            yield self._engine.receipt(*name)
            self._engine.flush()
        finally:
            with self._changed:
                self._busy.remove(name)
                self._changed.notify_all()
