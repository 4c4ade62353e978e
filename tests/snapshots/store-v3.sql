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
CREATE TABLE bucket (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,      -- '' on a device
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (account, key)
);
CREATE TABLE destination (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,       -- everything up to here is settled
    sent INTEGER NOT NULL,      -- readings accepted
    refused INTEGER NOT NULL    -- readings set aside
) WITHOUT ROWID;
INSERT INTO "destination" VALUES('initialstate',5,9,1);
CREATE TABLE held (
    destination TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "meta" VALUES('next_seq',10);
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
);
INSERT INTO "source" VALUES(1,NULL,'air','["temperature","humidity"]','["Cel","%"]');
INSERT INTO "source" VALUES(2,NULL,'door','["closed"]','["1"]');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE UNIQUE INDEX source_unique ON source (coalesce(bucket, 0), sensor, channels, units);
CREATE INDEX sample_epoch ON sample (source, epoch) WHERE epoch IS NOT NULL;
CREATE VIEW series AS
SELECT source.id AS source, name.key AS channel, source.bucket,
    source.sensor || iif(name.value = '', '', '.' || name.value) AS series,
    json_extract(source.units, '$[' || name.key || ']') AS unit
FROM source, json_each(source.channels) AS name;
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
COMMIT;
PRAGMA user_version = 3;
