"""Other stores that hold the same station and answer the same two questions, in this process.

`peer_servers` has those that run as servers. The questions are about `history.ONE`; whoever
asks has numbers of Python in hand when he gets the answer.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from history import EPOCH

from pilogger.sample import Sample

HOUR_MS = 3_600_000

Row = tuple[int, int, float]
"""Number of a series, milliseconds since 1970, value."""

Point = tuple[int, float]
"""Milliseconds since 1970, and a value."""


class Hour(NamedTuple):
    """One hour of one series; `start` in milliseconds."""

    start: int
    points: int
    mean: float
    low: float
    high: float


class Peer(Protocol):
    """What is compared; made in an empty folder. Spans are half open, in milliseconds."""

    def load(self, polled: Iterable[list[Sample]]) -> None:
        """Take what was polled, and do all that makes it small and quick."""
        ...

    def size(self) -> int:
        """Tell the bytes on the disk, everything included."""
        ...

    def by_hour(self, start: int, end: int) -> list[Hour]: ...
    def raw(self, start: int, end: int) -> list[Point]: ...
    def close(self) -> None: ...


def disk(folder: Path) -> int:
    """Tell the bytes that the files under a folder take, holes not counted, as `du` does.

    The store's ballast is left out: it is there to be given up, and has nothing in it.
    """
    files = [file for file in folder.rglob("*") if file.is_file() and "-ballast" not in file.name]
    return sum(file.stat().st_blocks * 512 for file in files)


def milliseconds(sample: Sample) -> int:
    """Return the wall time of a sample."""
    return (EPOCH + sample.boot) // 1000


def rows(polled: Iterable[list[Sample]]) -> Iterator[Row]:
    """Give one row per reading; series are numbered as they come."""
    ids: dict[tuple[str, str], int] = {}
    for sample in chain.from_iterable(polled):
        time = milliseconds(sample)
        for name, value in sample.values.items():
            yield ids.setdefault((sample.sensor, name), len(ids)), time, float(value)


class PlainSQLite:
    """The obvious table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._db = sqlite3.connect(folder / "readings.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(
            "CREATE TABLE reading (series INTEGER, time INTEGER, value REAL,"
            " PRIMARY KEY (series, time)) WITHOUT ROWID"
        )

    def load(self, polled: Iterable[list[Sample]]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO reading VALUES (?, ?, ?)", rows(polled))
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def size(self) -> int:
        return disk(self._folder)

    def by_hour(self, start: int, end: int) -> list[Hour]:
        found = self._db.execute(
            "SELECT time / 3600000 * 3600000, count(*), avg(value), min(value), max(value)"
            " FROM reading WHERE series = 0 AND time >= ? AND time < ? GROUP BY 1 ORDER BY 1",
            (start, end),
        )
        return [Hour(*row) for row in found]

    def raw(self, start: int, end: int) -> list[Point]:
        return self._db.execute(
            "SELECT time, value FROM reading WHERE series = 0 AND time >= ? AND time < ?"
            " ORDER BY time",
            (start, end),
        ).fetchall()

    def close(self) -> None:
        self._db.close()


class DuckDB:
    """DuckDB on a Parquet file."""

    def __init__(self, folder: Path) -> None:
        import duckdb

        self._folder = folder
        self._file = folder / "readings.parquet"
        self._db = duckdb.connect()

    def load(self, polled: Iterable[list[Sample]]) -> None:
        text = self._folder / "rows.csv"
        with text.open("w", newline="") as file:
            csv.writer(file).writerows(rows(polled))
        self._db.execute(
            "COPY (SELECT column0::INTEGER AS series, column1::BIGINT AS time, column2 AS value"
            f" FROM read_csv('{text}', header = false) ORDER BY series, time)"
            f" TO '{self._file}' (FORMAT parquet, COMPRESSION zstd)"
        )
        text.unlink()

    def size(self) -> int:
        return disk(self._folder)

    def by_hour(self, start: int, end: int) -> list[Hour]:
        return [
            Hour(*row)
            for row in self._ask(
                "SELECT time // 3600000 * 3600000, count(*), avg(value), min(value), max(value)",
                start,
                end,
                "GROUP BY 1 ORDER BY 1",
            )
        ]

    def raw(self, start: int, end: int) -> list[Point]:
        return self._ask("SELECT time, value", start, end, "ORDER BY time")

    def _ask(self, what: str, start: int, end: int, how: str) -> list[Any]:
        rows: list[Any] = self._db.execute(
            f"{what} FROM '{self._file}' WHERE series = 0 AND time >= ? AND time < ? {how}",
            (start, end),
        ).fetchall()
        return rows

    def close(self) -> None:
        self._db.close()
