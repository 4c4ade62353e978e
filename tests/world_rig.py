"""A world that goes wrong by a schedule: a logger, a network, a hub, a clock and a disk."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from typing import Self

import logger_rig as rig
from oracle_process import Boot, Machine, context, log, receive
from oracle_rig import Evidence, Oracle
from proxy_rig import FAULTS, Proxy

from pilogger import status

PATIENCE_S = 120.0

DRIVER = """
from __future__ import annotations
import time
from typing import Annotated, NamedTuple
from pilogger.channel import Channel
class Reading(NamedTuple):
    at: Annotated[float, Channel("s", 0, 1e11)]
class Driver:
    def read(self) -> Reading:
        return Reading(time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e9)
"""


class World:
    """A logger, a network, a hub, a clock and a disk, which `live` lets go wrong.

    The seed says in which order. Some seeds bound the store, so that readings must go; the
    power is not cut in those, since how many went unsent cannot be known then.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.happened: Counter[str] = Counter()
        self.oracle = Oracle()
        self._random = Random(seed)
        self.bounded = seed % 3 == 0
        self._store, self._hub_store = folder / "pilogger.db", folder / "hub.db"
        self._folder = folder
        self._machine = Machine(
            folder / "pilogger.yaml", folder / "moved", folder / "synced", folder / "quiet"
        )
        self._lives = 0
        self._stack = ExitStack()
        self._logger: ForkServerProcess | None = None
        self._hub: ForkServerProcess | None = None
        self._hearing: threading.Thread | None = None
        self._hub_port = rig.free_port()

    def __enter__(self) -> Self:
        (self._folder / "drivers").mkdir()
        (self._folder / "drivers" / "moment.py").write_text(DRIVER)
        self._truth = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        self._proxy = self._stack.enter_context(Proxy(self._hub_port, self.oracle.accepted))
        self._stack.callback(self._end)
        self._configure()
        self._boot(right=True)
        self._start_hub()
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _end(self) -> None:
        for process in (self._logger, self._hub):
            if process:
                _kill(process)
        self._listen_to_the_end()

    # -- what goes wrong -------------------------------------------------------------------

    def live(self, faults: int) -> None:
        """Let so many things happen, one soon after the other."""
        what: list[Callable[[], None]] = [
            self._kill_logger, self._kill_logger, self._kill_hub, self._network, self._network,
            self._network, self._clock, self._disk, self._reload, self._stop_and_start,
        ]  # fmt: skip
        if not self.bounded:
            what.append(self._cut_power)
        for _ in range(faults):
            self._look_after()
            fault = self._random.choice(what)
            self.happened[fault.__name__.strip("_")] += 1
            fault()
            time.sleep(self._random.uniform(0, 0.6))

    def _look_after(self) -> None:
        """Start again who ended alone, as a service manager does."""
        if not self._alive():
            self.happened["ended alone"] += 1
            self._listen_to_the_end()
            self._start()
        if not (self._hub and self._hub.is_alive()):
            self.happened["ended alone"] += 1
            self._start_hub()

    def _kill_logger(self) -> None:
        self._logger_dies()
        self._start()

    def _cut_power(self) -> None:
        """Lose all that no flush had put on the disk: the journal, which is never synced."""
        self._logger_dies()
        for file in self._folder.glob("pilogger.db-fresh-*"):
            file.unlink()
        self.oracle.power_cut()
        self._boot(right=self._random.random() < 0.5)
        self._start()

    def _kill_hub(self) -> None:
        assert self._hub
        _kill(self._hub)
        time.sleep(self._random.choice((0, 0.5)))
        self._start_hub()

    def _network(self) -> None:
        self._proxy.turn(self._random.choice((*FAULTS, "lose", "lose", "through", "through")))

    def _clock(self) -> None:
        """NTP goes and somebody sets the clock, or NTP comes and sets it right."""
        if self._machine.synced.exists():
            self._machine.synced.unlink()
            self._move(round(self._random.uniform(-1e10, 1e10)))
        else:
            self._set_right()

    def _disk(self) -> None:
        """Let no file of the logger or of the hub grow, or let them grow again."""
        process = self._random.choice((self._logger, self._hub))
        assert process
        assert process.pid
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        soft = self._random.choice((1, most))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, most))

    def _reload(self) -> None:
        self._configure()
        self._signal(signal.SIGHUP)

    def _stop_and_start(self) -> None:
        self._stop()
        self._start()

    # -- the logger and its hub ------------------------------------------------------------

    def _configure(self) -> None:
        """Write another config: sensors come and go, and change their pace."""
        every = self._random.choice(("50ms", "100ms", "200ms"))
        sensors = {
            f"s{n}": {"driver": "moment", "every": every, "raw": True}
            for n in range(self._random.randrange(1, 5))
        }
        self._write(sensors, {"max_size": "10MB"} if self.bounded else {})

    def _write(self, sensors: Mapping[str, object], bounds: Mapping[str, object]) -> None:
        rig.configure(
            self._folder,
            self._proxy.port,
            driver_dirs=["drivers"],
            sensors=sensors,
            clock={"trust": "ntp", "unsynced": "send-marked"},
            store={
                "path": str(self._store),
                "durability": self._random.choice(("0s", "10s", "10s")),
                **bounds,
            },
        )

    def _start(self) -> None:
        self._lives += 1
        ours, theirs = context.Pipe(duplex=False)
        bulk = 3000 if self.bounded else 4
        seed = self.seed * 100_000 + self._lives
        self._logger = context.Process(
            target=log, args=(self._machine, self._boot_now, theirs, seed, bulk)
        )
        self._logger.start()
        theirs.close()
        self._hearing = threading.Thread(target=self._hear, args=(ours,), daemon=True)
        self._hearing.start()
        time.sleep(self._random.uniform(0, 0.3))  # what comes next may come in its midst

    def _hear(self, reports: Connection) -> None:
        with reports, suppress(EOFError, OSError):
            while True:
                self.oracle.hear(reports.recv())

    def _listen_to_the_end(self) -> None:
        if self._hearing:
            self._hearing.join(PATIENCE_S)
            assert not self._hearing.is_alive()

    def _logger_dies(self) -> None:
        assert self._logger
        _kill(self._logger)
        self._listen_to_the_end()

    def _stop(self) -> None:
        assert self._logger
        self._signal(signal.SIGTERM)
        self._logger.join(PATIENCE_S)
        self._listen_to_the_end()

    def _signal(self, number: int) -> None:
        """Send it to a logger that listens; one that has just begun would die of it."""
        assert self._logger
        assert self._logger.pid
        rig.eventually(lambda: status.ask(self._store) or not self._alive())
        if self._alive():
            os.kill(self._logger.pid, number)

    def _alive(self) -> bool:
        return self._logger is not None and self._logger.is_alive()

    def _start_hub(self) -> None:
        self._hub = context.Process(target=receive, args=(self._hub_port, self._hub_store))
        self._hub.start()

    # -- its clock -------------------------------------------------------------------------

    def _boot(self, *, right: bool) -> None:
        """Start the machine: its boot time begins, and nobody has told it the time yet."""
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
        self._boot_now = Boot(f"boot-{self._lives}", now)
        if right:
            self._set_right()
        else:
            self._machine.synced.unlink(missing_ok=True)
            self._move(self._random.choice((-1_795_000_000_000_000, -3_600_000_000, 60_000_000)))

    def _set_right(self) -> None:
        self._move(0)
        self._machine.synced.touch()

    def _move(self, microseconds: int) -> None:
        new = self._machine.moved.with_suffix(".new")
        new.write_text(str(microseconds))
        new.replace(self._machine.moved)

    # -- peace, and what must be true then ---------------------------------------------------

    def make_peace(self) -> float:
        """End every fault; returns the seconds until a reading of after that had arrived.

        A reload is part of it: who was killed three times in the midst of a request sets
        the destination aside for an hour, until a person asks for it.
        """
        self._proxy.turn("through")
        self._set_right()
        for process in (self._logger, self._hub):
            if process and process.pid and process.is_alive():
                _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
        self._look_after()
        self._signal(signal.SIGHUP)
        before, began = set(self.oracle.offered), time.monotonic()
        rig.eventually(lambda: self.oracle.acknowledged - before, PATIENCE_S)
        took = time.monotonic() - began
        self._machine.quiet.touch()
        self._write({"once": {"driver": "moment", "every": "1y", "raw": True}}, {})
        self._signal(signal.SIGHUP)
        rig.eventually(self._all_is_sent, PATIENCE_S)
        self._stop()
        assert self._logger
        assert self._logger.exitcode == 0
        assert self._hub
        self._hub.terminate()
        self._hub.join(PATIENCE_S)
        return took

    def _all_is_sent(self) -> bool:
        state = status.ask(self._store)
        quiet = state and [sensor["id"] for sensor in state["sensors"]] == ["once"]
        return bool(quiet and state and state["destinations"][0]["pending"] == 0)

    def evidence(self) -> Evidence:
        """Look at what is in the two stores now."""
        return Evidence.find(self._store, self._hub_store, self._truth)


def _kill(process: ForkServerProcess) -> None:
    process.kill()
    process.join(PATIENCE_S)
