"""pilogger's store as one of the peers; see `peers`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

from history import ONE, declare
from peers import Hour, Point, disk

from pilogger.periods import Interval, edges
from pilogger.sample import Sample, series_key
from pilogger.series import History, find
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock

MS = 1_000_000  # nanoseconds
AT_ONCE = 1800  # seconds between commits, while it is filled
NEVER_S = 1e9  # the store's own window: commits come from here

((SENSOR, (CHANNEL,)),) = ONE.items()


def fill(path: Path, polled: Iterable[list[Sample]]) -> None:
    """Append all samples, in simulated time, and seal what is due."""
    clock, rest = FakeClock(), iter(polled)
    with closing(Store.open(path, clock, durability=NEVER_S)) as store:
        while batch := list(islice(rest, AT_ONCE)):
            declare(store, batch[0])
            clock.advance(len(batch))
            store.append([*chain.from_iterable(batch)])
            store.seal()


class Ours:
    """`Store` and `History`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "readings.db"

    def load(self, polled: Iterable[list[Sample]]) -> None:
        fill(self._path, polled)
        self._db = open_reader(self._path)
        (found,) = find(self._db, keys=[series_key(SENSOR, CHANNEL)])
        self._id = found.id
        self._history = History(self._db)

    def size(self) -> int:
        return disk(self._folder)

    def by_hour(self, start: int, end: int) -> list[Hour]:
        periods = list(edges(start * MS, end * MS, Interval(1, "hour")))
        return [
            Hour(begin // MS, stats.count, stats.mean, stats.low, stats.high)
            for begin, stats in self._history.rollup(self._id, periods)
        ]

    def raw(self, start: int, end: int) -> list[Point]:
        found = self._history.read(self._id, start * MS, end * MS)
        return [(t // MS, float(value)) for t, _, value in found]

    def close(self) -> None:
        self._db.close()
