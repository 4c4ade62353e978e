"""What the master test kills: a logger that tells what its store confirmed, and a hub.

They are forked from a server that has everything imported, so that a start takes no second.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from proxy_rig import POISON

from pilogger.agent import Agent
from pilogger.clock import SystemClock
from pilogger.config import load
from pilogger.daemon import Daemon
from pilogger.errors import ConfigError, PiloggerError, StoreError
from pilogger.hub.server import serve
from pilogger.sample import Sample, Value, series_key
from pilogger.service import Service
from pilogger.stopping import STOP, Signals
from pilogger.store import Store

VISITOR = "visitor"
CHANNELS = {"n": "1", "x": "1", "word": "1", "flag": "1"}
RETRY_S = 0.1

context = get_context("forkserver")
context.set_forkserver_preload(
    [
        "pilogger.daemon",
        "pilogger.hub",
        "pilogger.destinations.initialstate",
        "uvicorn.protocols.http.h11_impl",
    ]
)

Told = tuple[str, Any]
"""What a logger reports.

    ready    its store is open
    offered  readings that it is about to append
    taken    the same readings, which are confirmed now
    durable  the number of calls, since it is ready, that a flush has put on the disk
    quiet    its visitor logs no more
"""


class Reading(NamedTuple):
    """What the oracle knows of a reading; the epoch is None where the store derives it."""

    series: str
    value: Value
    epoch: str | None


class Boot(NamedTuple):
    """A start of the machine: its name, and CLOCK_BOOTTIME in microseconds when it began."""

    name: str
    began: int


class Machine(NamedTuple):
    """Files with which a test sets the clock of a machine while it runs."""

    config: Path
    moved: Path
    """Microseconds that the wall clock is off."""
    synced: Path
    """Exists while NTP says that the clock is right."""
    quiet: Path
    """Exists when the visitor is to log no more."""


class MovedClock(SystemClock):
    """The clock of a machine that boots when the test says so, and may be set wrong."""

    def __init__(self, machine: Machine, boot: Boot) -> None:
        super().__init__()
        self.boot_id = boot.name
        self._began = boot.began
        self._machine = machine

    def boot(self) -> int:
        return super().boot() - self._began

    def wall(self) -> int:
        return super().wall() + int(self._machine.moved.read_text())

    def synced(self) -> bool:
        return self._machine.synced.exists()

    def error(self) -> int | None:
        return 1000 if self.synced() else None

    def frequency(self) -> int:
        return 0


class Witness:
    """Stands before `Store.append`, and tells what is offered and what is confirmed."""

    def __init__(self, store: Store, reports: Connection) -> None:
        self._store = store
        self._append = store.append
        self._reports = reports
        self._telling = threading.Lock()
        self._taken = 0

    def append(self, samples: Sequence[Sample], *, once: bool = False) -> int:
        readings = [
            Reading(series_key(sample.sensor, channel), value, sample.epoch)
            for sample in samples
            for channel, value in sample.values.items()
        ]
        self.tell("offered", readings)
        taken = self._append(samples, once=once)
        self.tell("taken", readings)
        return taken

    def flush(self) -> None:
        with self._telling:
            before = self._taken
        self._store.flush()
        self.tell("durable", before)

    def tell(self, what: str, which: object) -> None:
        with self._telling:
            self._reports.send((what, which))
            self._taken += what == "taken"


def visit(witness: Witness, quiet: Path, seed: int, bulk: int) -> None:
    """Log readings with epochs of their own, of every kind of value; some are large or poison.

    What is not taken is offered again, ahead of all that is newer.
    """
    random, number, samples = Random(seed), 0, list[Sample]()
    while not quiet.exists():
        if not samples:
            count = random.choice((1, 1, 5, 50))
            samples = [_sample(random, f"{seed}.{number + n:09d}", bulk) for n in range(count)]
            number += count
        try:
            witness.append(samples)
        except StoreError:
            time.sleep(RETRY_S)
        else:
            samples = []
        time.sleep(random.uniform(0, 0.1))
    witness.tell("quiet", None)


def _sample(random: Random, when: str, bulk: int) -> Sample:
    """Make a sample whose epoch is like no other's, in one of the forms that epochs have."""
    word = random.choice(("ü", "\u2028", '"', "\\", "long ")) * random.randrange(1, 9)
    if random.random() < 0.002:
        word += POISON
    values: dict[str, Value] = {
        "n": random.choice((0, -(2**63), 2**63 - 1, random.getrandbits(40))),
        "x": random.choice((0.1 + 0.2, -0.0, 5e-324, 1.0, random.gauss(0, 1e300))),
        "word": word + random.randbytes(bulk).hex(),
        "flag": random.random() < 0.5,
    }
    epoch = random.choice((f"{when}", f"-{when}", f"{when}123", f"{when}e3"))
    return Sample(VISITOR, values, 0, epoch)


def aloud(words: Connection, work: Callable[..., None], *arguments: object) -> None:
    """Do the work of a command, and say into a pipe what a command says, and with which code."""
    for stream in (1, 2):
        os.dup2(words.fileno(), stream)
    faulthandler.enable(2)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    try:
        work(*arguments)
    except ConfigError as error:
        logging.critical(error)
        sys.exit(2)
    except PiloggerError as error:
        sys.exit(f"pilogger: {error}")


def log(reports: Connection, machine: Machine, boot: Boot, seed: int, bulk: int) -> None:
    """Be `pilogger run`, with that clock, and a visitor who appends beside the sensors."""
    signals = Signals(signal.SIGHUP, *STOP)
    agent = Agent(load(machine.config), MovedClock(machine, boot))
    witness = Witness(agent.store, reports)
    setattr(agent.store, "append", witness.append)  # noqa: B010 - the recorder calls it, too
    reports.send(("ready", None))
    agent.start()
    agent.store.declare(VISITOR, CHANNELS)
    threading.Thread(target=visit, args=(witness, machine.quiet, seed, bulk), daemon=True).start()
    threading.Thread(target=_flush, args=(witness, seed), daemon=True).start()
    try:
        Daemon(agent, machine.config, Service({}), None).attend(signals)
    finally:
        agent.stop()
    if not agent.complete:
        raise StoreError("not everything is stored")


def _flush(witness: Witness, seed: int) -> None:
    random = Random(seed)
    while True:
        time.sleep(random.uniform(0, 2))
        with suppress(StoreError):
            witness.flush()


def receive(port: int, store: Path) -> None:
    """Be `pilogger hub`."""
    serve("127.0.0.1", port, store, announce=lambda _: None)
