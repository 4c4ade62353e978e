"""The seam for whatever keeps series: the little that a hub asks of it.

SQLite is the engine that comes with pilogger (`SQLiteEngine`). Another one, that scales out
over machines, has to do the same things; `tests/engine_conformance.py` says which.

A series has an `Info`. An epoch that is given is the text of a number of seconds, exact (see
`pilogger.epoch`); one that is asked for is in whole nanoseconds since 1970. A span is half
open, `[start, end)`. Texts hold no NUL. Every method may be called by any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple, Protocol

from pilogger import epoch
from pilogger.errors import BadValue
from pilogger.sample import Sample, Value
from pilogger.series import History, Info, find
from pilogger.stats import Stats
from pilogger.store import Store, open_reader
from pilogger.store.points import Points


class Entry(NamedTuple):
    """One value of a series, and its epoch as number text."""

    series: Info
    epoch: str
    value: Value


class Engine(Protocol):
    """Keeps series. What changes it raises StoreError if it could not be changed.

    What was changed is on the disk, and is seen by whoever reads, when `flush` returns. Values
    come back as what they were: numbers, whole numbers up to 64 bits, truth values and text.
    """

    # -- which series there are ----------------------------------------------------------

    def bucket(self, key: str, name: str, *, account: str = "") -> bool:
        """Name a bucket of an account; True if it is new. Raises BadValue for no such text."""
        ...

    def create(self, key: str, *, account: str = "", bucket: str = "") -> Info | None:
        """Make a series in a bucket, which is made too; None if its key is taken there.

        Raises BadValue for a key that cannot be held.
        """
        ...

    def find(
        self,
        account: str = "",
        *,
        bucket: str | None = None,
        ids: Sequence[str] = (),
        keys: Sequence[str] = (),
        tags: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
    ) -> list[Info]:
        """Return the series of an account that fit, by key.

        One of `ids` (uids) or `keys`, all `tags`, all `attributes`; what is empty does not
        choose, and a bucket of None is any.
        """
        ...

    def describe(
        self, series: Info, name: str, tags: Sequence[str], attributes: Mapping[str, str]
    ) -> None:
        """Give a series a name, tags and attributes in place of those that it had.

        Raises BadValue for a text that cannot be held, and nothing is changed.
        """
        ...

    def remove(self, series: Info) -> None:
        """Delete a series with all that it has; its key is free again, its uid never."""
        ...

    # -- values in -----------------------------------------------------------------------

    def append(self, entries: Sequence[Entry]) -> int:
        """Add events; returns how many are new: equal in series, epoch and value is the same.

        Raises BadValue for a value that cannot be held or a series that was deleted; nothing
        is stored then.
        """
        ...

    def write(self, entries: Sequence[Entry]) -> None:
        """Store values, each in place of what its series has at its epoch; the last one holds.

        From then on the series has one value at an epoch. Raises BadValue as `append` does.
        """
        ...

    def increment(self, entries: Sequence[Entry]) -> None:
        """Add to what each series has at the epoch, or to nothing; all or none.

        Whole numbers stay whole, and two that come at once are both counted. Raises
        BadValue where a number is missing or the sum cannot be held, and as `append` does.
        """
        ...

    def erase(self, series: Info, start: int, end: int) -> None:
        """Delete the values of a span; those that come later stay.

        Where the engine's calendar ends before a span does, the span has no end. Raises BadValue
        for a span that lies where the engine has no calendar at all: SQLite's is from 1677 to 2262.
        """
        ...

    def flush(self) -> None:
        """Wait until everything that was called for before is on the disk."""
        ...

    # -- values out ----------------------------------------------------------------------

    def read(self, series: Info, start: int, end: int) -> Iterator[tuple[int, Value]]:
        """Yield epochs and values of a span in the order of time."""
        ...

    def rollup(self, series: Info, edges: Iterable[int]) -> Iterator[tuple[int, Stats]]:
        """Yield start and statistics of each period with numbers, from one edge to the next."""
        ...

    def summary(self, series: Info, start: int, end: int) -> Stats | None:
        """Return the statistics of a span; None if it has no numbers."""
        ...


class SQLiteEngine:
    """Series in the file of a `Store`, which stays its owner's to close."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._points = Points(store)
        self._places: dict[int, tuple[int | None, str]] = {}
        """Bucket and key of every series that was asked for, by id."""

    def bucket(self, key: str, name: str, *, account: str = "") -> bool:
        return self._store.bucket(account, key, name)[1]

    def create(self, key: str, *, account: str = "", bucket: str = "") -> Info | None:
        with self._store.lock:
            known = self._store.buckets.get((account, bucket))
            place = known or self._store.bucket(account, bucket, "")
            if self._points.create(key, place[0]) is None:
                return None
        self._store.flush()
        [info] = self.find(account, bucket=bucket, keys=[key])
        return info

    def find(
        self,
        account: str = "",
        *,
        bucket: str | None = None,
        ids: Sequence[str] = (),
        keys: Sequence[str] = (),
        tags: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
    ) -> list[Info]:
        with closing(open_reader(self._store.path)) as db:
            return find(
                db, account, bucket=bucket, ids=ids, keys=keys, tags=tags, attributes=attributes
            )

    def describe(
        self, series: Info, name: str, tags: Sequence[str], attributes: Mapping[str, str]
    ) -> None:
        self._points.describe(series.id, name, tags, attributes)

    def remove(self, series: Info) -> None:
        self._points.remove(series.id)

    def append(self, entries: Sequence[Entry]) -> int:
        return self._store.append(self._samples(entries), once=True)

    def write(self, entries: Sequence[Entry]) -> None:
        self._points.write(self._samples(entries))

    def increment(self, entries: Sequence[Entry]) -> None:
        self._points.increment(self._samples(entries))

    def erase(self, series: Info, start: int, end: int) -> None:
        self._points.erase(series.id, start, end)

    def flush(self) -> None:
        self._store.flush()

    def read(self, series: Info, start: int, end: int) -> Iterator[tuple[int, Value]]:
        with self._history() as history:
            for t, _, value in history.read(series.id, start, end):
                yield t, value

    def rollup(self, series: Info, edges: Iterable[int]) -> Iterator[tuple[int, Stats]]:
        with self._history() as history:
            yield from history.rollup(series.id, edges)

    def summary(self, series: Info, start: int, end: int) -> Stats | None:
        with self._history() as history:
            return history.summary(series.id, start, end)

    @contextmanager
    def _history(self) -> Iterator[History]:
        """Read through a connection of one's own: a damaged file may have given way to another."""
        with closing(open_reader(self._store.path)) as db:
            yield History(db)

    def _samples(self, entries: Sequence[Entry]) -> list[Sample]:
        boot = self._store.clock.boot()
        samples = []
        with self._store.lock:
            for series, at, value in entries:
                bucket, key = self._place(series)
                self._store.declare(key, {"": series.unit}, bucket)
                samples.append(Sample(key, {"": value}, boot, epoch.text(at), bucket))
        return samples

    def _place(self, series: Info) -> tuple[int | None, str]:
        known = self._store.registry.series
        if series.id not in self._places:
            self._places = {id: place for place, id in known.items()}
        place = self._places.get(series.id)
        if place is None or known.get(place) != series.id:
            raise BadValue(f"the series {series.key!r} was deleted")
        return place
