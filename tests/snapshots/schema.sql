CREATE INDEX sample_epoch ON sample (source, epoch) WHERE epoch IS NOT NULL;
CREATE UNIQUE INDEX source_unique ON source (coalesce(bucket, 0), sensor, channels, units);
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
CREATE TABLE held (
    destination TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE sample (
    seq INTEGER PRIMARY KEY,    -- arrival order; given by pilogger, never used twice
    source INTEGER NOT NULL REFERENCES source,
    segment INTEGER NOT NULL REFERENCES segment,
    boot INTEGER NOT NULL,      -- microseconds of CLOCK_BOOTTIME, right after the read
    epoch,                      -- override: whole nanoseconds, else the number's text
    data TEXT NOT NULL          -- JSON array of values
);
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    boot_id TEXT NOT NULL,
    started INTEGER NOT NULL,   -- microseconds of CLOCK_BOOTTIME
    "offset" INTEGER NOT NULL,  -- microseconds: wall time = offset + boot time
    state TEXT NOT NULL CHECK (state IN ('unsynced', 'synced', 'estimated'))
, anchor INTEGER NOT NULL DEFAULT 0, drift INTEGER DEFAULT 0, frequency INTEGER NOT NULL DEFAULT 0, synced_by TEXT NOT NULL DEFAULT '');
CREATE TABLE set_aside (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    series TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (destination, seq, series)
) WITHOUT ROWID;
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    bucket INTEGER REFERENCES bucket,
    sensor TEXT NOT NULL,
    channels TEXT NOT NULL,     -- JSON array of names; '' is the sensor itself
    units TEXT NOT NULL         -- JSON array of UCUM codes
);
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
CREATE VIEW series AS
SELECT source.id AS source, name.key AS channel, source.bucket,
    source.sensor || iif(name.value = '', '', '.' || name.value) AS series,
    json_extract(source.units, '$[' || name.key || ']') AS unit
FROM source, json_each(source.channels) AS name;
