"""Takes readings out of a store for good, oldest first, and counts them in the same transaction.

A piece is a few blocks or some fresh rows, so that nobody waits long.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

from pilogger import epoch
from pilogger.store import rollups, thinned
from pilogger.store.blocks import MICRO, Blocks, Row
from pilogger.store.rollups import DAY, QUARTER
from pilogger.store.schema import SAMPLE, SOUND, WALL
from pilogger.store.segment import Segment

if TYPE_CHECKING:
    from pilogger.store.outbox import Outbox

BLOCKS = 8  # of a piece
ROWS = 512
LATE_S = DAY  # a block that holds readings so much too old is cut
MICROS = 1_000_000

RIGHT = "segment.state = 'synced' AND (segment.drift IS NOT NULL OR segment.boot_id <> ?2)"
"""What is known of such a segment's time is final; ?2 is the present boot."""

OLDEST = f"SELECT {SAMPLE} FROM sample WHERE {SOUND} ORDER BY seq LIMIT ?"
COLUMNS = 'block.id, source, segment, block.first, block.last, start, "end", readings'


class Header(NamedTuple):
    """A row of `block`, without its data."""

    id: int
    source: int
    segment: int | None
    first: int
    last: int
    start: int
    end: int
    readings: int


@dataclass
class Piece:
    """What one transaction took out."""

    readings: int = 0
    unsent: int = 0
    owed: Counter[int] = field(default_factory=Counter)
    """The readings of samples that some destination has not had, by number."""
    fresh: Counter[int] = field(default_factory=Counter)
    """Samples that were not sealed, by source."""


class Eviction:
    """One piece, in a transaction of the caller's; `reason` says why, in a word.

    `thin` keeps the rollups of what goes.
    """

    def __init__(
        self, db: Connection, outboxes: Sequence[Outbox], reason: str, *, thin: bool = False
    ) -> None:
        self.piece = Piece()
        self._db = db
        self._blocks = Blocks(db)
        self._outboxes = outboxes
        self._reason = reason
        self._thin = thin

    @cached_property
    def _segments(self) -> dict[int, Segment]:
        return self._blocks.segments()

    # -- by arrival ----------------------------------------------------------------------

    def oldest_blocks(self) -> bool:
        """Take out the blocks that were complete first; False if there are none."""
        found = self._headers("ORDER BY last LIMIT ?", BLOCKS)
        for header in found:
            self._drop(header)
        return self._done(found)

    def oldest_rows(self) -> bool:
        """Take out the fresh rows that came first; False if there are none."""
        found = self._db.execute(OLDEST, [ROWS]).fetchall()
        self._drop_rows(found)
        return self._done(found)

    def oldest_rollups(self) -> bool:
        """Take out the quarters of the first day that has any, else the hours of a month."""
        for tier, coarser, length in (("quarter", "hour", DAY), ("hour", "day", 30 * DAY)):
            firsts = self._db.execute(
                f"SELECT id, (SELECT min(start) FROM {tier} WHERE series = series.id) FROM series"
            ).fetchall()
            known = {id: first for id, first in firsts if first is not None}
            if known:
                start = min(known.values()) // DAY * DAY
                for id in (id for id, first in known.items() if first < start + length):
                    self._coarsen(id, tier, coarser, start, start + length)
                return True
        return False

    def _coarsen(self, series: int, tier: str, coarser: str, start: int, end: int) -> None:
        thinned.mark(self._db, series, coarser, start, end)
        self._db.execute(
            f"DELETE FROM {tier} WHERE series = ? AND start >= ? AND start < ?",
            (series, start, end),
        )

    # -- by age --------------------------------------------------------------------------

    def aged(self, source: int, cutoff: int, boot_id: str) -> bool:
        """Take out what is older than `cutoff`, in microseconds; False if there is nothing.

        What a destination has not had stays, and so does what may get another time yet.
        """
        found = self._headers(
            "LEFT JOIN segment ON segment.id = segment"
            " WHERE source = ?1 AND start < ?3 AND last <= ?5"
            ' AND ("end" < ?3 OR start < ?4)'
            f" AND (segment IS NULL OR {RIGHT}) ORDER BY start LIMIT ?6",
            source, boot_id, cutoff, cutoff - LATE_S * MICROS, self._settled(), BLOCKS,
        )  # fmt: skip
        gone = [header for header in found if self._age(header, cutoff)]
        stamped = [header.first for header in gone if header.segment and header.end < cutoff]
        if stamped:
            self._lost_in_time(max(stamped))
        return self._done(gone)

    def _age(self, header: Header, cutoff: int) -> bool:
        if self._owed(header.first, header.last):
            return False
        if header.end < cutoff:
            self._drop(header)
            return True
        block = self._blocks.one(header.id, self._segments)
        if block is None:
            return False
        young = [t >= cutoff * MICRO for t in block.times()]
        rows = block.rows()
        left = [row for row, stays in zip(rows, young, strict=True) if stays]
        self._blocks.put(header.source, header.segment, left, header.id)
        self._forget(header._replace(end=cutoff))
        self._count(sum(map(_readings, rows)) - sum(map(_readings, left)))
        return True

    def _lost_in_time(self, before: int) -> None:
        """Take out blocks whose time was never right, if they came before what was too old."""
        for header in self._headers(
            "WHERE segment IN (SELECT id FROM segment WHERE state <> 'synced') AND last < ?"
            " ORDER BY last LIMIT ?", before, BLOCKS,
        ):  # fmt: skip
            if not self._owed(header.first, header.last):
                self._drop(header)

    def aged_rows(self, cutoff: int, boot_id: str) -> bool:
        """Take out the fresh rows at the head of the log that are older than `cutoff`."""
        rows = self._db.execute(
            f"SELECT {SAMPLE}, {WALL}, {RIGHT} FROM sample"
            f" JOIN segment ON segment.id = sample.segment WHERE {SOUND} ORDER BY seq LIMIT ?1",
            (ROWS, boot_id),
        )
        found: list[Any] = []
        for *row, wall, right in rows:
            given = row[4]
            at = wall if given is None else epoch.nanoseconds(given) // MICRO
            if at >= cutoff or (given is None and not right) or self._owed(row[0], row[0]):
                break
            found.append(row)
        self._drop_rows(found)
        return self._done(found)

    # -- what goes -----------------------------------------------------------------------

    def _headers(self, where: str, *parameters: object) -> list[Header]:
        rows = self._db.execute(f"SELECT {COLUMNS} FROM block {where}", parameters).fetchall()
        return [Header(*row) for row in rows]

    def _drop(self, header: Header) -> None:
        if self._owed(header.first, header.last):
            block = self._blocks.one(header.id, self._segments)
            rows = {row[0]: _readings(row) for row in block.rows()} if block else {}
            self._owe(rows or {header.last: header.readings})
        self._db.execute("DELETE FROM block WHERE id = ?", [header.id])
        self._forget(header)
        self._count(header.readings)

    def _forget(self, header: Header) -> None:
        """Keep the rollups of what goes, or have them computed without it."""
        final = header.segment is None or self._segments[header.segment].state != "unsynced"
        (series,) = self._db.execute(
            "SELECT series FROM source WHERE id = ?", [header.source]
        ).fetchone()
        for id in json.loads(series):
            if self._thin and final:
                start, end = header.start // MICROS, header.end // MICROS + 1
                first, last = start // QUARTER * QUARTER, -(-end // QUARTER) * QUARTER
                thinned.mark(self._db, id, "quarter", first, last)
            else:
                rollups.make_stale(self._db, id, header.start * MICRO, (header.end + 1) * MICRO)

    def _drop_rows(self, rows: Sequence[Any]) -> None:
        """Take out the first rows of the log; no older journal may bring them back."""
        for seq, source, *_, data in rows:
            readings = sum(value is not None for value in json.loads(data))
            if self._owed(seq, seq):
                self._owe({seq: readings})
            self._count(readings)
            self.piece.fresh[source] += 1
        self._db.executemany("DELETE FROM sample WHERE seq = ?", [(row[0],) for row in rows])
        self._db.executemany(
            "UPDATE source SET sealed = max(sealed, ?) WHERE id = ?",
            {row[1]: (row[0], row[1]) for row in rows}.values(),
        )

    # -- who had it, and how many ----------------------------------------------------------

    def _settled(self) -> int:
        return min((outbox.settled for outbox in self._outboxes), default=2**63 - 1)

    def _owed(self, first: int, last: int) -> bool:
        return any(outbox.owes(first, last) for outbox in self._outboxes)

    def _owe(self, rows: dict[int, int]) -> None:
        owed = {seq: readings for seq, readings in rows.items() if self._owed(seq, seq)}
        self.piece.owed.update(owed)
        self.piece.unsent += sum(owed.values())

    def _count(self, readings: int) -> None:
        self.piece.readings += readings

    def _done(self, found: Sequence[object]) -> bool:
        if self.piece.readings:
            record(self._db, self._reason, self.piece.readings, self.piece.unsent)
        return bool(found)


def record(db: Connection, reason: str, readings: int, unsent: int) -> None:
    """Count readings that had to go."""
    db.execute(
        "INSERT INTO evicted VALUES (?, ?, ?) ON CONFLICT (reason) DO UPDATE"
        " SET readings = readings + excluded.readings, unsent = unsent + excluded.unsent",
        (reason, readings, unsent),
    )


def _readings(row: Row) -> int:
    return sum(value is not None for value in row[5])
