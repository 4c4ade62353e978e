"""What a series of points allows besides appending: to replace, add to, erase, describe.

The semantics are those of TempoDB: a point is named by its series and epoch, and a later
value takes its place.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence, Set
from itertools import groupby
from operator import itemgetter
from sqlite3 import Connection

from pilogger import epoch
from pilogger.errors import BadValue
from pilogger.sample import Entry, Value, check_text
from pilogger.store.appender import Taken
from pilogger.store.blocks import ENDLESS, MICRO, Blocks, clamp
from pilogger.store.connection import snapshot
from pilogger.store.journal import Write
from pilogger.store.log import Store
from pilogger.store.moments import Moments
from pilogger.store.values import encode

Place = tuple[int, int]
"""A series and an epoch in nanoseconds: at most one point is there."""


class Points:
    """Points of one store; thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one = threading.Lock()

    def create(self, key: str, bucket: int | None = None) -> int | None:
        """Make a series and return its id; None if the key is taken.

        Raises:
            BadValue: the key cannot be held.
            StoreBroken: the disk took nothing.
        """
        registry = self._store.registry
        with self._store.lock:
            if (bucket, key) in registry.series:
                return None
            self._store.declare(key, {"": "1"}, bucket)
            id = registry.series[bucket, key]
            registry.keep_latest([id])  # while there is nothing yet that could be replaced
            return id

    def describe(
        self, series: int, name: str, tags: Sequence[str], attributes: Mapping[str, str]
    ) -> None:
        """Give a series its name, tags and attributes, in place of those that it had.

        Raises:
            BadValue: one of these texts cannot be held; nothing was changed.
            StoreBroken: the disk took nothing.
        """
        for text in (name, *tags, *attributes, *attributes.values()):
            check_text(text)
        texts = (encode(sorted(set(tags))), encode(dict(sorted(attributes.items()))))
        self._store.writer.write([("describe", series, name, *texts)])

    def write(self, entries: Sequence[Entry]) -> None:
        """Store values, each in place of the one that its series has at its epoch.

        Raises:
            BadValue: a value cannot be held, or a series was deleted; nothing was stored.
            StoreBroken: the disk took nothing.
        """
        writer = self._store.writer
        with writer.reading(writer.generation), self._store.numbered(len(entries)):
            taken = self._keep(entries)
        self._store.appender.confirm(taken)

    def increment(self, entries: Sequence[Entry], also: Sequence[Write] = ()) -> None:
        """Add each value to the one that its series has at its epoch, or to none.

        Whole numbers stay whole. All are added, or none; what is `also` written is kept or
        lost with them.

        Raises:
            BadValue: it is no number, or the sum cannot be held, or a series was deleted;
                nothing was changed.
            StoreBroken: the disk took nothing.
        """
        store = self._store
        with self._one, store.readers.one() as db, store.numbered(len(entries)):
            places = [(series, epoch.nanoseconds(at)) for series, at, _ in entries]
            sums = _committed(db, set(places)) | self._uncommitted(set(places))
            added = []
            for entry, place in zip(entries, places, strict=True):
                sums[place] = total = self._add(entry, sums.get(place))
                added.append(entry._replace(value=total))
            taken = self._keep(added, also)
        store.appender.confirm(taken)

    def erase(self, series: int, first: int = -ENDLESS, last: int = ENDLESS) -> None:
        """Delete the points from epoch `first` up to, not with, `last`; both in nanoseconds.

        When this returns, no reader sees them any more. Writes that come later are not touched.
        A `last` after the year 2262 means the end of time, a `first` before 1677 its beginning.

        Raises:
            BadValue: the whole span lies outside of these years.
            StoreBroken: the disk took nothing; what was asked for is kept and tried again.
        """
        if first >= ENDLESS or last <= -ENDLESS:
            raise BadValue("a span that is deleted lies in the years 1677 to 2262, or has no end")
        with self._one:
            with self._store.lock:
                self._erase(series, first, last)
            self._store.flush()

    def remove(self, series: int) -> None:
        """Delete a series with all its points; its key is free again.

        Raises:
            StoreBroken: the disk took nothing; what was asked for is kept and tried again.
        """
        with self._one:
            with self._store.lock:
                self._erase(series)
                self._store.registry.forget(series)
            self._store.flush()

    def _erase(self, series: int, first: int = -ENDLESS, last: int = ENDLESS) -> None:
        row = ("erase", series, clamp(first), clamp(last), self._store.last)
        self._store.writer.write([row])

    def _keep(self, entries: Sequence[Entry], also: Sequence[Write] = ()) -> Taken:
        registry = self._store.registry
        new = {entry[0] for entry in entries} - registry.latest
        # Rollups may have counted several values of one epoch, and are computed anew.
        anew: list[Write] = [("erase", id, -ENDLESS, ENDLESS, 0) for id in new]
        before = [*(("latest", id) for id in new), *anew]
        taken = self._store.appender.take_entries(entries, before=before, also=also)
        registry.latest |= new
        return taken

    # -- what is there -------------------------------------------------------------------

    def _uncommitted(self, places: Set[Place]) -> dict[Place, Value]:
        """Return the newest values of these places that are not in the file yet."""
        found: dict[Place, Value] = {}
        wanted = {id for id, _ in places}
        for _, _, source, segment, boot, given, data in self._store.appender.fresh:
            ids = self._store.registry.sources[source].ids
            if wanted.isdisjoint(ids):
                continue
            if given is None:
                at = self._store.segments[segment].wall(boot) * MICRO
            else:
                at = epoch.nanoseconds(given)
            for id, value in zip(ids, json.loads(data), strict=True):
                if (id, at) in places and value is not None:
                    found[id, at] = value
        return found

    def _add(self, entry: Entry, value: Value | None) -> Value:
        delta = entry.value
        if isinstance(delta, bool | str) or isinstance(value, bool | str):
            wrong = delta if isinstance(delta, bool | str) else value
            key = self._store.registry.lone(entry.series).series[0]
            raise BadValue(f"{key}: {wrong!r} is no number that can be added")
        return delta if value is None else value + delta


def _committed(db: Connection, places: Set[Place]) -> dict[Place, Value]:
    """Return the values of these places that are in the file."""
    found: dict[Place, Value] = {}
    blocks = Blocks(db)
    with snapshot(db):
        for series, group in groupby(sorted(places), key=itemgetter(0)):
            moments = Moments(db, blocks, series, latest=True)
            for _, at in group:
                for _, _, value in moments.between(at, at + 1, moments.fresh(at, at + 1)):
                    found[series, at] = value
    return found
