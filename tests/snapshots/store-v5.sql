BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'pilogger','m001_tables','2026-11-21 00:00:00.000000+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'pilogger','m002_views','2026-11-21 00:00:00.000000+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'pilogger','m003_drift','2026-11-21 00:00:00.000000+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'pilogger','m004_history','2026-11-21 00:00:00.000000+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'pilogger','m005_hub','2026-11-21 08:28:49.854556+00:00');
CREATE TABLE answered (
    account TEXT NOT NULL,
    key TEXT NOT NULL,          -- names a request that must not be done twice
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    at INTEGER NOT NULL,        -- epoch in seconds
    PRIMARY KEY (account, key)
) WITHOUT ROWID;
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
CREATE TABLE bucket (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,      -- '' on a device
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (account, key)
);
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
CREATE TABLE destination (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,       -- everything up to here is settled
    sent INTEGER NOT NULL,      -- readings accepted
    refused INTEGER NOT NULL    -- readings set aside
) WITHOUT ROWID;
INSERT INTO "destination" VALUES('initialstate',5,9,1);
CREATE TABLE erased (
    series INTEGER NOT NULL REFERENCES series,
    first INTEGER NOT NULL,     -- epoch in nanoseconds
    last INTEGER NOT NULL,      -- the end of the span, not in it
    seq INTEGER NOT NULL,       -- what arrived up to here is gone
    PRIMARY KEY (series, first, last, seq)
) WITHOUT ROWID;
CREATE TABLE evicted (
    reason TEXT PRIMARY KEY,
    readings INTEGER NOT NULL,
    unsent INTEGER NOT NULL     -- of them not settled with every destination
) WITHOUT ROWID;
CREATE TABLE held (
    destination TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL, reason TEXT NOT NULL DEFAULT 'clock',
    PRIMARY KEY (destination, first)
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
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "meta" VALUES('next_seq',10);
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
CREATE TABLE sample (
    seq INTEGER PRIMARY KEY,    -- arrival order; given by pilogger, never used twice
    source INTEGER NOT NULL REFERENCES source,
    segment INTEGER NOT NULL REFERENCES segment,
    boot INTEGER NOT NULL,      -- microseconds of CLOCK_BOOTTIME, right after the read
    epoch,                      -- override: whole nanoseconds, else the number's text
    data TEXT NOT NULL          -- JSON array of values
);
INSERT INTO "sample" VALUES(1,1,1,101000000,NULL,'[21,41]');
INSERT INTO "sample" VALUES(2,1,1,102000000,NULL,'[22,42]');
INSERT INTO "sample" VALUES(3,1,1,103000000,NULL,'[23,43]');
INSERT INTO "sample" VALUES(4,1,1,104000000,NULL,'[24,44]');
INSERT INTO "sample" VALUES(5,1,1,105000000,NULL,'[25,45]');
INSERT INTO "sample" VALUES(8,1,1,107500000,NULL,'[21.5,null]');
INSERT INTO "sample" VALUES(9,2,1,108000000,1700000000000000000,'[true]');
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    boot_id TEXT NOT NULL,
    started INTEGER NOT NULL,   -- microseconds of CLOCK_BOOTTIME
    "offset" INTEGER NOT NULL,  -- microseconds: wall time = offset + boot time
    state TEXT NOT NULL CHECK (state IN ('unsynced', 'synced', 'estimated'))
, anchor INTEGER NOT NULL DEFAULT 0, drift INTEGER DEFAULT 0, frequency INTEGER NOT NULL DEFAULT 0, synced_by TEXT NOT NULL DEFAULT '');
INSERT INTO "segment" VALUES(1,'boot-0',100000000,1767225500000000,'synced',0,0,0,'');
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
INSERT INTO "series" VALUES(1,NULL,'air.humidity','%','f88c11636da5d60ee780aacd7c16c0b2','','[]','{}',0,0);
INSERT INTO "series" VALUES(2,NULL,'air.temperature','Cel','d5f5ab05794569ffd30809a1c2d42c7c','','[]','{}',0,0);
INSERT INTO "series" VALUES(3,NULL,'door.closed','1','a4ba00365b8e728364b221d4a203227e','','[]','{}',0,0);
CREATE TABLE set_aside (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    series TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (destination, seq, series)
) WITHOUT ROWID;
INSERT INTO "set_aside" VALUES('initialstate',3,'air.humidity','key too long');
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    bucket INTEGER REFERENCES bucket,
    sensor TEXT NOT NULL,
    channels TEXT NOT NULL,     -- JSON array of names; '' is the sensor itself
    units TEXT NOT NULL         -- JSON array of UCUM codes
, series TEXT NOT NULL DEFAULT '[]', sealed INTEGER NOT NULL DEFAULT 0, newest INTEGER, stamped INTEGER NOT NULL DEFAULT 1, span INTEGER NOT NULL DEFAULT 0);
INSERT INTO "source" VALUES(1,NULL,'air','["temperature","humidity"]','["Cel","%"]','[2,1]',0,NULL,1,0);
INSERT INTO "source" VALUES(2,NULL,'door','["closed"]','["1"]','[3]',0,NULL,1,0);
CREATE TABLE stale (
    series INTEGER NOT NULL REFERENCES series,
    first INTEGER NOT NULL,     -- epoch in seconds, a whole quarter of an hour
    last INTEGER NOT NULL,      -- the end of the span, not in it
    PRIMARY KEY (series, first, last)
) WITHOUT ROWID;
CREATE TABLE thinned (
    series INTEGER NOT NULL REFERENCES series,
    tier TEXT NOT NULL,         -- the finest table of which rows are left
    first INTEGER NOT NULL,     -- epoch in seconds, whole periods
    last INTEGER NOT NULL,      -- the end of the span, not in it
    PRIMARY KEY (series, tier, first)
) WITHOUT ROWID;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX sample_epoch ON sample (source, epoch) WHERE epoch IS NOT NULL;
CREATE UNIQUE INDEX series_key ON series (coalesce(bucket, 0), key) WHERE NOT gone;
CREATE UNIQUE INDEX source_unique
ON source (coalesce(bucket, 0), sensor, channels, units, series);
CREATE INDEX block_time ON block (source, start, "end");
CREATE INDEX block_last ON block (source, last);
CREATE INDEX block_seq ON block (last, first, readings);
CREATE INDEX block_segment ON block (segment) WHERE segment IS NOT NULL;
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
CREATE VIEW rollup_15m AS
SELECT series.key AS series, series.bucket, quarter.start AS epoch,
    datetime(quarter.start, 'unixepoch') AS utc, quarter.count, quarter.sum, quarter.min,
    quarter.max, 1.0 * quarter.sum / quarter.count AS avg,
    iif(quarter.count > 1, quarter.m2 / (quarter.count - 1), 0.0) AS variance, series.unit
FROM quarter
JOIN series ON series.id = quarter.series
WHERE NOT series.gone;
CREATE VIEW rollup_1h AS
SELECT series.key AS series, series.bucket, hour.start AS epoch,
    datetime(hour.start, 'unixepoch') AS utc, hour.count, hour.sum, hour.min,
    hour.max, 1.0 * hour.sum / hour.count AS avg,
    iif(hour.count > 1, hour.m2 / (hour.count - 1), 0.0) AS variance, series.unit
FROM hour
JOIN series ON series.id = hour.series
WHERE NOT series.gone;
CREATE VIEW rollup_1d AS
SELECT series.key AS series, series.bucket, day.start AS epoch,
    datetime(day.start, 'unixepoch') AS utc, day.count, day.sum, day.min,
    day.max, 1.0 * day.sum / day.count AS avg,
    iif(day.count > 1, day.m2 / (day.count - 1), 0.0) AS variance, series.unit
FROM day
JOIN series ON series.id = day.series
WHERE NOT series.gone;
CREATE UNIQUE INDEX message_id ON message (account, message_id, 0);
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
COMMIT;
PRAGMA user_version = 5;
