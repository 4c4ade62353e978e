"""The read side of a store: what its series hold.

Every function takes a connection made by `pilogger.store.open_reader`, so it works beside
the process that writes, and after it. `account` limits an answer to one account of a hub;
a device's own readings, and those of a hub without accounts, belong to the account ''.
Epochs come as floats in seconds, for sorting and drawing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pilogger import epoch
from pilogger.sample import Value, series_key
from pilogger.store.schema import WALL

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
    """Count the readings held: of one account, or with None of all. Reads every sample."""
    (found,) = db.execute(COUNT, {"account": account}).fetchone()
    return int(found)


def latest(db: sqlite3.Connection, account: str = "") -> list[Series]:
    """Return every series that has readings, each with the one that arrived last."""
    with _snapshot(db):
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
    with _snapshot(db):
        (seq,) = db.execute("SELECT coalesce(max(seq), 0) FROM sample").fetchone()
        sources = _sources(db, account)
        rows = db.execute(NEWEST, {"account": account, "since": since, "limit": samples}).fetchall()
        if since == 0:
            silent = sources.keys() - {row[0] for row in rows}
            rows += _last_rows(db, silent)
        return Recent(seq, _collect(rows, sources, points))


COUNT = """
SELECT count(*)
FROM sample
JOIN json_each(sample.data) AS item ON item.type <> 'null'
JOIN source ON source.id = sample.source
LEFT JOIN bucket ON bucket.id = source.bucket
WHERE :account IS NULL OR coalesce(bucket.account, '') = :account
"""

SOURCES = """
SELECT source.id, source.sensor, source.channels, source.units, bucket.key, bucket.name
FROM source
LEFT JOIN bucket ON bucket.id = source.bucket
WHERE coalesce(bucket.account, '') = ?
"""

ROWS = f"""
SELECT sample.source, sample.epoch, {WALL}, sample.data
FROM sample
JOIN segment ON segment.id = sample.segment
"""

NEWEST = f"""{ROWS}
JOIN source ON source.id = sample.source
LEFT JOIN bucket ON bucket.id = source.bucket
WHERE sample.seq > :since AND coalesce(bucket.account, '') = :account
ORDER BY sample.seq DESC LIMIT :limit
"""

LAST = f"""{ROWS}
WHERE sample.seq IN (
    SELECT max(seq) FROM sample
    WHERE source IN (SELECT value FROM json_each(?)) GROUP BY source
)
ORDER BY sample.seq DESC
"""

Row = tuple[int, int | str | None, int, str]
"""A sample: its source, epoch override, derived microseconds, and values as JSON."""


class _Source(NamedTuple):
    series: list[str]
    units: list[str]
    bucket: str
    name: str


@contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Let several queries see the same moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


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


def _last_rows(db: sqlite3.Connection, sources: Iterable[int]) -> list[Row]:
    """Return the last row of each source; reads every sample, because no index could help."""
    wanted = list(sources)
    return db.execute(LAST, [json.dumps(wanted)]).fetchall() if wanted else []


def _collect(rows: Iterable[Row], sources: dict[int, _Source], points: int) -> list[Series]:
    """Sort rows, newest first, into series."""
    found: dict[tuple[str, str], Series] = {}
    for id, override, derived, data in rows:
        source = sources[id]
        at = derived / 1e6 if override is None else epoch.seconds(override)
        for key, unit, value in zip(source.series, source.units, json.loads(data), strict=True):
            if value is None:
                continue
            series = found.get((source.bucket, key))
            if series is None:
                series = Series(key, unit, source.bucket, source.name, [])
                found[source.bucket, key] = series
            if len(series.readings) < points:
                series.readings.append(Reading(at, value))
    for series in found.values():
        series.readings.reverse()  # so that of two equal epochs the later arrival stays last
        series.readings.sort(key=lambda reading: reading.epoch)
    return sorted(found.values(), key=lambda series: (series.bucket, series.key))
