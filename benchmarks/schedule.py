"""How late are polls, and do they drift? 20 sensors at 1 Hz, idle and with a busy disk.

    python benchmarks/schedule.py [--for 60] [--dir /var/tmp]

Half of the sensors share one bus, half have a worker each; a read takes 1 ms, as two small
I2C transfers at 100 kHz do, and all are due at the same moment: the last one of the bus
waits for nine others. Beside them, half a second apart, runs the peer: the loop that
everybody writes first, `while True: read(); sleep(1)`, one thread for each of 20 sensors.

Every poll is noted by its own driver. It is late by the time since start + n * 1 s; the
first one of each sensor, which builds its driver, is left out. Drift is how much later the
last five polls of a sensor were than its first five, the worst of all sensors.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Annotated, NamedTuple

from pilogger.bus import Kind
from pilogger.channel import Channel
from pilogger.scheduler import Declare, Probe, Record, Scheduler

SENSORS = 20
EVERY_S = 1.0
READ_S = 0.001
FILE_BYTES = 64 << 20
FILES = 4  # the disk is kept busy with at most FILES * FILE_BYTES

Begun = dict[str, list[float]]


class Reading(NamedTuple):
    value: Annotated[float, Channel("1")]


class Chip:
    """Answers after a millisecond, and notes when it was asked."""

    def __init__(self, begun: list[float]) -> None:
        self.begun = begun

    def read(self) -> Reading:
        self.begun.append(time.monotonic())
        time.sleep(READ_S)
        return Reading(1.0)


def ours(begun: Begun, record: Record, declare: Declare) -> Scheduler:
    """Make a scheduler of ten sensors on one bus and ten without one."""
    wire = Kind("bench", 1, lambda name: name)

    def probe(name: str, kind: Kind | None) -> Probe:
        return Probe(name, lambda _bus: Chip(begun[name]), EVERY_S, kind)

    half = range(SENSORS // 2)
    probes = [probe(f"own-{n}", None) for n in half] + [probe(f"bus-{n}", wire) for n in half]
    return Scheduler(probes, record, declare)


def forget(*_: object) -> None:
    """Take what the scheduler gives, and do nothing with it."""


def naive(begun: list[float], stopping: Event) -> None:
    """Poll as the first program of everybody does."""
    chip = Chip(begun)
    while not stopping.is_set():
        chip.read()
        time.sleep(EVERY_S)


def measure(seconds: float, record: Record = forget, declare: Declare = forget) -> Begun:
    """Run both for some seconds; return when each poll began, in seconds since the start."""
    begun: Begun = defaultdict(list)
    stopping = Event()
    threads = [
        Thread(target=naive, args=(begun[f"naive-{n}"], stopping), daemon=True)
        for n in range(SENSORS)
    ]
    scheduler = ours(begun, record, declare)
    start = time.monotonic()
    scheduler.start()
    time.sleep(EVERY_S / 2)
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    scheduler.stop()
    stopping.set()
    for thread in threads:
        thread.join()
    shift = {"naive": EVERY_S / 2}
    return {
        name: [moment - start - shift.get(name.partition("-")[0], 0) for moment in moments]
        for name, moments in begun.items()
    }


def fill(folder: str) -> None:
    """Write and sync big files for ever."""
    block = os.urandom(1 << 20)
    while True:
        for number in range(FILES):
            with Path(folder, f"{number}.bin").open("wb") as file:
                for _ in range(FILE_BYTES >> 20):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())


@contextmanager
def busy_disk(folder: Path) -> Iterator[None]:
    """Keep the disk under a folder busy with another process."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        writer = get_context("spawn").Process(target=fill, args=(scratch,), daemon=True)
        writer.start()
        try:
            yield
        finally:
            writer.kill()
            writer.join()


def report(disk: str, begun: Begun) -> None:
    """Print a line for each kind of sensor; times in milliseconds."""
    for kind in ("own", "bus", "naive"):
        rows = [moments[1:] for sensor, moments in begun.items() if sensor.startswith(kind)]
        late = [[1000 * (moment % EVERY_S) for moment in row] for row in rows]
        ranked = sorted(value for row in late for value in row)
        drift = max(median(row[-5:]) - median(row[:5]) for row in late)
        p50, p99 = ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.99)]
        figures = f"{p50:9.2f} {p99:9.2f} {ranked[-1]:9.2f} {drift:9.2f}"
        print(f"{disk:6} {kind:6} {len(ranked):6} {figures}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Lateness and drift of the scheduler.")
    parser.add_argument("--for", dest="seconds", type=float, default=60, help="seconds per run")
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="a folder on the disk")
    options = parser.parse_args()

    print(f"{SENSORS} sensors at 1 Hz for {options.seconds:g} s; lateness and drift in ms")
    print("disk   worker  polls       p50       p99       max     drift")
    report("idle", measure(options.seconds))
    with busy_disk(options.dir):
        report("busy", measure(options.seconds))


if __name__ == "__main__":
    main()
