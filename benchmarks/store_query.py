"""How long do questions about a month take? The store beside other databases.

    python benchmarks/store_query.py [--days 30] [--rounds 15] [--dir /var/tmp]

One series at 1 Hz, two decimals: 2.6 million points in a month. Everybody has the same points
and is asked for count, mean, min and max of each hour, and for the points of one hour in the
middle; everybody has to give the same answers. Taken is the time until the caller has numbers
of Python in hand; caches are warm. Rounds are interleaved.

    store             `Store` and `History`, on one connection that stays open
    SQLite            one row per point, primary key (series, time), without rowid
    DuckDB, Parquet   a file with zstd, read anew for each question; two threads here
    InfluxDB          Debian's 1.6 over HTTP, one connection that stays open
    VictoriaMetrics   Debian's 1.79 the same way, its cache of answers left out

The bytes of a point are what lies on the disk, as `du` counts, after a pause for tidying up.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from math import isclose
from pathlib import Path
from statistics import median
from typing import Any

from common import line_by_line, machine
from history import BOOT, DAY, EPOCH, ONE, polls
from ours import Ours
from peer_servers import InfluxDB, VictoriaMetrics
from peers import HOUR_MS, DuckDB, Peer, PlainSQLite

START = (EPOCH + BOOT) // 1000

PEERS: dict[str, Callable[[Path], Peer]] = {
    "store": Ours,
    "SQLite": PlainSQLite,
    "DuckDB, Parquet": DuckDB,
    "InfluxDB": InfluxDB,
    "VictoriaMetrics": VictoriaMetrics,
}


def same(answer: Any, model: Any) -> bool:
    """Whether two answers are equal but for the last digits of a mean."""
    if isinstance(model, tuple | list):
        return len(answer) == len(model) and all(map(same, answer, model))
    return isclose(answer, model, rel_tol=1e-9)


def compare(folder: Path, length: int, rounds: int) -> None:
    """Load all, ask all in turn, print a table for each question."""
    end = START + 1000 * length
    middle = (START + end) // 2 // HOUR_MS * HOUR_MS
    questions: dict[str, Callable[[Peer], list[Any]]] = {
        "by hour": lambda peer: peer.by_hour(START, end),
        "one hour raw": lambda peer: peer.raw(middle, middle + HOUR_MS),
    }
    with ExitStack() as stack:
        peers: dict[str, Peer] = {}
        print("loaded           seconds   B/point")
        for name, make in PEERS.items():
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            peers[name] = peer = make(place)
            stack.callback(peer.close)
            start = time.perf_counter()
            peer.load(islice(polls(ONE), length))
            took = time.perf_counter() - start
            print(f"{name:15} {took:8.0f} {peer.size() / length:9.2f}")
        for question, ask in questions.items():
            model = ask(peers["SQLite"])
            wrong = [name for name, peer in peers.items() if not same(ask(peer), model)]
            assert not wrong, f"{question}: {wrong} answer otherwise than SQLite"
            took_ms: dict[str, list[float]] = {name: [] for name in peers}
            for _ in range(rounds):
                for name, peer in peers.items():
                    took_ms[name].append(timed(ask, peer))
            report(question, len(model), took_ms)


def timed(ask: Callable[[Peer], object], peer: Peer) -> float:
    """Ask once; return the milliseconds."""
    start = time.perf_counter()
    ask(peer)
    return 1000 * (time.perf_counter() - start)


def report(question: str, rows: int, took: dict[str, list[float]]) -> None:
    """Print a line for each; a ratio is how many times as long as the store it takes."""
    print(f"\n{f'{question}: {rows:,} rows':26} median ms    best ms   ratio of medians, bests")
    ours = took["store"]
    for name, each in took.items():
        print(
            f"{name:24} {median(each):11.2f} {min(each):10.2f}"
            f" {median(each) / median(ours):11.1f} {min(each) / min(ours):8.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Questions about a month of one series.")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="a folder on the disk")
    options = parser.parse_args()

    line_by_line()
    print(machine())
    print(f"{options.days * DAY:,} points of one series at 1 Hz, {options.rounds} rounds\n")
    compare(options.dir, options.days * DAY, options.rounds)


if __name__ == "__main__":
    main()
