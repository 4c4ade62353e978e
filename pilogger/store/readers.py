"""Connections to read through, kept for the next who reads: to open one costs more than most
questions do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from pilogger.errors import PiloggerError, StoreBroken
from pilogger.store.connection import open_reader
from pilogger.store.writer import Writer

MOST_IDLE = 8


class Readers:
    """Readers of the file that is there now; thread-safe."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._idle: list[sqlite3.Connection] = []
        self._generation = 0
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[sqlite3.Connection]:
        """Give a connection of one's own; where the file is damaged, a new one takes its place.

        Raises:
            StoreBroken: it was damaged, or cannot be read; to try again helps.
        """
        generation = self._writer.generation
        try:
            with self._writer.reading(generation):
                connection = self._take(generation)
                try:
                    yield connection
                finally:
                    self._give_back(generation, connection)
        except PiloggerError:
            raise
        except (sqlite3.Error, ValueError, TypeError, LookupError) as error:
            raise StoreBroken(f"{self._writer.path} cannot be read: {error}") from error

    def forget(self) -> None:
        """Close those that nobody uses: the next one sees the file with eyes of its own."""
        with self._writer.lock:
            while self._idle:
                self._idle.pop().close()

    def close(self) -> None:
        """Let go of the file, as soon as the last reader has."""
        with self._writer.lock:
            self._closed = True
            self.forget()

    def _take(self, generation: int) -> sqlite3.Connection:
        with self._writer.lock:
            if generation != self._generation:
                self.forget()
                self._generation = generation
            if self._idle:
                return self._idle.pop()
        try:
            return open_reader(self._writer.path)
        except StoreBroken as error:
            if isinstance(error.__cause__, sqlite3.Error):
                raise error.__cause__ from None  # it may be damaged: that is found out above
            raise

    def _give_back(self, generation: int, connection: sqlite3.Connection) -> None:
        with self._writer.lock:
            fits = generation == self._generation == self._writer.generation
            if fits and not self._closed and len(self._idle) < MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()
