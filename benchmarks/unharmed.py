"""How soon all is well again: after a start, after an outage, after a week without a network.

    python benchmarks/unharmed.py [--readings 12096000] [--rounds 5] [--outage 20]
        [--order oldest_first live_first]

start    a `pilogger run` of 20 channels: seconds from the call to the first reading that survives
         kill -9 (it is in the journal), and with `durability: 0s` to the first on the disk
link     an outage, then the sink is back: seconds to the first reading that arrives; the uploader
         is alone in this process
drain    a week of backlog, 20 channels at 1 Hz, is sent while they go on being polled: readings
         per second, and how old a reading is when it has arrived. With `oldest_first` a live
         reading waits for the backlog before it, with `live_first` for one request of it: told
         apart are those taken while it lasted, and those taken afterwards
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain, cycle, islice
from math import inf, nan
from pathlib import Path
from statistics import median, quantiles
from typing import get_args

import sink
from common import free_port, line_by_line, machine
from history import DECIMAL, READINGS, declare, polls

from pilogger.clock import SystemClock
from pilogger.destinations import Accepted, Outcome
from pilogger.destinations.initialstate import Bucket, InitialState
from pilogger.sample import Point, Sample
from pilogger.store import Order, Store, open_reader
from pilogger.uploader import Uploader

CALL = 300  # polls that are appended together, while the backlog is made
PATIENCE_S = 600.0
ORDERS = get_args(Order)
LOOK_S = 0.01


def uploader(store: Store, port: int, clock: SystemClock) -> Uploader:
    place = InitialState("key", Bucket("unharmed"), f"http://127.0.0.1:{port}")
    return Uploader(place, store.outbox("sink"), clock, "sink")


# -- a start ---------------------------------------------------------------------------------


def first_reading(folder: Path, durability: str) -> float:
    """Start a logger; return the seconds until it has a reading that is durable."""
    sensors = "".join(f"  s{n}: {{driver: simulated, every: 1s}}\n" for n in range(READINGS))
    config, store = folder / "pilogger.yaml", folder / "pilogger.db"
    config.write_text(
        f"sensors:\n{sensors}store: {{path: pilogger.db, durability: {durability}}}\n"
        "clock: {trust: system}\n"
    )
    on_disk = durability == "0s"
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "pilogger", "run", "--config", config]) as running:
        while not (is_committed(store) if on_disk else is_in_journal(store)):
            time.sleep(LOOK_S)
        took = time.perf_counter() - began
        running.send_signal(signal.SIGTERM)
    return took


def is_in_journal(store: Path) -> bool:
    with suppress(OSError):
        return b'"sample"' in store.with_name("pilogger.db-fresh-0").read_bytes() + (
            store.with_name("pilogger.db-fresh-1").read_bytes()
        )
    return False


def is_committed(store: Path) -> bool:
    with suppress(Exception), closing(open_reader(store)) as db:
        return bool(db.execute("SELECT 1 FROM sample LIMIT 1").fetchone())
    return False


# -- a link that comes back --------------------------------------------------------------------


def first_upload(folder: Path, outage: float) -> float:
    """Log while nobody listens; return the seconds from the sink's start to the first reading.

    That the sink's process takes a moment to listen is in it.
    """
    clock, port = SystemClock("system"), free_port()
    with closing(Store.open(folder / "pilogger.db", clock)) as store:
        store.declare("sensor", {"value": "1"})
        sender = uploader(store, port, clock)
        sender.start()
        until = time.monotonic() + outage
        while time.monotonic() < until:
            store.append([Sample("sensor", {"value": 1}, clock.boot())])
            time.sleep(0.1)
        began = time.monotonic()
        with sink.running(port):
            while not sender.outbox.sent and time.monotonic() < began + PATIENCE_S:
                time.sleep(LOOK_S)
            took = time.monotonic() - began
            sender.stop(1)
    return took


# -- a week of backlog -------------------------------------------------------------------------


def fill(store: Store, readings: int) -> None:
    """Append and seal a backlog."""
    hour = list(islice(polls(DECIMAL, start=0), 3600))
    declare(store, hour[0])
    rest, boot = cycle(hour), 0
    for _ in range(readings // READINGS // CALL):
        calls = list(chain.from_iterable(islice(rest, CALL)))
        store.append([Sample(it.sensor, it.values, boot) for it in calls])
        boot += CALL
        store.seal()


def live(store: Store, clock: SystemClock, hour: Iterator[list[Sample]]) -> None:
    store.append([Sample(it.sensor, it.values, clock.boot()) for it in next(hour)])


class Noting:
    """Sends on, and notes when what was accepted arrived: how much of a backlog, and what else.

    The backlog is what has numbers up to `last`.
    """

    def __init__(self, place: InitialState, last: int) -> None:
        self.limit = place.limit
        self.close = place.close
        self.backlog = 0
        self.arrived: dict[int, float] = {}
        self._place, self._last = place, last

    def send(self, points: Sequence[Point]) -> Outcome:
        outcome = self._place.send(points)
        if isinstance(outcome, Accepted):
            mixed = points[-1].seq > self._last
            live = [point.seq for point in points if point.seq > self._last] if mixed else []
            self.arrived |= dict.fromkeys(live, time.monotonic())
            self.backlog += len(points) - len(live)
        return outcome


def drain(store: Store, clock: SystemClock, port: int, order: Order, after: float) -> None:
    """Send all that is stored while readings are taken; print rates and ages."""
    hour = cycle(islice(polls(DECIMAL), 3600))
    outbox = store.outbox(order, order=order)
    readings, taken = outbox.pending(), list[tuple[int, float]]()
    place = Noting(InitialState("key", Bucket(order), f"http://127.0.0.1:{port}"), store.last)
    sender = Uploader(place, outbox, clock, order)
    began = next_poll = time.monotonic()
    drained = None
    sender.start()
    while drained is None or time.monotonic() < drained + after:
        now = time.monotonic()
        if now >= next_poll:
            live(store, clock, hour)
            taken.append((store.last, now))
            next_poll += 1
        if drained is None and place.backlog >= readings:
            drained, rate = now, outbox.sent / (now - began)
            print(f"  {order}: {rate:,.0f} readings/s, drained in {now - began:.0f} s")
        time.sleep(LOOK_S)
    sender.drain(PATIENCE_S)
    sender.stop(1)
    store.forget(outbox)
    for during, when in ((True, "while the backlog lasted"), (False, "afterwards")):
        ages = [place.arrived.get(last, inf) - at for last, at in taken if (at < drained) is during]
        p95 = quantiles(ages, n=20)[-1] if len(ages) > 1 else nan
        print(f"    age on arrival of readings taken {when}: p95 {p95:.2f} s, of {len(ages)} polls")


def main() -> None:
    parser = argparse.ArgumentParser(description="How soon all is well again.")
    parser.add_argument("--readings", type=int, default=7 * 86_400 * READINGS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--outage", type=float, default=20.0, help="seconds")
    parser.add_argument("--order", nargs="+", choices=ORDERS, default=ORDERS)
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="a folder on the disk")
    options = parser.parse_args()

    line_by_line()
    print(machine())
    rounds = range(options.rounds)
    with tempfile.TemporaryDirectory(dir=options.dir) as scratch:

        def folder() -> Path:
            return Path(tempfile.mkdtemp(dir=scratch))

        for durability, where in (("10s", "in the journal"), ("0s", "on the disk")):
            took = sorted(first_reading(folder(), durability) for _ in rounds)
            print(f"start  first reading {where}: {median(took):.2f} s, at most {took[-1]:.2f} s")
        took = sorted(first_upload(folder(), options.outage) for _ in rounds)
        print(f"link   first upload: {median(took):.2f} s, at most {took[-1]:.2f} s")
        print(f"drain  (load {os.getloadavg()[0]:.1f})")
        clock = SystemClock("system")
        with sink.running() as place, closing(Store.open(folder() / "x.db", clock)) as store:
            began = time.monotonic()
            fill(store, options.readings)
            print(f"  {store.stored:,} readings stored in {time.monotonic() - began:.0f} s")
            for order in options.order:
                drain(store, clock, int(place.url.rpartition(":")[2]), order, after=20)


if __name__ == "__main__":
    main()
