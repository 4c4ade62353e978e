"""The numbered steps from an empty file to today's tables; what was released is never edited."""

from __future__ import annotations

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


HISTORY = """
DROP VIEW reading;
DROP VIEW series;
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    bucket INTEGER REFERENCES bucket,
    key TEXT NOT NULL,
    unit TEXT NOT NULL,         -- a UCUM code
    uid TEXT NOT NULL UNIQUE,   -- 32 hex digits, for ever its own
    name TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '[]',        -- JSON array, sorted
    attributes TEXT NOT NULL DEFAULT '{}',  -- JSON object of texts
    latest INTEGER NOT NULL DEFAULT 0,      -- 1: of two values at one epoch the later holds
    gone INTEGER NOT NULL DEFAULT 0         -- 1: deleted; its history is being removed
);
CREATE UNIQUE INDEX series_key ON series (coalesce(bucket, 0), key) WHERE NOT gone;
INSERT INTO series (bucket, key, unit, uid)
SELECT bucket, key, unit, lower(hex(randomblob(16))) FROM (
    SELECT source.bucket, json_extract(source.units, '$[' || name.key || ']') AS unit,
        source.sensor || iif(name.value = '', '', '.' || name.value) AS key, max(source.id)
    FROM source, json_each(source.channels) AS name
    GROUP BY source.bucket, 3
);
ALTER TABLE source ADD COLUMN series TEXT NOT NULL DEFAULT '[]';
ALTER TABLE source ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE source ADD COLUMN newest INTEGER;
ALTER TABLE source ADD COLUMN stamped INTEGER NOT NULL DEFAULT 1;
ALTER TABLE source ADD COLUMN span INTEGER NOT NULL DEFAULT 0;
UPDATE source SET series = (
    SELECT json_group_array(id) FROM (
        SELECT series.id FROM json_each(source.channels) AS name
        JOIN series ON series.bucket IS source.bucket
            AND series.key = source.sensor || iif(name.value = '', '', '.' || name.value)
        ORDER BY name.key
    )
);
DROP INDEX source_unique;
CREATE UNIQUE INDEX source_unique
ON source (coalesce(bucket, 0), sensor, channels, units, series);
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source,
    segment INTEGER REFERENCES segment,  -- null: its times are epoch overrides
    first INTEGER NOT NULL,     -- seq of its first row
    last INTEGER NOT NULL,      -- seq of its last row
    boot_start INTEGER,         -- microseconds of boot time, where it has a segment
    boot_end INTEGER,
    start INTEGER NOT NULL,     -- microseconds of wall time: its earliest row
    "end" INTEGER NOT NULL,     -- its latest row
    samples INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    data BLOB NOT NULL          -- see pilogger.store.block
);
CREATE INDEX block_time ON block (source, start, "end");
CREATE INDEX block_last ON block (source, last);
CREATE INDEX block_seq ON block (last, first, readings);
CREATE INDEX block_segment ON block (segment) WHERE segment IS NOT NULL;
CREATE TABLE quarter (
    series INTEGER NOT NULL REFERENCES series,
    start INTEGER NOT NULL,     -- epoch in seconds
    count INTEGER NOT NULL,
    sum NOT NULL,
    min NOT NULL,
    max NOT NULL,
    m2 REAL NOT NULL,           -- sum of squared distances from the mean
    PRIMARY KEY (series, start)
) WITHOUT ROWID;
CREATE TABLE hour (
    series INTEGER NOT NULL REFERENCES series,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sum NOT NULL,
    min NOT NULL,
    max NOT NULL,
    m2 REAL NOT NULL,
    PRIMARY KEY (series, start)
) WITHOUT ROWID;
CREATE TABLE day (
    series INTEGER NOT NULL REFERENCES series,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sum NOT NULL,
    min NOT NULL,
    max NOT NULL,
    m2 REAL NOT NULL,
    PRIMARY KEY (series, start)
) WITHOUT ROWID;
CREATE TABLE stale (
    series INTEGER NOT NULL REFERENCES series,
    first INTEGER NOT NULL,     -- epoch in seconds, a whole quarter of an hour
    last INTEGER NOT NULL,      -- the end of the span, not in it
    PRIMARY KEY (series, first, last)
) WITHOUT ROWID;
CREATE TABLE erased (
    series INTEGER NOT NULL REFERENCES series,
    first INTEGER NOT NULL,     -- epoch in nanoseconds
    last INTEGER NOT NULL,      -- the end of the span, not in it
    seq INTEGER NOT NULL,       -- what arrived up to here is gone
    PRIMARY KEY (series, first, last, seq)
) WITHOUT ROWID;
CREATE TABLE thinned (
    series INTEGER NOT NULL REFERENCES series,
    tier TEXT NOT NULL,         -- the finest table of which rows are left
    first INTEGER NOT NULL,     -- epoch in seconds, whole periods
    last INTEGER NOT NULL,      -- the end of the span, not in it
    PRIMARY KEY (series, tier, first)
) WITHOUT ROWID;
CREATE TABLE evicted (
    reason TEXT PRIMARY KEY,
    readings INTEGER NOT NULL,
    unsent INTEGER NOT NULL     -- of them not settled with every destination
) WITHOUT ROWID;
ALTER TABLE held ADD COLUMN reason TEXT NOT NULL DEFAULT 'clock';
CREATE VIEW reading AS
SELECT sample.seq, series.key AS series, series.bucket,
    coalesce(iif(typeof(sample.epoch) = 'integer',
            sample.epoch / 1000000000 + sample.epoch % 1000000000 / 1e9, sample.epoch),
        (segment."offset" + sample.boot
            + (sample.boot - segment.anchor) * ifnull(segment.drift, 0) / 1000000000) / 1e6)
        AS epoch,
    item.value, item.type, series.unit, segment.state AS clock
FROM sample
JOIN segment ON segment.id = sample.segment
JOIN source ON source.id = sample.source
JOIN json_each(sample.data) AS item ON item.type <> 'null'
JOIN series ON series.id = json_extract(source.series, '$[' || item.key || ']')
WHERE NOT series.gone;
"""

ROLLUPS = "".join(
    f"""
CREATE VIEW rollup_{name} AS
SELECT series.key AS series, series.bucket, {table}.start AS epoch,
    datetime({table}.start, 'unixepoch') AS utc, {table}.count, {table}.sum, {table}.min,
    {table}.max, 1.0 * {table}.sum / {table}.count AS avg,
    iif({table}.count > 1, {table}.m2 / ({table}.count - 1), 0.0) AS variance, series.unit
FROM {table}
JOIN series ON series.id = {table}.series
WHERE NOT series.gone;
"""
    for name, table in (("15m", "quarter"), ("1h", "hour"), ("1d", "day"))
)

HUB = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    message_id TEXT NOT NULL,
    type TEXT NOT NULL,         -- identify, track, page, screen, group, alias
    user_id TEXT,
    anonymous_id TEXT,
    event TEXT,                 -- of a page or screen its name
    timestamp TEXT,             -- as it was sent
    received INTEGER NOT NULL,  -- epoch in microseconds
    body TEXT NOT NULL          -- JSON
);
-- The constant tells its entries from those of buckets, for who reads a damaged file.
CREATE UNIQUE INDEX message_id ON message (account, message_id, 0);
CREATE TABLE answered (
    account TEXT NOT NULL,
    key TEXT NOT NULL,          -- names a request that must not be done twice
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    at INTEGER NOT NULL,        -- epoch in seconds
    PRIMARY KEY (account, key)
) WITHOUT ROWID;
CREATE INDEX answered_at ON answered (at);
CREATE VIEW property AS
SELECT message.id AS message, message.account, message.type, message.event, message.user_id,
    message.anonymous_id, message.timestamp, item.key AS name, item.value, item.type AS kind
FROM message
JOIN json_each(message.body,
    CASE 'object'
        WHEN json_type(message.body, '$.properties') THEN '$.properties'
        WHEN json_type(message.body, '$.traits') THEN '$.traits'
        WHEN json_type(message.body, '$.context.traits') THEN '$.context.traits'
        ELSE '$.properties.none'
    END) AS item;
"""

CHECKSUM = """
ALTER TABLE sample ADD COLUMN crc INTEGER;
UPDATE sample SET crc = crc(seq, source, segment, boot, CAST(epoch AS BLOB), CAST(data AS BLOB));
"""

MIGRATIONS = {
    "m001_tables": TABLES,
    "m002_views": VIEWS,
    "m003_drift": DRIFT,
    "m004_history": HISTORY + ROLLUPS,
    "m005_hub": HUB,
    "m006_checksum": CHECKSUM,
}
"""Applied in order, each in its own transaction."""
