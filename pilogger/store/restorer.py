"""Puts what remains of a damaged store into the one that took its place.

Numbers of samples and ids of clock segments stay what they were: the new store begins far
above them. Sources and series find their place by name. Every reading goes into blocks, once,
whatever is there already.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from sqlite3 import Connection
from typing import TYPE_CHECKING

from pilogger.epoch import NUMBER
from pilogger.errors import BadValue, StoreDamaged
from pilogger.sample import Value, check_value
from pilogger.store.block import unpack
from pilogger.store.blocks import GENERATION, Blocks, Row, walls
from pilogger.store.moments import Erased
from pilogger.store.pages import Values
from pilogger.store.registry import Source
from pilogger.store.remains import BLOCK, MESSAGE, OldSource, Remains
from pilogger.store.rollups import make_stale

if TYPE_CHECKING:
    from pilogger.store.log import Store

MOST = 1024  # samples of a block
NAMES = (
    "UPDATE OR IGNORE series SET uid = ? WHERE id = ?",
    "UPDATE series SET name = ?, tags = ?, attributes = ? WHERE id = ? AND name || tags = '[]'",
)


class Restorer:
    """Knows where the remains of one store belong; `floor` is above all their numbers."""

    def __init__(self, store: Store, remains: Remains, floor: int) -> None:
        self._remains = remains
        self._floor = floor
        self._places: dict[int, Source] = {}
        self._erased: dict[int, list[Erased]] = defaultdict(list)
        with store.lock:
            store.segments.adopt(remains.segments.values())
            self._segments = set(remains.segments)
            for id, source in sorted(remains.sources.items()):
                if found := self._place(store, source):
                    self._places[id] = found
        store.flush()
        ids = self._series()
        with store.lock:
            store.registry.keep_latest([new for old, new in ids if remains.series[old].latest])
        with store.writer.alone() as db:
            for old, new in ids:
                series = remains.series[old]
                db.execute(NAMES[0], (series.uid, new))
                db.execute(NAMES[1], (series.name, series.tags, series.attributes, new))
        for row in remains.erased:
            for old, new in ids:
                if old == row[0]:
                    self._erased[new].append(Erased.read(*row[1:]))

    def _place(self, store: Store, source: OldSource) -> Source | None:
        """Find or make the source; none if its series were deleted, or it makes no sense."""
        known = self._remains.series
        if source.series and all(id in known and known[id].gone for id in source.series):
            return None
        bucket = source.bucket
        if bucket is not None:
            account, key, name = self._remains.buckets.get(bucket, ("", f"lost-{bucket}", "lost"))
            _, name = store.buckets.get((account, key), (0, name))
            bucket, _ = store.bucket(account, key, name)
        units = dict(zip(source.channels, source.units, strict=True))
        try:
            return store.registry.declare(source.sensor, units, bucket, past=True)
        except BadValue:
            return None

    def _series(self) -> list[tuple[int, int]]:
        """Pair the ids that series had with those that they have."""
        return sorted(
            {
                (old, new)
                for id, place in self._places.items()
                for old, new in zip(self._remains.sources[id].series, place.ids, strict=False)
                if old in self._remains.series
            }
        )

    # -- what was found ------------------------------------------------------------------

    def rows(self, id: int, row: Values) -> list[Row]:
        """Return the samples of a row of `sample` or `block`, as they belong into the store.

        Raises:
            StoreDamaged: it is not what was written.
        """
        place = self._places.get(row[1])
        if place is None:
            source = self._remains.sources.get(row[1])
            if source is not None:  # it was deleted
                return []
            raise StoreDamaged("nobody knows what it is")
        width = len(place.channels)
        if len(row) == BLOCK:
            return self._block(row, place, width)
        _, source_id, segment, boot, given, data = row
        if id <= self._remains.sources[source_id].sealed:
            return []
        self._check(id, segment if given is None else None, given)
        return [(id, place.id, segment, boot, given, _values(data, width))]

    def _check(self, seq: int, segment: int | None, given: object) -> None:
        if not 0 < seq < self._floor:
            raise StoreDamaged("it has a number that was never given")
        if given is None and segment not in self._segments:
            raise StoreDamaged("nobody knows what time it was")
        if isinstance(given, str) and not NUMBER.fullmatch(given):
            raise StoreDamaged("its epoch is no number")

    def _block(self, row: Values, place: Source, width: int) -> list[Row]:
        segment, first, last, samples, data = row[2], row[3], row[4], row[9], row[11]
        if not isinstance(data, bytes):
            raise StoreDamaged("it has no data")
        body = unpack(data)
        seqs = body.seqs
        if (body.samples, body.width, seqs[:1], seqs[-1:]) != (samples, width, [first], [last]):
            raise StoreDamaged("it is not the block that it says it is")
        for seq, given in zip(seqs, body.times, strict=True):
            self._check(seq, segment, None if segment is not None else given)
        columns = zip(*(body.column(i) for i in range(width)), strict=True)
        if segment is None:
            return [
                (seq, place.id, 0, 0, given, list(values))
                for seq, given, values in zip(seqs, body.times, columns, strict=True)
            ]
        return [
            (seq, place.id, segment, int(boot), None, list(values))
            for seq, boot, values in zip(seqs, body.times, columns, strict=True)
        ]

    @staticmethod
    def message(row: Values) -> Values:
        """Return a row of `message`, without its id, as it belongs into the store.

        Raises:
            StoreDamaged: it is not what was written.
        """
        try:
            match row:
                case [str(), str(), str(), *texts, int(), str(body)] if all(
                    text is None or isinstance(text, str) for text in texts
                ) and isinstance(json.loads(body), dict):
                    return row
        except ValueError:
            pass
        raise StoreDamaged("it is no message")

    # -- into the store ------------------------------------------------------------------

    def put(self, db: Connection, rows: Sequence[Row]) -> int:
        """Write samples into blocks in the caller's transaction; returns the new readings."""
        groups: dict[tuple[int, int | None, int], list[Row]] = defaultdict(list)
        for row in rows:
            segment = row[2] if row[4] is None else None
            groups[row[1], segment, row[0] // GENERATION].append(row)
        blocks = Blocks(db)
        saved = 0
        for (source, segment, _), found in groups.items():
            found.sort(key=lambda row: row[0])
            there = _there(db, blocks, source, found[0][0], found[-1][0])
            new = [row for row in {row[0]: row for row in found}.values() if row[0] not in there]
            for at in range(0, len(new), MOST):
                saved += self._put(db, blocks, source, segment, new[at : at + MOST])
        return saved

    def _put(
        self, db: Connection, blocks: Blocks, source: int, segment: int | None, rows: list[Row]
    ) -> int:
        (series,) = db.execute("SELECT series FROM source WHERE id = ?", [source]).fetchone()
        stamps = [row[4] if segment is None else row[3] for row in rows]
        times = walls(stamps, blocks.segment(segment))
        left = list(self._left(json.loads(series), times, rows))
        if not left:
            return 0
        blocks.put(source, segment, left)
        for id in json.loads(series):
            make_stale(db, id, min(times), max(times) + 1)
        return sum(value is not None for row in left for value in row[5])

    def _left(self, series: Sequence[int], times: Sequence[int], rows: list[Row]) -> Iterator[Row]:
        """Leave out what was to be erased."""
        if not any(id in self._erased for id in series):
            yield from rows
            return
        for t, row in zip(times, rows, strict=True):
            values = [
                None if any(span.covers(t, row[0]) for span in self._erased[id]) else value
                for id, value in zip(series, row[5], strict=True)
            ]
            if any(value is not None for value in values):
                yield (*row[:5], values)


def _there(db: Connection, blocks: Blocks, source: int, first: int, last: int) -> set[int]:
    """Find the numbers of a source that the store has in a span."""
    found = db.execute(
        "SELECT seq FROM sample WHERE seq BETWEEN ? AND ? AND source = ?", (first, last, source)
    )
    there = {seq for (seq,) in found}
    ids = db.execute(
        "SELECT id FROM block WHERE source = ? AND last >= ? AND first <= ?", (source, first, last)
    ).fetchall()
    segments = blocks.segments()
    for (id,) in ids:
        if block := blocks.one(id, segments):
            there.update(block.body.seqs)
    return there


def _values(data: str, width: int) -> list[Value | None]:
    try:
        found = json.loads(data)
        if not isinstance(found, list) or len(found) != width:
            raise StoreDamaged("it has not as many values as its source")
        return [value if value is None else check_value(value) for value in found]
    except (ValueError, BadValue) as error:
        raise StoreDamaged(f"its values are not what was written: {error}") from error


class Piece:
    """What one transaction puts into the store; `at` is where the next one begins."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.rows: list[Row] = []
        self.messages: list[Values] = []
        self.blocks = 0
        self.lost = 0

    def take(self, restorer: Restorer, found: Iterator[tuple[int, Values] | None]) -> None:
        """Take in what one page holds."""
        before = len(self.messages)
        samples = readings = damaged = 0
        for item in found:
            if item is None:
                damaged += 1
                continue
            id, row = item
            is_block = len(row) == BLOCK
            self.blocks += is_block
            try:
                if len(row) == MESSAGE:
                    self.messages.append(restorer.message(row[1:]))
                    continue
                rows = restorer.rows(id, row)
            except StoreDamaged:
                if is_block:
                    self.lost += row[10]
                else:
                    damaged += 1
                continue
            self.rows += rows
            if not is_block:
                samples += 1
                readings += sum(value is not None for row in rows for value in row[5])
        messages = len(self.messages) > before
        if samples or messages or not self.blocks:  # as many as the others of that page had
            self.lost += round(damaged * max(1, readings / samples)) if samples else damaged
