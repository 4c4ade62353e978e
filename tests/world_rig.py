"""A world that goes wrong by a schedule: a logger, a network, a hub, a clock and a disk."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Self

import card_rig
import logger_rig as rig
from life_rig import Life
from oracle_process import Boot, Machine, Told, log, receive
from oracle_rig import Evidence, Oracle
from proxy_rig import FAULTS, Proxy

from pilogger import status

PATIENCE_S = 120.0
SETTLED_S = 1.5  # in which a store has its ballast

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

    The seed says in which order. In some seeds readings must go, as the store is bounded and
    the card gets full; the power is not cut in those, and the card does not fail, since how
    many went unsent cannot be known then. Where no card can be mounted, calls fail instead.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.happened: Counter[str] = Counter()
        self.oracle = Oracle()
        self.bounded = seed % 3 == 0
        self._random = Random(seed)
        self._folder = folder
        self._machine = Machine(
            folder / "pilogger.yaml", folder / "moved", folder / "synced", folder / "quiet"
        )
        self._lives = 0
        self._stack = ExitStack()
        self._hub_port = rig.free_port()

    def __enter__(self) -> Self:
        (self._folder / "drivers").mkdir()
        (self._folder / "drivers" / "moment.py").write_text(DRIVER)
        self._truth = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        self._card = card_rig.find(self._folder)
        if self._card.missing:
            self.happened[self._card.missing] += 1
        self._stack.enter_context(self._card)
        self._store = self._card.place / "pilogger.db"
        self._hub_store = self._folder / "hub.db"
        self._proxy = self._stack.enter_context(Proxy(self._hub_port, self.oracle.accepted))
        self._configure()
        self._boot(right=True)
        self._start_hub()
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            self._hub.kill()
            self._logger.kill()

    # -- what goes wrong -------------------------------------------------------------------

    def live(self, faults: int) -> None:
        """Let so many things happen, one soon after the other."""
        what: list[Callable[[], None]] = [
            self._kill_logger, self._kill_logger, self._kill_hub, self._network, self._network,
            self._network, self._clock, self._no_growth, self._reload, self._stop_and_start,
        ]  # fmt: skip
        cuts = [self._cut_power, self._read_only_card]
        what += [self._full_card] * 3 if self.bounded else cuts
        for _ in range(faults):
            self._look_after()
            fault = self._random.choice(what)
            self.happened[fault.__name__.strip("_")] += 1
            fault()
            time.sleep(self._random.uniform(0, 0.6))

    def _look_after(self) -> None:
        """Start again who gave up because of its disk, as a service manager does."""
        if not self._logger.alive:
            self.happened["gave up"] += 1
            self._logger.end()
            self._start()
        if not self._hub.alive:
            self.happened["gave up"] += 1
            self._hub.end()
            self._start_hub()

    def _kill_logger(self) -> None:
        self._logger.kill()
        self._start()

    def _cut_power(self) -> None:
        """Lose all that no flush had put on the disk: the journal, which is never synced."""
        self._logger.kill()
        if self._card.read_only or self._random.random() < 0.5:
            self._card.pull()
        else:
            for file in self._store.parent.glob("pilogger.db-fresh-*"):
                file.unlink()
        self.oracle.power_cut()
        self._boot(right=self._random.random() < 0.5)
        self._start()

    def _kill_hub(self) -> None:
        self._hub.kill()
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

    def _no_growth(self) -> None:
        """Let no file of the logger or of the hub grow, or let them grow again."""
        process = self._random.choice((self._logger, self._hub))
        process.let_files_grow(self._random.random() < 0.5)

    def _full_card(self) -> None:
        """Let others fill the card, or leave it again."""
        if self._card.full:
            self._card.clear()
        else:
            self._logger.sick = True
            time.sleep(self._random.choice((0, SETTLED_S)))
            self._card.fill(self._logger.pid)

    def _read_only_card(self) -> None:
        """Let the card turn read-only, as the kernel does where it fails; a new start heals it."""
        if self._card.read_only:
            self._cut_power()
        else:
            self._logger.sick = True
            self._card.turn_read_only(self._logger.pid)

    def _reload(self) -> None:
        self._configure()
        self._ask(signal.SIGHUP)

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
        self._told = words = set[str]()

        def hear(told: Told) -> None:
            self.oracle.hear(told)
            words.add(told[0])

        bulk = 8000 if self.bounded else 4
        seed = self.seed * 100_000 + self._lives
        said, sick = (
            self._folder / f"logger-{self._lives}.txt",
            self._card.full | self._card.read_only,
        )
        self._logger = Life(
            said, log, self._machine, self._boot_now, seed, bulk, hear=hear, sick=sick
        )
        time.sleep(self._random.uniform(0, 0.3))  # what comes next may come in its midst

    def _start_hub(self) -> None:
        self._lives += 1
        said = self._folder / f"hub-{self._lives}.txt"
        self._hub = Life(said, receive, self._hub_port, self._hub_store)

    def _stop(self) -> None:
        self._ask(signal.SIGTERM)
        self._logger.end()

    def _ask(self, number: signal.Signals) -> None:
        """Send a signal to a logger that listens; one that has just begun would die of it."""
        rig.eventually(lambda: "ready" in self._told or not self._logger.alive)
        self._logger.ask(number)

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
        self._logger.let_files_grow()
        self._hub.let_files_grow()
        if self._card.full:
            self._card.clear()
        if self._card.read_only:
            self._cut_power()
            self._set_right()
        before, began = set(self.oracle.offered), time.monotonic()
        rig.eventually(self._is_well, PATIENCE_S)
        self._ask(signal.SIGHUP)
        rig.eventually(lambda: self.oracle.acknowledged - before, PATIENCE_S)
        took = time.monotonic() - began
        self._machine.quiet.touch()
        self._write({"once": {"driver": "moment", "every": "1y", "raw": True}}, {})
        self._ask(signal.SIGHUP)
        for _ in range(3):
            rig.eventually(self._all_is_sent, PATIENCE_S)
            self._stop()
            if self._logger.is_well:
                break
            self._start()  # the disk was slow: this one commits what that one journaled
        assert self._logger.is_well
        self._hub.ask(signal.SIGTERM)
        self._hub.end()
        return took

    def _is_well(self) -> bool:
        self._look_after()
        state = status.ask(self._store)
        return bool(state and not state["store"]["trouble"])

    def _all_is_sent(self) -> bool:
        if "quiet" not in self._told or not (state := status.ask(self._store)):
            return False
        polled = [(sensor["id"], sensor["samples"]) for sensor in state["sensors"]]
        waiting = state["store"]["waiting"] + state["destinations"][0]["pending"]
        return polled == [("once", 1)] and waiting == 0

    def evidence(self) -> Evidence:
        """Look at what is in the two stores now."""
        return Evidence.find(self._store, self._hub_store, self._truth)
