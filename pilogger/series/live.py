"""What is new: the latest readings of every series, for a page that follows them.

Every function takes a connection made by `pilogger.store.open_reader`, so it works beside
the process that writes, and after it. `account` limits an answer to one account of a hub;
a device's own readings, and those of a hub without accounts, belong to the account ''.
Epochs come as floats in seconds, for sorting and drawing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from pilogger import epoch
from pilogger.sample import Value, series_key
from pilogger.store.blocks import Blocks
from pilogger.store.connection import snapshot
from pilogger.store.schema import SOUND, WALL

SAMPLES = 20_000
POINTS = 500


class Reading(NamedTuple):
    """One value of a series; `epoch` in seconds."""

    epoch: float
    value: Value


class Series(NamedTuple):
    """The newest readings of one series, in the order of their epochs.

    `unit` is a UCUM code; `bucket` is the bucket's key, or '' on a device, `name` its name.
    """

    key: str
    unit: str
    bucket: str
    name: str
    readings: list[Reading]


class Recent(NamedTuple):
    """What `recent` found; `seq` is what to ask from the next time."""

    seq: int
    series: list[Series]


def count(db: sqlite3.Connection, account: str | None = None) -> int:
    """Count the readings held: of one account, or with None of all."""
    with snapshot(db):
        fresh, sealed = db.execute(COUNT, {"account": account}).fetchone()
    return int(fresh + sealed)


def latest(db: sqlite3.Connection, account: str = "") -> list[Series]:
    """Return every series that has readings, each with the one that arrived last."""
    with snapshot(db):
        sources = _sources(db, account)
        return _collect(_last_rows(db, sources), sources, 1)


def recent(
    db: sqlite3.Connection,
    account: str = "",
    *,
    since: int = 0,
    samples: int = SAMPLES,
    points: int = POINTS,
) -> Recent:
    """Return what arrived after sample number `since`: at most `points` readings a series.

    They are taken from the newest `samples` samples. Asked from 0, a series that was
    silent for longer comes with its last reading.
    """
    with snapshot(db):
        (seq,) = db.execute(SEQ).fetchone()
        sources = _sources(db, account)
        rows = _fresh(db.execute(NEWEST, {"account": account, "since": since, "limit": samples}))
        rows += _sealed(db, account, since, samples - len(rows))
        rows.sort(key=seq_of, reverse=True)
        if since == 0:
            silent = sources.keys() - {row.source for row in rows}
            rows += _last_rows(db, silent)
        return Recent(seq, _collect(rows, sources, points))


MINE = """
source IN (
    SELECT source.id FROM source LEFT JOIN bucket ON bucket.id = source.bucket
    WHERE :account IS NULL OR coalesce(bucket.account, '') = :account
)
"""

COUNT = f"""
SELECT
    (SELECT count(*) FROM sample JOIN json_each(sample.data) AS item ON item.type <> 'null'
        WHERE {MINE}),
    (SELECT coalesce(sum(readings), 0) FROM block WHERE {MINE})
"""

SEQ = """
SELECT max((SELECT coalesce(max(seq), 0) FROM sample), (SELECT coalesce(max(last), 0) FROM block))
"""

SOURCES = """
SELECT source.id, source.sensor, source.channels, source.units, bucket.key, bucket.name
FROM source
LEFT JOIN bucket ON bucket.id = source.bucket
WHERE coalesce(bucket.account, '') = ?
"""

FRESH = f"""
SELECT sample.source, sample.seq, sample.epoch, {WALL}, sample.data
FROM sample
JOIN segment ON segment.id = sample.segment
"""

NEWEST = f"""{FRESH}
WHERE sample.seq > :since AND {MINE} AND {SOUND}
ORDER BY sample.seq DESC LIMIT :limit
"""

LAST_FRESH = f"""{FRESH}
WHERE sample.seq IN (
    SELECT max(seq) FROM sample
    WHERE source IN (SELECT value FROM json_each(?)) GROUP BY source
) AND {SOUND}
"""

SEALED = f"SELECT id, samples FROM block WHERE last > :since AND {MINE} ORDER BY last DESC"

LAST_SEALED = "SELECT id FROM block WHERE source = ? ORDER BY last DESC LIMIT 1"


class _Row(NamedTuple):
    """A sample, its epoch in seconds."""

    source: int
    seq: int
    epoch: float
    values: list[Value | None]


seq_of = attrgetter("seq")


class _Source(NamedTuple):
    series: list[str]
    units: list[str]
    bucket: str
    name: str


def _sources(db: sqlite3.Connection, account: str) -> dict[int, _Source]:
    return {
        id: _Source(
            [series_key(sensor, channel) for channel in json.loads(channels)],
            json.loads(units),
            bucket or "",
            name or "",
        )
        for id, sensor, channels, units, bucket, name in db.execute(SOURCES, [account])
    }


def _fresh(rows: Iterable[tuple[int, int, int | str | None, int, str]]) -> list[_Row]:
    return [
        _Row(
            source,
            seq,
            derived / 1e6 if override is None else epoch.seconds(override),
            json.loads(data),
        )
        for source, seq, override, derived, data in rows
    ]


def _sealed(db: sqlite3.Connection, account: str, since: int, limit: int) -> list[_Row]:
    """Return the newest sealed samples after number `since`, about `limit` of them."""
    rows: list[_Row] = []
    opener = _Opener(db)
    for id, samples in db.execute(SEALED, {"account": account, "since": since}).fetchall():
        if limit <= 0:
            break
        limit -= samples
        rows += [row for row in opener.rows(id) if row.seq > since]
    return rows


def _last_rows(db: sqlite3.Connection, sources: Iterable[int]) -> list[_Row]:
    """Return the last row of each source."""
    wanted = set(sources)
    if not wanted:
        return []
    rows = _fresh(db.execute(LAST_FRESH, [json.dumps([*wanted])]))
    opener = _Opener(db)
    for source in wanted - {row.source for row in rows}:
        found = db.execute(LAST_SEALED, [source]).fetchone()
        if found is not None:
            rows += opener.rows(found[0])[-1:]
    return rows


class _Opener:
    """Opens blocks one by one."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._blocks = Blocks(db)
        self._segments = self._blocks.segments()

    def rows(self, id: int) -> list[_Row]:
        block = self._blocks.one(id, self._segments)
        if block is None:
            return []
        times = block.times()
        return [
            _Row(block.source, row[0], t / 1e9, row[5])
            for t, row in zip(times, block.rows(), strict=True)
        ]


def _collect(rows: Iterable[_Row], sources: dict[int, _Source], points: int) -> list[Series]:
    """Sort rows, newest first, into series."""
    found: dict[tuple[str, str], Series] = {}
    for row in rows:
        source = sources[row.source]
        for key, unit, value in zip(source.series, source.units, row.values, strict=True):
            if value is None:
                continue
            series = found.get((source.bucket, key))
            if series is None:
                series = Series(key, unit, source.bucket, source.name, [])
                found[source.bucket, key] = series
            if len(series.readings) < points:
                series.readings.append(Reading(row.epoch, value))
    for series in found.values():
        series.readings.reverse()  # so that of two equal epochs the later arrival stays last
        series.readings.sort(key=lambda reading: reading.epoch)
    return sorted(found.values(), key=lambda series: (series.bucket, series.key))
