"""Everything that can be written: names, and the statements that they stand for.

All are idempotent, so replaying a journal that was partly committed changes nothing, and none
turns back what only moves forward, so a journal that a power cut brought back from the past does
no harm.
"""

from __future__ import annotations

CHECK = "crc(?1, ?2, ?3, ?4, CAST(?5 AS BLOB), CAST(?6 AS BLOB))"

WRITES = {
    "sample": f"INSERT OR IGNORE INTO sample VALUES (?1, ?2, ?3, ?4, ?5, ?6, {CHECK})",
    "series": "INSERT OR IGNORE INTO series (id, bucket, key, unit, uid) VALUES (?, ?, ?, ?, ?)",
    "unit": "UPDATE series SET unit = ?2 WHERE id = ?1",
    "latest": "UPDATE series SET latest = 1 WHERE id = ?",
    "describe": "UPDATE series SET name = ?2, tags = ?3, attributes = ?4 WHERE id = ?1",
    "gone": "UPDATE series SET gone = 1 WHERE id = ?",
    "erase": "INSERT OR IGNORE INTO erased VALUES (?, ?, ?, ?)",
    "source": "INSERT OR IGNORE INTO source (id, bucket, sensor, channels, units, series, stamped)"
    " VALUES (?, ?, ?, ?, ?, ?, 0)",
    "stamped": "UPDATE source SET stamped = 1 WHERE id = ?",
    "bucket": "INSERT INTO bucket VALUES (?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    # More may become known of a segment, never less.
    "clock": "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
    ' SET "offset" = excluded."offset", state = excluded.state, anchor = excluded.anchor,'
    " drift = excluded.drift, synced_by = excluded.synced_by"
    " WHERE segment.state = 'unsynced' OR segment.drift IS NULL AND excluded.drift IS NOT NULL",
    # A segment that moved takes its blocks along; their rollups are stale, before and after.
    "place": """UPDATE block SET (start, "end") = (
        SELECT "offset" + boot_start + (boot_start - anchor) * ifnull(drift, 0) / 1000000000,
            "offset" + boot_end + (boot_end - anchor) * ifnull(drift, 0) / 1000000000
        FROM segment WHERE id = ?1) WHERE segment = ?1""",
    "reach": """UPDATE source SET (newest, span) = (
        SELECT max("end"), max("end" - start) FROM block WHERE source = source.id)
        WHERE id IN (SELECT source FROM block WHERE segment = ?1)""",
    "unroll": """INSERT OR IGNORE INTO stale
        SELECT DISTINCT item.value, start / 900000000 * 900 - 900, "end" / 900000000 * 900 + 1800
        FROM block JOIN source ON source.id = block.source, json_each(source.series) AS item
        WHERE segment = ?1""",
    "destination": "INSERT INTO destination VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET seq = excluded.seq, sent = excluded.sent, refused = excluded.refused"
    " WHERE excluded.seq >= destination.seq",
    # What arrived after it had gone was not unsent; once only, before the destination moves on.
    "arrived": "UPDATE evicted SET unsent = unsent - ?3 WHERE reason = ?2 AND ("
    " EXISTS (SELECT 1 FROM destination WHERE name = ?1 AND seq < ?4) OR EXISTS"
    " (SELECT 1 FROM held WHERE destination = ?1 AND ?4 BETWEEN first AND last))",
    "set_aside": "INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?, ?)",
    # The same for spans: they grow while the cursor passes over them, then they only shrink.
    "held": "INSERT OR REPLACE INTO held SELECT d.name, ?2, ?3, 'clock' FROM destination AS d"
    " WHERE d.name = ?1 AND d.seq < ?3",
    "behind": "INSERT OR REPLACE INTO held SELECT d.name, ?2, ?3, 'backlog' FROM destination AS d"
    " WHERE d.name = ?1 AND d.seq < ?3",
    "reserve": "INSERT INTO meta VALUES ('next_seq', ?) ON CONFLICT (key) DO UPDATE"
    " SET value = max(value, excluded.value)",
    "owed": "INSERT OR IGNORE INTO held SELECT ?1, ?2, ?3, ?4"
    " WHERE NOT EXISTS (SELECT 1 FROM destination WHERE name = ?1)",
    "sent": "DELETE FROM held WHERE destination = ?1 AND first = ?2 AND last <= ?3",
    "sent_to": "UPDATE OR REPLACE held SET first = ?3 + 1 WHERE destination = ?1 AND first = ?2",
    "again": "INSERT OR IGNORE INTO held VALUES (?, ?, ?, 'replay')",
    "untimed": "INSERT INTO held VALUES (?, ?, ?, 'clock') ON CONFLICT (destination, first)"
    " DO UPDATE SET last = max(last, excluded.last)",
    "meta": "INSERT OR REPLACE INTO meta VALUES (?, ?)",
    "message": "INSERT OR IGNORE INTO message (account, message_id, type, user_id, anonymous_id,"
    " event, timestamp, received, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "answered": "INSERT OR IGNORE INTO answered VALUES (?, ?, ?, ?, ?)",
    "forget_answered": "DELETE FROM answered WHERE at < ?",
}

REPLAY = WRITES | {
    # What became history since must not come back as fresh.
    "sample": f"INSERT OR IGNORE INTO sample SELECT ?1, ?2, ?3, ?4, ?5, ?6, {CHECK}"
    " WHERE ?1 > (SELECT sealed FROM source WHERE id = ?2)",
}
"""The same, for a journal that may be older than the store."""
