"""The values of one series in the order of time, fresh or sealed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from sqlite3 import Connection
from typing import NamedTuple, Self

from pilogger import epoch
from pilogger.sample import Value
from pilogger.store.blocks import ENDLESS, MICRO, Blocks, clamp
from pilogger.store.schema import SOUND, WALL
from pilogger.store.segment import Segment

Moment = tuple[int, int, Value]
"""One reading: its epoch in nanoseconds, the seq of its sample, its value."""

BLOCKS = 16  # that are opened for one piece

OWN = "SELECT seq, epoch, data FROM sample WHERE source = ?"
GIVEN = f"{OWN} AND epoch BETWEEN ? AND ? AND {SOUND}"
TEXTS = f"{OWN} AND epoch >= '' AND {SOUND}"
STAMPED = f"""
SELECT seq, ({WALL}) * {MICRO}, data
FROM sample JOIN segment ON segment.id = sample.segment
WHERE source = ? AND epoch IS NULL AND {WALL} BETWEEN ? AND ? AND {SOUND}
"""


class Place(NamedTuple):
    """Where a series is found: a source, and which of its channels it is.

    `stamped` says that some of its samples have no epoch override.
    """

    source: int
    channel: int
    stamped: bool


class Erased(NamedTuple):
    """A span of time, half open, in nanoseconds; what arrived up to `seq` is gone from it.

    With a `seq` of 0 that is nothing, but rollups of the span are computed anew.
    """

    first: int
    last: int
    seq: int

    @classmethod
    def read(cls, first: int, last: int, seq: int) -> Self:
        """Make one of what the table has: its largest numbers mean without an end."""
        return cls(
            -epoch.FAR if first <= -ENDLESS else first,
            epoch.FAR + 1 if last >= ENDLESS else last,
            seq,
        )

    def covers(self, t: int, seq: int) -> bool:
        """Whether it takes what has this epoch and this number."""
        return self.first <= t < self.last and seq <= self.seq


class Moments:
    """Reads one series, as it is while this lives; a snapshot keeps it so.

    Of two values at one epoch the later arrival comes last; `latest` says that only that one
    holds.
    """

    def __init__(self, db: Connection, blocks: Blocks, series: int, *, latest: bool) -> None:
        self.latest = latest
        self._db = db
        self._blocks = blocks
        rows = db.execute(
            "SELECT source.id, item.key, stamped, newest"
            " FROM source, json_each(source.series) AS item WHERE item.value = ?",
            [series],
        ).fetchall()
        self._places = [Place(*row[:3]) for row in rows]
        self.newest = max((newest for *_, newest in rows if newest is not None), default=-ENDLESS)
        """The latest wall time in its blocks, in microseconds."""
        spans = db.execute("SELECT first, last, seq FROM erased WHERE series = ?", [series])
        self.erased = [Erased.read(*row) for row in spans]

    @classmethod
    def of(cls, db: Connection, blocks: Blocks, series: int) -> Self:
        """Read whether only the latest of several values holds, too."""
        found = db.execute("SELECT latest FROM series WHERE id = ?", [series]).fetchone()
        return cls(db, blocks, series, latest=bool(found and found[0]))

    def between(self, first: int, last: int, fresh: Sequence[Moment] = ()) -> list[Moment]:
        """Return what is sealed from `first` up to, not with, `last`, merged with `fresh`."""
        found: list[Moment] = []
        for place in self._places:
            found += self._sealed(place, first, last)
        found += [moment for moment in fresh if first <= moment[0] < last]
        return self.hold(found)

    def pieces(self, first: int, last: int, fresh: Sequence[Moment] = ()) -> Iterator[list[Moment]]:
        """Yield the same, a few thousand at a time."""
        while first < last:
            until = self.until(first, last)
            yield self.between(first, until, fresh)
            first = until

    def until(self, first: int, last: int) -> int:
        """Return how far one may read from `first` on, and open a few blocks only."""
        for place in self._places:
            row = self._db.execute(
                "SELECT start FROM block WHERE source = ? AND start > ? ORDER BY start"
                " LIMIT 1 OFFSET ?",
                (place.source, clamp(first // MICRO), BLOCKS),
            ).fetchone()
            if row:
                last = min(last, row[0] * MICRO)
        return last

    def hold(self, found: list[Moment]) -> list[Moment]:
        """Sort, and leave out what was erased or replaced."""
        for span in self.erased:
            found = [moment for moment in found if not span.covers(*moment[:2])]
        found.sort()  # a sample has one value of a series, so values are never compared
        return list({moment[0]: moment for moment in found}.values()) if self.latest else found

    def fresh(self, first: int, last: int) -> list[Moment]:
        """Return what is not sealed yet, in the order of time; erased or replaced or not."""
        return sorted(m for place in self._places for m in self._fresh(place, first, last))

    def next_after(self, first: int) -> int | None:
        """Return the time of the earliest sealed sample from `first` on, in nanoseconds.

        It is rounded down to a microsecond, and the series may be absent from that sample.
        """
        found = (t for place in self._places for t in self._next(place.source, first))
        return min(found, default=None)

    def _next(self, source: int, first: int) -> Iterator[int]:
        begun = -(-first // MICRO)
        row = self._db.execute(
            "SELECT start FROM block WHERE source = ? AND start >= ? ORDER BY start LIMIT 1",
            (source, clamp(begun)),
        ).fetchone()
        if row:
            yield row[0] * MICRO
        # Late readings make a block long, and its next reading may be far away.
        for block in self._blocks.between(source, begun, begun, self._segments):
            yield from (t for t in block.times() if t >= first)

    @cached_property
    def _segments(self) -> dict[int, Segment]:
        return self._blocks.segments()

    def _sealed(self, place: Place, first: int, last: int) -> list[Moment]:
        found: list[Moment] = []
        for block in self._blocks.between(
            place.source, first // MICRO, (last - 1) // MICRO, self._segments
        ):
            times = block.times()
            rows = zip(times, block.body.seqs, block.body.column(place.channel), strict=True)
            there = [(t, seq, value) for t, seq, value in rows if value is not None]
            if first > min(times) or max(times) >= last:
                there = [moment for moment in there if first <= moment[0] < last]
            found += there
        return found

    def _fresh(self, place: Place, first: int, last: int) -> Iterator[Moment]:
        query = self._db.execute
        rows = query(GIVEN, (place.source, clamp(first), clamp(last))).fetchall()
        rows += query(TEXTS, [place.source]).fetchall()
        if place.stamped:  # the one way to find these is through the whole log
            span = (clamp(first // MICRO), clamp(last // MICRO))
            rows += query(STAMPED, (place.source, *span)).fetchall()
        samples = json.loads(f"[{','.join(data for *_, data in rows)}]")  # quicker than one by one
        for (seq, packed, _), values in zip(rows, samples, strict=True):
            t = epoch.nanoseconds(packed)
            value = values[place.channel]
            if value is not None and first <= t < last:
                yield t, seq, value
