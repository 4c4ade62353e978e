"""Finding blocks in the file and opening them; damaged ones are left out, and told."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from sqlite3 import Connection
from typing import Any, NamedTuple

from pilogger import epoch
from pilogger.errors import StoreDamaged
from pilogger.sample import Value
from pilogger.store.block import Unpacked, pack, unpack
from pilogger.store.segment import Segment

log = logging.getLogger("pilogger.store")

AT_HAND = 8  # opened blocks that are kept
KINDS = 4  # newest blocks of a source of which one may be continued
MICRO = 1000  # nanoseconds
GENERATION = 1 << 40
"""A store that follows a damaged one begins so many numbers above it; no block has both."""

Row = tuple[int, int, int, int, int | str | None, list[Value | None]]
"""A sealed sample: seq, source, segment, boot time, epoch override, values."""

ENDLESS = 2**63 - 1

FOUND = "SELECT id, source, segment, first, last, samples, readings, CAST(data AS BLOB) FROM block"


class Block(NamedTuple):
    """A row of `block`, opened. `segment` is None where the times are epoch overrides."""

    id: int
    source: int
    segment: Segment | None
    first: int
    last: int
    body: Unpacked

    def times(self) -> list[int]:
        """Return the wall times of its rows, in nanoseconds."""
        return walls(self.body.times, self.segment)

    def rows(self, after: int = 0, until: int = ENDLESS) -> list[Row]:
        """Return its samples with numbers after `after`, up to `until`, as they arrived."""
        body, source = self.body, self.source
        part = slice(bisect_right(body.seqs, after), bisect_right(body.seqs, until))
        columns = zip(*(body.column(i)[part] for i in range(body.width)), strict=True)
        rows = zip(body.seqs[part], body.times[part], columns, strict=True)
        if self.segment is None:
            return [(seq, source, 0, 0, packed, list(values)) for seq, packed, values in rows]
        segment = self.segment.id
        return [(seq, source, segment, int(boot), None, list(values)) for seq, boot, values in rows]


class Blocks:
    """The blocks of a store, through one connection; one thread at a time.

    What writes wants a transaction of the store's writer.
    """

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._opened: OrderedDict[tuple[int, ...], Unpacked] = OrderedDict()
        self._damaged: set[int] = set()

    @property
    def damaged(self) -> int:
        """How many blocks were found that are not what was written."""
        return len(self._damaged)

    def forget(self) -> None:
        """Keep no opened block at hand."""
        self._opened.clear()

    def segments(self) -> dict[int, Segment]:
        """Read what is known of the clock now."""
        rows = self._db.execute("SELECT * FROM segment").fetchall()
        return {row[0]: Segment._make(row) for row in rows}

    def segment(self, id: int | None) -> Segment | None:
        """Read one segment; None for no segment."""
        if id is None:
            return None
        return Segment(*self._db.execute("SELECT * FROM segment WHERE id = ?", [id]).fetchone())

    def between(
        self, source: int, start: int, end: int, segments: dict[int, Segment]
    ) -> Iterator[Block]:
        """Open the blocks of a source with rows from `start` to `end`, both in microseconds."""
        rows = self._db.execute(
            f'{FOUND} WHERE source = ?1 AND start <= ?3 AND "end" >= ?2'
            " AND start >= ?2 - (SELECT span FROM source WHERE id = ?1) ORDER BY start",
            (source, clamp(start), clamp(end)),
        )
        return self._open(rows, segments)

    def one(self, id: int, segments: dict[int, Segment]) -> Block | None:
        """Open one block, if it is there and whole."""
        return next(self._open(self._db.execute(f"{FOUND} WHERE id = ?", [id]), segments), None)

    def extend(self, source: int, segment: int | None, rows: Sequence[Row], short: int) -> None:
        """Write rows as a block; the one before takes them, if it has fewer than `short`."""
        newest = self._db.execute(
            "SELECT segment, samples, id FROM block WHERE source = ? AND last >= ?"
            " ORDER BY last DESC LIMIT ?",
            (source, rows[0][0] // GENERATION * GENERATION, KINDS),
        )
        ids = [id for kind, samples, id in newest if kind == segment and samples < short]
        before = self.one(ids[0], self.segments()) if ids else None
        if before is None:
            self.put(source, segment, rows)
        else:
            self.put(source, segment, [*before.rows(), *rows], before.id)

    def put(
        self, source: int, segment: int | None, rows: Sequence[Row], id: int | None = None
    ) -> None:
        """Write rows of one source as a new block, or in place of the block `id`."""
        seqs = [row[0] for row in rows]
        boots = [] if segment is None else [row[3] for row in rows]
        times: list[Any] = boots or [row[4] for row in rows]
        columns = list(zip(*(row[5] for row in rows), strict=True))
        moments = walls(times, self.segment(segment))
        start, end = clamp(min(moments) // MICRO), clamp(max(moments) // MICRO)
        readings = sum(len(column) - column.count(None) for column in columns)
        self._db.execute(
            f"INSERT OR REPLACE INTO block VALUES ({', '.join('?' * 12)})",
            (
                id, source, segment, seqs[0], seqs[-1],
                min(boots, default=None), max(boots, default=None), start, end,
                len(rows), readings, pack(seqs, times, columns),
            ),
        )  # fmt: skip
        self._db.execute(
            "UPDATE source SET newest = max(ifnull(newest, ?2), ?2), span = max(span, ?2 - ?3)"
            " WHERE id = ?1",
            (source, end, start),  # SQLite subtracts: its integers become floats where they must
        )

    def _open(
        self, rows: Iterable[tuple[Any, ...]], segments: dict[int, Segment]
    ) -> Iterator[Block]:
        for id, source, segment, first, last, samples, readings, data in rows:
            # Whoever writes a block anew adds samples to it, or takes readings out.
            body = self._unpack((id, source, last, samples, readings), data)
            if body is not None:
                known = None if segment is None else segments[segment]
                yield Block(id, source, known, first, last, body)

    def _unpack(self, key: tuple[int, ...], data: object) -> Unpacked | None:
        body = self._opened.get(key)
        if body is not None:
            self._opened.move_to_end(key)
            return body
        try:
            if not isinstance(data, bytes):
                raise StoreDamaged("it is no block at all")
            body = unpack(data)
            if body.samples != key[3]:
                raise StoreDamaged("it is another block than the one that was written here")
        except StoreDamaged as error:
            if key[0] not in self._damaged:
                self._damaged.add(key[0])
                log.error(  # noqa: TRY400 - one line, no trace
                    "block %d with %d samples is damaged and left out: %s", key[0], key[3], error
                )
            return None
        self._opened[key] = body
        if len(self._opened) > AT_HAND:
            self._opened.popitem(last=False)
        return body


def walls(times: Sequence[Any], segment: Segment | None) -> list[int]:
    """Turn the times of a block's rows into nanoseconds of wall time."""
    if segment is None:
        return [epoch.nanoseconds(packed) for packed in times]
    if not segment.drift:
        return [(segment.offset + boot) * MICRO for boot in times]
    return [segment.wall(boot) * MICRO for boot in times]


def clamp(number: int) -> int:
    """Bring a time into what SQLite can compare."""
    return max(-ENDLESS, min(number, ENDLESS))
