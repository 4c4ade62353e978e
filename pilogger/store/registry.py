"""Who gives samples, and which series they become."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from pilogger.errors import BadValue
from pilogger.sample import check_text, series_key
from pilogger.store.journal import Write
from pilogger.store.values import encode

Query = Callable[[str], Any]


class Source(NamedTuple):
    """Who gives samples: the channels of one sensor, and their series by key and id."""

    id: int
    bucket: int | None
    channels: tuple[str, ...]
    series: tuple[str, ...]
    ids: tuple[int, ...]


class Registry:
    """Buckets, series and sources of a store; the caller holds the store's lock.

    `write` takes the rows that are new.
    """

    def __init__(self, query: Query, write: Callable[[Sequence[Write]], object]) -> None:
        self._write = write
        self.buckets: dict[tuple[str, str], tuple[int, str]] = {
            (account, key): (id, name)
            for id, account, key, name in query("SELECT id, account, key, name FROM bucket")
        }
        """The id and the name of each bucket, by account and key."""
        self.series: dict[tuple[int | None, str], int] = {}
        """The ids of the series that are not gone, by bucket and key."""
        self.latest: set[int] = set()
        """The series of which, of two values at one epoch, the later holds."""
        self.sources: dict[int, Source] = {}
        self._places: dict[int, tuple[int | None, str]] = {}
        """Bucket and key of every series that there ever was, by id."""
        self._lone: dict[int, Source] = {}
        """The sources that give one series each, by its id."""
        self._last_series = self._last_source = 0
        self._units: dict[int, str] = {}
        self._known: dict[tuple[object, ...], Source] = {}
        self._current: dict[tuple[int | None, str], Source] = {}
        columns = "id, bucket, key, unit, latest, gone"
        for id, bucket, key, unit, latest, gone in query(f"SELECT {columns} FROM series"):
            self._last_series = max(self._last_series, id)
            self._places[id], self._units[id] = (bucket, key), unit
            if latest:
                self.latest.add(id)
            if not gone:
                self.series[bucket, key] = id
        columns = "id, bucket, sensor, channels, units, series"
        for id, bucket, sensor, names, units, ids in query(
            f"SELECT {columns} FROM source ORDER BY id"
        ):
            found = tuple(json.loads(ids))
            series = tuple(self._places[each][1] for each in found)
            source = Source(id, bucket, tuple(json.loads(names)), series, found)
            self._remember(source, sensor, units)

    def bucket(self, account: str, key: str, name: str) -> tuple[int, bool]:
        """Return the bucket's id and whether it is new; a known one takes the new name."""
        last = max((id for id, _ in self.buckets.values()), default=0)
        id, old = self.buckets.get((account, key), (last + 1, None))
        if name != old:
            check_text(account + key + name)
            self._write([("bucket", id, account, key, name)])
            self.buckets[account, key] = (id, name)
        return id, old is None

    def declare(
        self, sensor: str, units: Mapping[str, str], bucket: int | None, *, past: bool = False
    ) -> Source:
        """Return the source with these channels, each with its UCUM unit; make it if it is new.

        One of the `past` takes nothing from what is there now.
        """
        names, texts = tuple(units), encode(list(units.values()))
        keys = tuple(series_key(sensor, name) for name in names)
        now = self._current.get((bucket, sensor))
        ids = tuple(self.series.get((bucket, key), 0) for key in keys)
        source = self._known.get((bucket, sensor, names, texts, ids))
        if source is None:
            check_text(sensor + "".join(names))
            if len(set(keys)) < len(keys):
                raise BadValue(f"{sensor} has two channels of one name: {', '.join(names)}")
            writes: list[Write] = []
            found = [
                self._declare(bucket, key, unit, writes, past)
                for key, unit in zip(keys, units.values(), strict=True)
            ]
            id = self._last_source + 1
            source = Source(id, bucket, names, keys, tuple(found))
            row = ("source", id, bucket, sensor, encode(list(names)), texts, encode(found))
            self._write([*writes, row])
            self._remember(source, sensor, texts)
            for key, each, unit in zip(keys, found, units.values(), strict=True):
                self.series[bucket, key] = each
                self._places[each] = (bucket, key)
                self._units[each] = self._units.get(each, unit) if past else unit
                self._last_series = max(self._last_series, each)
        self._current[bucket, sensor] = now if past and now else source
        return source

    def rows(self) -> list[Write]:
        """Return what makes the same registry in an empty file; series get new uids."""
        gone = [id for id in self._places if not self.is_there(id)]
        return [
            *(("bucket", id, *place, name) for place, (id, name) in self.buckets.items()),
            *(
                ("series", id, *place, self._units[id], uuid4().hex)
                for id, place in sorted(self._places.items())
            ),
            *(("gone", id) for id in gone),
            *(("latest", id) for id in self.latest),
            *(
                (
                    "source", source.id, bucket, sensor,
                    encode(source.channels), units, encode(source.ids),
                )
                for (bucket, sensor, _, units, _), source in self._known.items()
            ),
        ]  # fmt: skip

    def _declare(
        self, bucket: int | None, key: str, unit: str, writes: list[Write], past: bool
    ) -> int:
        id = self.series.get((bucket, key))
        if id is None:
            id = self._last_series + 1 + sum(write[0] == "series" for write in writes)
            writes.append(("series", id, bucket, key, unit, uuid4().hex))
        elif self._units[id] != unit and not past:
            writes.append(("unit", id, unit))
        return id

    def keep_latest(self, series: Sequence[int]) -> None:
        """Let a later value replace the one at the same epoch in these series, from now on."""
        new = [id for id in series if id not in self.latest]
        if new:
            self._write([("latest", id) for id in new])
            self.latest.update(new)

    def is_there(self, series: int) -> bool:
        """Whether there is a series with this id, and it was not deleted."""
        place = self._places.get(series)
        return place is not None and self.series.get(place) == series

    def lone(self, series: int) -> Source:
        """Return the source that gives this series and no other; make it if it is new.

        Raises:
            BadValue: the series was deleted, or never was.
        """
        source = self._lone.get(series)
        if source is None:
            if series not in self._places:
                raise BadValue(f"there is no series {series}")
            bucket, key = self._places[series]
            if not self.is_there(series):
                raise BadValue(f"the series {key!r} was deleted")
            source = self.declare(key, {"": self._units[series]}, bucket)
            self._lone[series] = source
        return source

    def forget(self, id: int) -> None:
        """Take a series out: its key may be given to a new one."""
        self._write([("gone", id)])
        self._lone.pop(id, None)
        self.series = {place: each for place, each in self.series.items() if each != id}
        self._current = {
            place: source for place, source in self._current.items() if id not in source.ids
        }

    def current(self, bucket: int | None, sensor: str) -> Source:
        """Return the source that a sensor's samples come from now."""
        source = self._current.get((bucket, sensor))
        if source is None:
            raise BadValue(f"{sensor} was never declared to the store")
        return source

    def _remember(self, source: Source, sensor: str, units: str) -> None:
        self.sources[source.id] = source
        self._last_source = max(self._last_source, source.id)
        self._known[source.bucket, sensor, source.channels, units, source.ids] = source
        self._current[source.bucket, sensor] = source
