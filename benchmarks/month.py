"""A month in minutes, and whether anything grows in it that should not.

    python benchmarks/month.py [--days 30] [--every 1] [--dir /var/tmp]

A fake clock, a real store, a real uploader that speaks HTTP to a sink in a process of its own.
20 channels are polled each second. Each day the sink is away for some hours, once for five days;
each day the machine reboots, its clock unknown for five minutes; each week the config is read
again and its bounds are others. Polls come in calls of five minutes, each of which is committed,
sent, sealed and trimmed as it would be in time.

After each day: what the process holds, what the files take, and whether every reading that was
taken is sent, waits, or was counted when it went.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import sink
from common import free_port, line_by_line, machine
from history import DECIMAL, HOUR, READINGS, declare, polls
from store_year import memory

from pilogger.destinations.initialstate import Bucket, InitialState
from pilogger.sample import Sample
from pilogger.series import count
from pilogger.store import Bounds, Store, evicted, open_reader, size
from pilogger.testing import FakeClock
from pilogger.uploader import Uploader

DAY_S = 86_400
CALL_S = 300
NEVER_S = 1e9  # the store's own window: commits come from here
UNSYNCED_S = 300  # after a reboot
OFF_S = 60.0
AWAY_DAYS = range(16, 21)  # the sink, all day
MB = 1_000_000
BOUNDS = (
    Bounds(keep=7 * DAY_S),
    Bounds(max_size=40 * MB),
    Bounds(max_size=12 * MB),
    Bounds(keep=3 * DAY_S, max_size=40 * MB, when_full="thin"),
)
"""Of each week."""


class Day(NamedTuple):
    """How it was after a day: megabytes, descriptors; readings since the first day."""

    day: int
    took: float
    rss: float
    files: int
    size: float
    bound: float
    taken: int
    sent: int
    pending: int
    gone: int
    unsent: int
    kept: int
    arrived: int

    @property
    def adds_up(self) -> bool:
        """Whether each reading is there, or counted as gone; and sent, waiting or unsent."""
        there = self.kept + self.gone == self.taken and self.arrived == self.sent
        return there and self.sent + self.pending + self.unsent == self.taken

    def __str__(self) -> str:
        cap = f"{self.bound:6.0f}" if self.bound else "     -"
        return (
            f"{self.day:3} {self.took:6.0f} {self.rss:7.1f} {self.files:5} {self.size:7.1f} {cap}"
            f" {self.taken:11,} {self.sent:11,} {self.pending:10,} {self.gone:11,}"
            f" {self.unsent:9,} {'yes' if self.adds_up else 'NO':>5}"
        )


HEAD = (
    f"{'day':>3} {'took s':>6} {'RSS MB':>7} {'files':>5} {'MB':>7} {'cap':>6}"
    f" {'taken':>11} {'sent':>11} {'pending':>10} {'went':>11} {'unsent':>9} adds up"
)


class Life:
    """A logger through many days; `every` seconds it polls, `bounds` are those of each week."""

    _store: Store
    _uploader: Uploader
    _limits: Bounds

    def __init__(
        self, folder: Path, every: int, bounds: tuple[Bounds, ...] = BOUNDS, seed: int = 0
    ) -> None:
        self._path = folder / "pilogger.db"
        self._every = every
        self._bounds = bounds
        self._random = Random(seed)
        self._clock = FakeClock()
        self._port = free_port()
        self._arrived = self._taken = self._boots = 0
        hour = list(islice(polls(DECIMAL), HOUR // every))
        self._polls = cycle(hour)
        self._first = hour[0]
        self._sink: sink.Sink | None = None
        self._serving = ExitStack()
        self._open()

    def days(self, number: int) -> Iterator[Day]:
        """Live through so many days."""
        with self._serving:
            for day in range(number):
                began = time.perf_counter()
                self._live(day)
                yield self._look(day + 1, time.perf_counter() - began)
            self._close()

    # -- a day -----------------------------------------------------------------------------

    def _live(self, day: int) -> None:
        calls = DAY_S // CALL_S
        away = self._random.randrange(calls)
        gone_for = range(away, away + self._random.randrange(6, 72))
        reboot = self._random.randrange(calls)
        for call in range(calls):
            self._serve(day not in AWAY_DAYS and call not in gone_for)
            if call == reboot:
                self._reboot()
            if call == 0 and day % 7 == 0:
                self._reload(self._bounds[day // 7 % len(self._bounds)])
            self._poll()
            self._upload()
            self._store.seal()
            self._store.trim()

    def _poll(self) -> None:
        samples = []
        for poll in islice(self._polls, CALL_S // self._every):
            now = self._clock.boot()
            samples += [Sample(it.sensor, it.values, now + it.boot % 1_000_000) for it in poll]
            self._clock.advance(self._every)
        self._taken += self._store.append(samples)
        self._store.tend_clock()
        if not self._clock.synced() and self._clock.monotonic() > UNSYNCED_S:
            self._clock.ntp()

    def _upload(self) -> None:
        """Do all that the uploader would do by now."""
        until = self._clock.monotonic()
        while (pause := self._uploader.step()) < 1 and self._clock.monotonic() < until + 5:
            self._clock.advance(max(pause, 0.01))

    # -- what happens to it ----------------------------------------------------------------

    def _serve(self, up: bool) -> None:
        if up and not self._sink:
            self._sink = self._serving.enter_context(sink.running(self._port))
        elif not up and self._sink:
            self._arrived += self._sink.taken()
            self._sink = None
            self._serving.close()

    def _reboot(self) -> None:
        self._close()
        self._boots += 1
        self._clock = self._clock.reboot(f"boot-{self._boots + 1}", off=OFF_S)
        self._open()

    def _reload(self, bounds: Bounds) -> None:
        """Do what SIGHUP does: other bounds, and a destination that is another one now."""
        self._uploader.stop(1)
        self._store.forget(self._uploader.outbox)
        self._begin_to_send()
        self._limits = bounds
        self._store.keeper.limit(bounds)

    def _open(self) -> None:
        self._limits = self._bounds[0] if not self._boots else self._limits
        self._store = Store.open(
            self._path, self._clock, durability=NEVER_S, bounds=self._limits._replace(keep=None)
        )
        declare(self._store, self._first)
        self._begin_to_send()
        self._store.keeper.limit(self._limits)

    def _begin_to_send(self) -> None:
        place = InitialState("key", Bucket("month"), f"http://127.0.0.1:{self._port}")
        outbox = self._store.outbox("sink")
        self._uploader = Uploader(place, outbox, self._clock, "sink", Random(0))

    def _close(self) -> None:
        self._uploader.stop(1)
        self._store.close()

    # -- how it is -------------------------------------------------------------------------

    def _look(self, day: int, took: float) -> Day:
        self._store.flush()
        if self._sink:
            self._arrived += self._sink.taken()
        with closing(open_reader(self._path)) as db:
            gone, kept = evicted(db).values(), count(db)
        return Day(
            day=day,
            took=took,
            rss=memory("VmRSS"),
            files=len(list(Path("/proc/self/fd").iterdir())),
            size=size(self._path) / MB,
            bound=(self._limits.max_size or 0) / MB,
            taken=self._taken,
            sent=self._uploader.outbox.sent,
            pending=self._uploader.outbox.pending(),
            gone=sum(it["readings"] for it in gone),
            unsent=sum(it["unsent"] for it in gone) - self._store.keeper.under_way.readings,
            kept=kept,
            arrived=self._arrived,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="A month in minutes: what grows?")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--every", type=int, default=1, help="seconds between two polls")
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="a folder on the disk")
    options = parser.parse_args()

    line_by_line()
    print(machine())
    print(f"{READINGS} channels each {options.every} s for {options.days} days\n\n{HEAD}")
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        days = []
        for day in Life(Path(folder), options.every).days(options.days):
            print(day)
            days.append(day)
    print(f"\nRSS {days[-1].rss - days[0].rss:+.1f} MB since the first day")
    sys.exit(not all(day.adds_up for day in days))


if __name__ == "__main__":
    main()
