"""The tables of a store, and how a store gets them.

    segment      spans of boot time, each with its offset to wall time
    bucket       what groups series; on a hub each belongs to an account
    series       the history of one channel: key, unit, name, tags, attributes
    source       who gives samples: a sensor with its channels, and how far it is sealed
    sample       the sample log: one row per poll, in arrival order; fresh data
    block        history: many samples of one source in one compressed row
    quarter, hour, day   rollups of what is in blocks, by 15 minutes, hour and day (UTC)
    stale        spans whose rollups are not right, until they are computed anew
    erased       spans of series that were deleted, until they are out of the blocks
    thinned      spans whose readings had to go, and whose rollups are kept
    destination  how far each destination has come, by name
    set_aside    readings that a destination will never take, with its words
    held         spans before a destination's cursor that it has not had, and why
    evicted      how many readings had to go, by reason
    meta         single facts

    message      what RudderStack's clients sent to it
    answered     requests that it must not do twice, and what it answered

    reading, rollup_15m, rollup_1h, rollup_1d, property   views for people

A row of `sample` has its values as a JSON array in the order of its source's channels;
an absent channel is null. `epoch` holds an override (see `pilogger.epoch`); where it is
null, the time is `WALL`, in microseconds; see `pilogger.store.segments`. `crc` tells whether it
is what was written (`SOUND`). The rows of a source become blocks in the order of their `seq`; up
to `source.sealed` all did. `source.newest` is the latest wall time in its blocks and `span` the
longest time that one of them holds, both in microseconds; `stamped` is 1 if some of its samples
have no override.
"""

from __future__ import annotations

import sqlite3
from zlib import crc32

from pilogger.errors import StoreNewer
from pilogger.store.migrations import MIGRATIONS

WALL = (
    'segment."offset" + sample.boot'
    " + (sample.boot - segment.anchor) * ifnull(segment.drift, 0) / 1000000000"
)
"""The wall time of a sample in microseconds, in SQL."""

SAMPLE = "sample.seq, sample.source, sample.segment, sample.boot, sample.epoch, sample.data"
"""What is read of a sample."""

SOUND = (
    "sample.crc = crc(sample.seq, sample.source, sample.segment, sample.boot,"
    " CAST(sample.epoch AS BLOB), CAST(sample.data AS BLOB))"
)
"""Whether it is what was written. The last of all conditions, as it takes a microsecond."""

VERSION = len(MIGRATIONS)
"""What this pilogger writes; a store carries its own in `user_version`."""


def know_crc(connection: sqlite3.Connection) -> None:
    """Let a connection compute the checksum of a sample: 23 bits, which take 3 bytes of its row."""
    connection.create_function("crc", 6, _crc, deterministic=True)


def _crc(*values: object) -> int:
    return crc32(repr(values).encode()) & 0x7FFFFF


def is_sound(*row: object) -> bool:
    """Whether a row of `sample`, taken from wherever it lay, is what was written."""
    *head, given, data, crc = row
    return crc == _crc(*head, given if given is None else str(given).encode(), str(data).encode())


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a store to `VERSION`; sqlite_utils is imported only if there is a step to take.

    Raises:
        StoreNewer: the file was written by a newer pilogger; it is left alone.
    """
    know_crc(connection)
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
