"""Readings per second into the store, beside SQLite alone.

    python benchmarks/append.py [--seconds 1500] [--rounds 15] [--dir /var/tmp]

A station of 20 channels, as 7 sensors, is stored second by second; every 10 seconds are
committed. `store` is the real `Store`: it checks values and writes them as JSON, journals
them against kill -9, numbers them and shows them to outboxes, the 7 samples of a second in
one call, or each in its own. `bare sqlite3` puts the same rows, prepared beforehand, into
the same tables by `executemany`, in the same transactions with the same pragmas. Rounds are
interleaved. The CPU column leaves out the waiting for the disk: the faster the disk, the
more it decides the fraction.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import NamedTuple

from common import CHANNELS, SENSORS, alone, line_by_line, machine, seconds

from pilogger.clock import SystemClock
from pilogger.sample import Sample
from pilogger.store import Store, open_reader
from pilogger.store.connection import open_writer

WINDOW = 10  # seconds of samples in a commit
BARE = "bare sqlite3"
NEVER_S = 86_400.0  # the store's own window: commits come from here


class Took(NamedTuple):
    """Seconds, by the clock on the wall and of the CPU."""

    wall: float
    cpu: float


def fill(path: Path, length: int, at_once: int) -> Took:
    """Append to a store, so many samples in a call; return how long it took."""
    calls = [
        [polled[n : n + at_once] for n in range(0, len(polled), at_once)]
        for polled in seconds(length)
    ]
    with closing(Store.open(path, SystemClock("system"), durability=NEVER_S)) as store:
        for sensor, names in SENSORS.items():
            store.declare(sensor, dict.fromkeys(names, "1"))
        return timed(lambda: _append(store, calls))


def _append(store: Store, calls: list[list[list[Sample]]]) -> None:
    for second, polled in enumerate(calls, 1):
        for samples in polled:
            store.append(samples)
        if second % WINDOW == 0:
            store.flush()
    store.flush()


def bare(path: Path, length: int, like: Path) -> Took:
    """Insert the rows that a store has by hand; return how long it took."""
    with closing(open_reader(like)) as reader:
        rows = reader.execute("SELECT * FROM sample ORDER BY seq").fetchall()
    step = WINDOW * len(SENSORS)
    windows = [rows[n : n + step] for n in range(0, length * len(SENSORS), step)]
    with closing(open_writer(path)) as connection:

        def insert() -> None:
            for window in windows:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)", window)
                connection.execute("COMMIT")

        return timed(insert)


def timed(work: Callable[[], None]) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def compare(folder: Path, length: int, rounds: int) -> None:
    """Print a line for each way."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        model = Path(scratch, "model.db")
        fill(model, length, len(SENSORS))
        ways: dict[str, Callable[[Path], Took]] = {
            BARE: lambda path: alone(bare, path, length, model),
            "store, 7 samples a call": lambda path: alone(fill, path, length, len(SENSORS)),
            "store, 1 sample a call": lambda path: alone(fill, path, length, 1),
        }
        took: dict[str, list[Took]] = {name: [] for name in ways}
        for turn in range(rounds):
            for number, (name, way) in enumerate(ways.items()):
                took[name].append(way(Path(scratch, f"{turn}-{number}.db")))
    report(took, length * CHANNELS)


def report(took: dict[str, list[Took]], readings: int) -> None:
    """Print medians, and the best rounds, which other programs disturbed least."""
    peer = [one.wall for one in took[BARE]]
    print("way                         median  fraction        best  fraction  CPU us/reading")
    for name, times in took.items():
        wall = [one.wall for one in times]
        middle = f"{readings / median(wall):12,.0f} {median(peer) / median(wall):9.2f}"
        best = f"{readings / min(wall):11,.0f} {min(peer) / min(wall):9.2f}"
        cpu = f"{1e6 * min(one.cpu for one in times) / readings:15.2f}"
        print(f"{name:23}{middle} {best} {cpu}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Readings per second into the store.")
    parser.add_argument("--seconds", type=int, default=1500, help="of a station of 20 channels")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="a folder on the disk")
    options = parser.parse_args()

    line_by_line()
    print(machine())
    print(f"{options.seconds * CHANNELS:,} readings, median of {options.rounds} rounds\n")
    compare(options.dir, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
