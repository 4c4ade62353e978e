"""The tables of a store, and the numbered migrations that make them.

    segment      spans of boot time, each with its offset to wall time
    bucket       what groups series; on a hub each belongs to an account
    source       who gives samples: a sensor with its channels and their units
    sample       the sample log: one row per poll, in arrival order
    destination  how far each destination has come, by name
    set_aside    readings that a destination will never take, with its words
    held         spans that wait for a clock that was never right
    meta         single facts

    series, reading   views for people: one row per channel, one row per reading

A row of `sample` has its values as a JSON array in the order of its source's channels;
an absent channel is null. `epoch` holds an override (see `pilogger.epoch`); where it is
null, the time is `WALL`, in microseconds; see `pilogger.store.segments`.
"""

from __future__ import annotations

import sqlite3

from pilogger.errors import StoreNewer

TABLES = """
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    boot_id TEXT NOT NULL,
    started INTEGER NOT NULL,   -- microseconds of CLOCK_BOOTTIME
    "offset" INTEGER NOT NULL,  -- microseconds: wall time = offset + boot time
    state TEXT NOT NULL CHECK (state IN ('unsynced', 'synced', 'estimated'))
);
CREATE TABLE bucket (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,      -- '' on a device
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (account, key)
);
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    bucket INTEGER REFERENCES bucket,
    sensor TEXT NOT NULL,
    channels TEXT NOT NULL,     -- JSON array of names; '' is the sensor itself
    units TEXT NOT NULL         -- JSON array of UCUM codes
);
CREATE UNIQUE INDEX source_unique ON source (coalesce(bucket, 0), sensor, channels, units);
CREATE TABLE sample (
    seq INTEGER PRIMARY KEY,    -- arrival order; given by pilogger, never used twice
    source INTEGER NOT NULL REFERENCES source,
    segment INTEGER NOT NULL REFERENCES segment,
    boot INTEGER NOT NULL,      -- microseconds of CLOCK_BOOTTIME, right after the read
    epoch,                      -- override: whole nanoseconds, else the number's text
    data TEXT NOT NULL          -- JSON array of values
);
CREATE INDEX sample_epoch ON sample (source, epoch) WHERE epoch IS NOT NULL;
CREATE TABLE destination (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,       -- everything up to here is settled
    sent INTEGER NOT NULL,      -- readings accepted
    refused INTEGER NOT NULL    -- readings set aside
) WITHOUT ROWID;
CREATE TABLE set_aside (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    series TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (destination, seq, series)
) WITHOUT ROWID;
CREATE TABLE held (
    destination TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""

VIEWS = """
CREATE VIEW series AS
SELECT source.id AS source, name.key AS channel, source.bucket,
    source.sensor || iif(name.value = '', '', '.' || name.value) AS series,
    json_extract(source.units, '$[' || name.key || ']') AS unit
FROM source, json_each(source.channels) AS name;

CREATE VIEW reading AS
SELECT sample.seq, series.series, series.bucket,
    coalesce(iif(typeof(sample.epoch) = 'integer',
            sample.epoch / 1000000000 + sample.epoch % 1000000000 / 1e9, sample.epoch),
        (segment."offset" + sample.boot) / 1e6) AS epoch,
    item.value, item.type, series.unit, segment.state AS clock
FROM sample
JOIN segment ON segment.id = sample.segment
JOIN json_each(sample.data) AS item ON item.type <> 'null'
JOIN series ON series.source = sample.source AND series.channel = item.key;
"""


DRIFT = """
ALTER TABLE segment ADD COLUMN anchor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segment ADD COLUMN drift INTEGER DEFAULT 0;
ALTER TABLE segment ADD COLUMN frequency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segment ADD COLUMN synced_by TEXT NOT NULL DEFAULT '';
DROP VIEW reading;
CREATE VIEW reading AS
SELECT sample.seq, series.series, series.bucket,
    coalesce(iif(typeof(sample.epoch) = 'integer',
            sample.epoch / 1000000000 + sample.epoch % 1000000000 / 1e9, sample.epoch),
        (segment."offset" + sample.boot
            + (sample.boot - segment.anchor) * ifnull(segment.drift, 0) / 1000000000) / 1e6)
        AS epoch,
    item.value, item.type, series.unit, segment.state AS clock
FROM sample
JOIN segment ON segment.id = sample.segment
JOIN json_each(sample.data) AS item ON item.type <> 'null'
JOIN series ON series.source = sample.source AND series.channel = item.key;
"""

WALL = (
    'segment."offset" + sample.boot'
    " + (sample.boot - segment.anchor) * ifnull(segment.drift, 0) / 1000000000"
)
"""The wall time of a sample in microseconds, in SQL."""

MIGRATIONS = {"m001_tables": TABLES, "m002_views": VIEWS, "m003_drift": DRIFT}
"""Applied in order, each in its own transaction; what was released is never edited."""

VERSION = len(MIGRATIONS)
"""What this pilogger writes; a store carries its own in `user_version`."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a store to `VERSION`; sqlite_utils is imported only if there is a step to take.

    Raises:
        StoreNewer: the file was written by a newer pilogger; it is left alone.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > VERSION:
        raise StoreNewer(
            f"this store has format {found}, this pilogger knows {VERSION}: "
            "install the newer pilogger again, or set another store.path"
        )
    if found < VERSION:
        _apply(connection)


def _apply(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    steps = Migrations("pilogger")
    for number, (name, script) in enumerate(MIGRATIONS.items(), 1):

        @steps(name=name)
        def step(db: Database, number: int = number, script: str = script) -> None:
            # One by one: executescript() would end the transaction.
            for statement in f"{script}PRAGMA user_version = {number}".split(";\n"):
                db.execute(statement)

    steps.apply(Database(connection))
