"""Bytes that reach the card per reading: the store beside the tables that come to mind.

    sudo python benchmarks/store_writes.py [--hours 4] [--windows 10 60 1] [--dir /var/tmp]
    sudo python benchmarks/store_writes.py --syncs | --real

20 channels at 1 Hz are stored on ext4 on a loop device, and the kernel says how many sectors
were written to it, ext4's journal and a last sync included; what a card writes inside itself
is not. A window is the longest time between commits, in seconds.

    store         `Store`, with seals, rollups and checksums; maintained once a minute
    store, sent   the same while a destination takes every reading
    by series     one row per reading, primary key (series, time), without rowid
    by arrival    one row per reading, in the order in which they come

All four in WAL mode, with `synchronous=FULL`; the store's journal of what is not committed is in
memory, as it is under systemd. Time is simulated, a second passes at once, and
what the kernel does by itself meanwhile (ext4 commits its journal, what is dirty is written
back) is done at the simulated times; with `--syncs` it never is, and only what the programs
ask for is counted. With `--real` the seconds are real, and all run at once, each on a card of
its own. Ten minutes of that agree with the simulation within 20 percent.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, Protocol

from card import Card, inserted
from common import line_by_line, machine
from history import HOUR, MIXED, READINGS, YEAR, declare, polls
from ours import NEVER_S

from pilogger.clock import Clock, SystemClock
from pilogger.sample import Sample, series_key
from pilogger.store import Store, journal
from pilogger.testing import FakeClock

MINUTE = 60
LIMIT = 1000


class Way(Protocol):
    """A way to keep readings in a file."""

    def add(self, samples: Sequence[Sample]) -> None: ...
    def commit(self) -> None: ...
    def maintain(self) -> None: ...
    def close(self) -> None: ...


class Ours:
    def __init__(self, path: Path, clock: Clock, *, sent: bool = False) -> None:
        self._store = Store.open(path, clock, durability=NEVER_S)
        self._outbox = self._store.outbox("cloud") if sent else None
        declare(self._store, next(polls(MIXED)))

    def add(self, samples: Sequence[Sample]) -> None:
        self._store.append(samples)
        if self._outbox and (batch := self._outbox.take(LIMIT)):
            self._outbox.settle(batch)

    def commit(self) -> None:
        self._store.flush()

    def maintain(self) -> None:
        self._store.seal()

    def close(self) -> None:
        self._store.close()


class Table:
    """SQLite alone."""

    def __init__(self, path: Path, create: str, insert: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {create}")
        self._insert = insert
        self._waiting: list[tuple[int, int, object]] = []
        names = [
            series_key(sensor, name) for sensor, channels in MIXED.items() for name in channels
        ]
        self._ids = {name: number for number, name in enumerate(names)}

    def add(self, samples: Sequence[Sample]) -> None:
        self._waiting += (
            (self._ids[series_key(sample.sensor, name)], sample.boot, value)
            for sample in samples
            for name, value in sample.values.items()
        )

    def commit(self) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(self._insert, self._waiting)
        self._db.execute("COMMIT")
        self._waiting.clear()

    def maintain(self) -> None:
        pass

    def close(self) -> None:
        self.commit()
        self._db.close()


def by_series(path: Path, _clock: Clock) -> Table:
    create = "CREATE TABLE reading (series, time, value, PRIMARY KEY (series, time)) WITHOUT ROWID"
    return Table(path, create, "INSERT INTO reading VALUES (?, ?, ?)")


def by_arrival(path: Path, _clock: Clock) -> Table:
    create = "CREATE TABLE reading (seq INTEGER PRIMARY KEY, series, time, value)"
    return Table(path, create, "INSERT INTO reading (series, time, value) VALUES (?, ?, ?)")


def sent(path: Path, clock: Clock) -> Ours:
    return Ours(path, clock, sent=True)


WAYS: dict[str, Callable[[Path, Clock], Way]] = {
    "store": Ours,
    "store, sent": sent,
    "by series": by_series,
    "by arrival": by_arrival,
}


class Wrote(NamedTuple):
    """Bytes per reading: to the device, and what the file has at the end."""

    device: float
    file: float


# -- the pace ----------------------------------------------------------------------------


Pace = Literal["simulated", "syncs", "real"]


def simulated(clock: FakeClock, card: Card, length: int, kernel: bool) -> Iterator[int]:
    """Count seconds that pass at once."""
    for second in range(1, length + 1):
        clock.advance(1)
        if kernel:
            card.pass_second(second)
        yield second


def real(length: int) -> Iterator[int]:
    """Count seconds."""
    start = time.monotonic()
    for second in range(1, length + 1):
        time.sleep(max(0.0, start + second - time.monotonic()))
        yield second


# -- the runs ----------------------------------------------------------------------------


def measure(name: str, window: int, length: int, folder: Path, pace: Pace = "simulated") -> Wrote:
    """Store so many seconds in one way on a new card."""
    with inserted(folder) as card:
        path = card.folder / "readings.db"
        fake = FakeClock()
        in_real = pace == "real"
        clock = SystemClock("system") if in_real else fake
        seconds = real(length) if in_real else simulated(fake, card, length, pace == "simulated")
        with closing(WAYS[name](path, clock)) as way:
            for second, samples in zip(seconds, polls(MIXED, clock.boot()), strict=False):
                way.add(samples)
                if second % window == 0:
                    way.commit()
                if second % MINUTE == 0:
                    way.maintain()
        card.sync()
        stored = length * READINGS
        return Wrote(card.written() / stored, path.stat().st_size / stored)


def report(window: int, found: dict[str, Wrote]) -> None:
    """Print a line for each way; a ratio is how many times as much as the store it writes."""
    ours = found["store"].device
    for name, wrote in found.items():
        print(
            f"{window:4} s  {name:12} {wrote.device:9.1f} {wrote.device / ours:9.2f}"
            f" {wrote.file:9.1f} {wrote.device * READINGS * YEAR / 1e9:9.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes to the device per reading.")
    parser.add_argument("--hours", type=float, default=4)
    parser.add_argument("--windows", type=int, nargs="+", default=[10, 60, 1], metavar="S")
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="where the images go")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--syncs", dest="pace", action="store_const", const="syncs")
    pace.add_argument("--real", dest="pace", action="store_const", const="real")
    parser.set_defaults(pace="simulated")
    options = parser.parse_args()
    length = round(HOUR * options.hours)

    line_by_line()
    print(machine())
    print(f"{length * READINGS:,} readings of {READINGS} channels at 1 Hz, 4 of them raw doubles")
    print(f"time: {options.pace}\n")
    print("window  way          B/reading     ratio    file B   GB/year")

    def one(name: str, window: int) -> Wrote:
        return measure(name, window, length, options.dir, options.pace)

    with TemporaryDirectory(dir="/dev/shm") as memory:
        journal.RUN = Path(memory)
        for window in options.windows:
            with ThreadPoolExecutor(len(WAYS) if options.pace == "real" else 1) as together:
                found = dict(zip(WAYS, together.map(one, WAYS, [window] * len(WAYS)), strict=True))
            report(window, found)


if __name__ == "__main__":
    main()
