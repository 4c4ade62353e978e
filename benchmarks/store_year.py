"""Questions about a year of one series: how long they take, and how much memory.

    python benchmarks/store_year.py [--days 365] [--rounds 15] [--file KEPT] [--dir /var/tmp]

31.5 million points at 1 Hz are appended and sealed, which takes a while: `--file` names a
store to keep, which is made where there is none. Each question is asked in a process of its
own, on a connection that stays open: medians and bests of all rounds, with warm caches. Memory
is the peak of that process above what it held before it was asked (VmHWM, proc(5)).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from common import alone, line_by_line, machine
from history import BOOT, DAY, EPOCH, ONE, polls
from ours import CHANNEL, SENSOR, fill

from pilogger.periods import Interval, edges
from pilogger.sample import series_key
from pilogger.series import History, find
from pilogger.store import open_reader

SECOND = 1_000_000_000
START = (EPOCH + BOOT) * 1000
LOCAL = ZoneInfo("Europe/London")

Question = Callable[[History, int, int], int]
"""Asks for one series up to an end; returns how many rows came."""


class Cost(NamedTuple):
    """What a question cost: milliseconds of each round, and megabytes."""

    rows: int
    took: list[float]
    peak: float


def every(text: str) -> Question:
    """Ask for the statistics of each local period."""
    interval = Interval.parse(text)
    assert interval is not None

    def ask(history: History, series: int, end: int) -> int:
        periods = list(edges(START, end, interval, LOCAL))
        return sum(1 for _ in history.rollup(series, periods))

    return ask


def summary(history: History, series: int, end: int) -> int:
    return int(history.summary(series, START, end) is not None)


def hour_raw(history: History, series: int, end: int) -> int:
    middle = (START + end) // 2
    return len(list(history.read(series, middle, middle + 3600 * SECOND)))


def all_raw(history: History, series: int, end: int) -> int:
    return sum(1 for _ in history.read(series, START, end))


QUESTIONS: dict[str, Question] = {
    "by local day": every("1day"),
    "by local hour": every("1hour"),
    "by local month": every("1month"),
    "summary": summary,
    "one hour raw": hour_raw,
    "all raw, one by one": all_raw,
}
ONCE = {"all raw, one by one"}


def ask(path: Path, name: str, days: int, rounds: int) -> Cost:
    """Ask one question in this process."""
    with closing(open_reader(path)) as db:
        (found,) = find(db, keys=[series_key(SENSOR, CHANNEL)])
        history, end = History(db), START + days * DAY * SECOND
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        took = []
        for _ in range(1 if name in ONCE else rounds + 1):
            start = time.perf_counter()
            rows = QUESTIONS[name](history, found.id, end)
            took.append(1000 * (time.perf_counter() - start))
        return Cost(rows, took[1:] or took, memory("VmHWM") - before)


def memory(what: str) -> float:
    """Ask the kernel for a figure of this process, in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(what))


def main() -> None:
    parser = argparse.ArgumentParser(description="Questions about a year of one series.")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--file", type=Path, help="a store of so many days that is kept")
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="a folder on the disk")
    options = parser.parse_args()
    length = options.days * DAY

    line_by_line()
    print(machine())
    with tempfile.TemporaryDirectory(dir=options.dir) as scratch:
        path = options.file or Path(scratch, "year.db")
        if not path.exists():
            start = time.perf_counter()
            fill(path, islice(polls(ONE), length))
            print(f"{length:,} points stored and sealed in {time.perf_counter() - start:.0f} s")
        print(f"{path.stat().st_size / length:.2f} bytes on the disk per point\n")
        print(f"{options.days} days{'':14}   rows  median ms    best ms    peak MB")
        for name in QUESTIONS:
            cost = alone(ask, path, name, options.days, options.rounds)
            figures = f"{median(cost.took):10.2f} {min(cost.took):10.2f} {cost.peak:10.1f}"
            print(f"{name:20} {cost.rows:10,} {figures}")


if __name__ == "__main__":
    main()
