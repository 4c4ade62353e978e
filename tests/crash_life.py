"""What a store goes through while it is recorded: run as a program, see `crash_rig`.

    crash_life.py FOLDER MAX_SIZE DURABILITY STEPS [SYNCHRONOUS]

It opens its store, appends, sends, seals and trims for some steps, closes it, does the same again,
and is killed. Who calls it again has it go on.

Everything is small, so that a short life has much in it: blocks of 32 samples, a checkpoint each
20 pages, numbers reserved by the hundred. Samples are numbered from 0, and a number alone says
what is in one: `readings` tells.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from pathlib import Path
from random import Random

from crash_rig import SAID

from pilogger.sample import Sample, Value
from pilogger.store import Store, checkpoint, connection, eviction, numbers, sealer, writer
from pilogger.store.retention import Bounds
from pilogger.testing import FakeClock

NAME = "x.db"
BEGAN = 1_767_225_600  # where FakeClock is at second 100 of its boot
AMPLE, NARROW = 2_000_000, 1_160_000  # bytes, for `store.max_size`; 1 MB of that is slack

Told = tuple[str, str, Value]
"""A series, its epoch as exact text, its value."""


def sample(n: int) -> Sample:
    boot = (100 + n) * 1_000_000
    if n % 5 == 0:
        return Sample("door", {"closed": n % 2 == 0}, boot)
    if n % 5 == 1:
        return Sample("event", {"": f"event {n}"}, boot, f"{BEGAN - n}.25")
    return Sample("air", {"temperature": 20 + n % 100 / 10, "humidity": n % 90}, boot)


def readings(n: int) -> list[Told]:
    """Tell what is to be read of a sample, for ever."""
    if n % 5 == 0:
        return [("door.closed", f"{BEGAN + n}", n % 2 == 0)]
    if n % 5 == 1:
        return [("event", f"{BEGAN - n}.25", f"event {n}")]
    at = f"{BEGAN + n}"
    return [("air.temperature", at, 20 + n % 100 / 10), ("air.humidity", at, n % 90)]


def declare(store: Store) -> None:
    store.declare("air", {"temperature": "Cel", "humidity": "%"})
    store.declare("door", {"closed": "1"})
    store.declare("event", {"": "1"})


class Life:
    """One store and what is promised of it."""

    def __init__(self, folder: Path, durability: float, bounds: Bounds) -> None:
        self.path = folder / NAME
        self._said = os.open(folder / SAID, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._durability = durability
        self._bounds = bounds
        told = [json.loads(line) for line in (folder / SAID).read_text().splitlines()]
        self.n = max((words[2] for words in told if words[0] == "try"), default=0)
        self._random = Random(self.n)

    def say(self, what: str, *numbers: int) -> None:
        os.write(self._said, json.dumps([what, *numbers]).encode() + b"\n")

    def open(self) -> None:
        self.store = Store.open(
            self.path, FakeClock(), durability=self._durability, bounds=self._bounds
        )
        declare(self.store)
        self.outbox = self.store.outbox("there")

    def add(self, count: int) -> None:
        self.say("try", self.n, self.n + count, self.store.last + 1)
        self.store.append([sample(n) for n in range(self.n, self.n + count)])
        self.n += count
        self.say("kept" if self._durability else "flushed", self.store.last)

    def flush(self) -> None:
        self.store.flush()
        self.say("flushed", self.store.last)

    def send(self) -> None:
        if batch := self.outbox.take(50):
            self.say("sent", batch.last)
            self.outbox.settle(batch)

    def live(self, steps: int) -> None:
        """Append, send, seal and trim for a while."""
        for step in range(steps):
            self.add(self._random.randrange(1, 12))
            if self._durability and self._random.random() < 0.2:
                self.flush()
            if step % 4 == 0:
                self.send()
            if step % 10 == 9:
                self.store.seal()
                self.store.trim()

    def close(self) -> None:
        self.store.close()
        self.say("flushed", self.store.last)


def main(folder: str, most: str, durability: str, steps: str, synchronous: str = "FULL") -> None:
    sealer.FULL, sealer.SHORT = 32, 16
    checkpoint.LONG = 20 * connection.PAGE
    numbers.RESERVE = 100
    eviction.BLOCKS = 4
    if synchronous != "FULL":
        honest = connection.open_writer

        def careless(path: Path) -> sqlite3.Connection:
            opened = honest(path)
            opened.execute(f"PRAGMA synchronous = {synchronous}")
            return opened

        vars(writer)["open_writer"] = careless
    life = Life(Path(folder), float(durability), Bounds(max_size=int(most)))
    life.open()
    life.live(int(steps))
    life.close()
    life.open()
    life.live(int(steps))
    life.add(5)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
