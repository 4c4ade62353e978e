"""What a store goes through while it is recorded: run as a program, see `crash_rig`.

    crash_life.py FOLDER MAX_SIZE DURABILITY STEPS [HOW]

It opens its store, appends, sends, seals and trims for some steps, closes it, does the same again,
and is killed. Who calls it again has it go on. Now and then a reader keeps checkpoints from their
end. HOW is what is special: OFF or NORMAL for `synchronous`, `faults` where the disk may refuse,
`salvage` if what a damaged store held is to be saved and sent before the end, or the table that is
damaged meanwhile, for that too.

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
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from random import Random
from typing import TypeVar

from crash_rig import SAID
from damage_rig import break_table, look_through

from pilogger.errors import StoreError
from pilogger.sample import Sample, Value
from pilogger.store import (
    Store,
    checkpoint,
    connection,
    eviction,
    numbers,
    open_reader,
    salvage,
    sealer,
    writer,
)
from pilogger.store.retention import Bounds
from pilogger.testing import FakeClock

NAME = "x.db"
BEGAN = 1_767_225_600  # where FakeClock is at second 100 of its boot
AMPLE, NARROW = 2_000_000, 1_160_000  # bytes, for `store.max_size`; 1 MB of that is slack

TRIES = 50  # until a disk that refuses something now and then has taken all of it
FAULTS, SALVAGE = "faults", "salvage"
CARELESS = ("OFF", "NORMAL")
DAMAGED = "damaged"

Got = TypeVar("Got")
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

    def __init__(self, folder: Path, durability: float, bounds: Bounds, may_fail: bool) -> None:
        self.path = folder / NAME
        self.may_fail = may_fail
        self._said = os.open(folder / SAID, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._durability = durability
        self._bounds = bounds
        told = [json.loads(line) for line in (folder / SAID).read_text().splitlines()]
        self.n = max((words[2] for words in told if words[0] == "try"), default=0)
        self._random = Random(self.n)

    def say(self, what: str, *numbers: int) -> None:
        os.write(self._said, json.dumps([what, *numbers]).encode() + b"\n")

    @property
    def tried(self) -> AbstractContextManager[object]:
        """What fails in this context is left as it is, where it may fail."""
        return suppress(StoreError) if self.may_fail else nullcontext()

    def _insist(self, do: Callable[[], Got]) -> Got:
        """Do it again where it fails, as the next start would."""
        for tried in range(TRIES):
            with self.tried:
                return do()
            for _ in range(tried % 7):  # else each try may fail at the same place
                with suppress(OSError):
                    os.fdatasync(self._said)
        return do()

    def open(self) -> None:
        durability, bounds = self._durability, self._bounds
        self.store = self._insist(
            lambda: Store.open(self.path, FakeClock(), durability=durability, bounds=bounds)
        )
        declare(self.store)
        self.outbox = self._insist(lambda: self.store.outbox("there"))

    def add(self, count: int) -> None:
        self.say("try", self.n, self.n + count, self.store.last + 1)
        self.store.append([sample(n) for n in range(self.n, self.n + count)])
        self.n += count
        committed = not self._durability and self.store.appender.committed == self.store.last
        self.say("flushed" if committed else "kept", self.store.last)

    def flush(self) -> None:
        self.store.flush()
        self.say("flushed", self.store.last)

    def send(self) -> bool:
        batch = self.outbox.take(50)
        if batch:
            numbers = sorted({point.seq for point in batch.points})
            self.say("sent", *numbers)
            self.outbox.settle(batch)
            self.say("settled", *numbers)
        return batch is not None

    def live(self, steps: int) -> None:
        """Append, send, seal and trim for a while."""
        reader = open_reader(self.path)
        for step in range(steps):
            with self.tried:
                self._step(step)
            if step % 10 == 2:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM meta").fetchone()
            if step % 10 == 7:
                reader.execute("ROLLBACK")
        reader.close()

    def _step(self, step: int) -> None:
        self.add(self._random.randrange(1, 12))
        if self._durability and self._random.random() < 0.2:
            self.flush()
        if step % 4 == 0:
            self.send()
        if step % 10 == 9:
            self.store.seal()
            self.store.trim()

    def close(self) -> None:
        with self.tried:
            self.store.close()
            self.say("flushed", self.store.last)


def main(folder: str, most: str, durability: str, steps: str, how: str = "") -> None:
    sealer.FULL, sealer.SHORT = 32, 16
    checkpoint.LONG = 20 * connection.PAGE
    numbers.RESERVE = 100
    eviction.BLOCKS = 4
    salvage.ROWS, salvage.BLOCKS = 32, 1
    if how in CARELESS:
        honest = connection.open_writer

        def careless(path: Path) -> sqlite3.Connection:
            opened = honest(path)
            opened.execute(f"PRAGMA synchronous = {how}")
            return opened

        vars(writer)["open_writer"] = careless
    life = Life(Path(folder), float(durability), Bounds(max_size=int(most)), how == FAULTS)
    life.open()
    life.live(int(steps))
    life.close()
    life.open()
    if how not in ("", FAULTS, SALVAGE, *CARELESS):
        life.may_fail = True
        life.say(DAMAGED)
        break_table(life.store, how, "PASSIVE")
    life.live(int(steps))
    if how not in ("", FAULTS, *CARELESS):
        look_through(life.store)
        life.store.salvage.join()
        while life.send():
            life.flush()
    with life.tried:
        life.add(5)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
