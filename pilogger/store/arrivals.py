"""Samples in the order of their arrival, whether they are fresh or in blocks."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter
from sqlite3 import Connection
from typing import NamedTuple

from pilogger.sample import Value
from pilogger.store.blocks import Blocks, Row
from pilogger.store.connection import snapshot
from pilogger.store.schema import SAMPLE, SOUND

WINDOW = 2048  # numbers that are looked at together; what they take in memory is never given back

seq_of = itemgetter(0)


class _Span(NamedTuple):
    """Sealed rows up to `until`; valid while the file has this `version`."""

    version: int
    after: int
    until: int
    rows: list[Row]


NOTHING = _Span(0, 0, 0, [])


class Arrivals:
    """Reads a store from any number on; one thread at a time.

    Sealed samples are at hand in memory until the reader has come to fresh ones.
    """

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._blocks = Blocks(db)
        self._span = NOTHING

    def after(self, seq: int, newest: int, limit: int) -> list[Row]:
        """Return the first `limit` samples after number `seq`, up to `newest`."""
        with snapshot(self._db):
            fresh = self._db.execute(
                f"SELECT {SAMPLE} FROM sample"
                f" WHERE seq > ? AND seq <= ? AND {SOUND} ORDER BY seq LIMIT ?",
                (seq, newest, limit),
            ).fetchall()
            rows: list[Row] = [(*row[:5], json.loads(row[5])) for row in fresh]
            full = len(rows) == limit
            found = list(self._sealed(seq, rows[-1][0] if full else newest, limit))
        if found:
            rows = sorted(rows + found, key=seq_of)
        else:
            self._span = NOTHING
        return rows[:limit]

    def _sealed(self, seq: int, newest: int, limit: int) -> Iterator[Row]:
        """Yield what is in blocks after `seq` and up to `newest`: `limit` rows, or all."""
        while limit > 0 and seq < newest:
            span = self._look(seq, newest)
            if span is None:
                return
            first = bisect_right(span.rows, seq, key=seq_of)
            end = bisect_right(span.rows, newest, key=seq_of)
            rows = span.rows[first : min(end, first + limit)]
            yield from rows
            limit -= len(rows)
            seq = span.until

    def _look(self, seq: int, newest: int) -> _Span | None:
        """Open the blocks with the next rows."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        span = self._span
        if span.version == version and span.after <= seq < span.until:
            return span
        (first,) = self._db.execute(
            "SELECT min(first) FROM block WHERE last > ? AND first <= ?", (seq, newest)
        ).fetchone()
        if first is None:
            return None
        until = min(max(seq + 1, first) + WINDOW, newest)
        headers = self._db.execute(
            "SELECT id FROM block WHERE last > ? AND first <= ?", (seq, until)
        ).fetchall()
        segments = self._blocks.segments()
        rows: list[Row] = []
        for (id,) in headers:
            block = self._blocks.one(id, segments)
            if block is not None:
                rows += block.rows(seq, until)
        self._blocks.forget()
        rows.sort(key=seq_of)
        self._span = _Span(version, seq, until, rows)
        return self._span


def count(db: Connection, after: int, newest: int) -> int:
    """Count the readings of samples with numbers after `after`, up to `newest`."""
    (fresh,) = db.execute(
        "SELECT count(*) FROM sample, json_each(data) AS item"
        " WHERE item.type <> 'null' AND seq > ? AND seq <= ?",
        (after, newest),
    ).fetchone()
    (whole,) = db.execute(
        "SELECT coalesce(sum(readings), 0) FROM block"
        " WHERE last > ?1 AND first > ?1 AND last <= ?2",
        (after, newest),
    ).fetchone()
    parts = db.execute(
        "SELECT id FROM block WHERE last > ?1 AND first <= ?2 AND NOT (first > ?1 AND last <= ?2)",
        (after, newest),
    ).fetchall()
    blocks = Blocks(db)
    segments = blocks.segments() if parts else {}
    for (id,) in parts:
        block = blocks.one(id, segments)
        if block is not None:
            seqs = block.body.seqs
            first, end = bisect_right(seqs, after), bisect_right(seqs, newest)
            whole += sum(
                _present(block.body.column(channel)[first:end])
                for channel in range(block.body.width)
            )
    return int(fresh + whole)


def _present(values: list[Value | None]) -> int:
    return len(values) - values.count(None)
