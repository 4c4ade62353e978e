"""Sends what a spool holds, each event to the bucket that was set when it was logged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from pilogger.destinations import Accepted, Outcome, Wait
from pilogger.destinations.initialstate import Bucket, Events
from pilogger.sample import Point
from pilogger.store import Store

BATCH = 1000  # events in a request; the service takes 1 MB


class Buckets(Events):
    """Events of several buckets, as the file that they are in knows them.

    A request is for one bucket. What of a batch has arrived is remembered until all has, and
    is not sent again with the rest.
    """

    def __init__(self, store: Store, access_key: str, base_url: str) -> None:
        super().__init__(access_key, base_url)
        self.limit = BATCH
        self._store = store
        self._arrived: set[int] = set()

    def send(self, points: Sequence[Point]) -> Outcome:
        """Send a request for each run of events of one bucket, in their order."""
        places = {id: Bucket(key, name) for (_, key), (id, name) in self._store.buckets.items()}
        left = [point for point in points if point.seq not in self._arrived]
        pause = 0.0
        for bucket, group in groupby(left, attrgetter("bucket")):
            if pause:
                return Wait("the service's limit is reached", answered=True, retry_after=pause)
            run = list(group)
            outcome = self.deliver(places[bucket], run)
            if not isinstance(outcome, Accepted):
                return outcome
            self._arrived.update(point.seq for point in run)
            pause = outcome.pause
        self._arrived.difference_update(point.seq for point in points)
        return Accepted(pause)
