"""A batch for several buckets is several requests, and none of them is made twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pilogger.clock import SystemClock
from pilogger.destinations import Accepted, Outcome, Refused, Wait
from pilogger.destinations.initialstate import Bucket
from pilogger.initialstate.buckets import Buckets
from pilogger.sample import Point
from pilogger.store import Store

DOWN = Wait("down")


class Scripted(Buckets):
    """Delivers nowhere: it answers what it was told to, else that all is well."""

    def __init__(self, store: Store, *script: Outcome) -> None:
        super().__init__(store, "key", "http://nowhere")
        self.script = deque(script)
        self.delivered: list[tuple[str, list[int]]] = []

    def deliver(self, bucket: Bucket, points: Sequence[Point]) -> Outcome:
        self.delivered.append((bucket.key, [point.seq for point in points]))
        return self.script.popleft() if self.script else Accepted()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "spool.db", SystemClock("system"))
    for key in ("green", "cellar"):
        opened.bucket("", key, key.title())
    yield opened
    opened.close()


POINTS = [Point(n, "a", "5", n, bucket) for n, bucket in enumerate((1, 1, 2, 2, 1), 1)]


def test_each_run_of_one_bucket_is_a_request(store: Store) -> None:
    """In the order in which the events were logged."""
    place = Scripted(store)

    assert place.send(POINTS) == Accepted()
    assert place.delivered == [("green", [1, 2]), ("cellar", [3, 4]), ("green", [5])]


def test_what_has_arrived_is_not_sent_again(store: Store) -> None:
    """The same batch goes on where it was interrupted; one that follows is whole."""
    place = Scripted(store, Accepted(), DOWN)
    outcomes = [place.send(POINTS) for _ in range(3)]

    assert outcomes == [DOWN, Accepted(), Accepted()]
    assert place.delivered[2:4] == [("cellar", [3, 4]), ("green", [5])]
    assert place.delivered[4:] == place.delivered[:1] + place.delivered[2:4]


def test_a_refused_event_is_looked_for_where_it_is(store: Store) -> None:
    """The halves that are asked for next leave out what has arrived."""
    bad = Refused("bad")
    place = Scripted(store, Accepted(), bad, bad)
    outcomes = [place.send(part) for part in (POINTS, POINTS[:2], POINTS[2:3], POINTS[3:])]

    assert outcomes == [bad, Accepted(), bad, Accepted()]
    assert place.delivered == [
        ("green", [1, 2]), ("cellar", [3, 4]), ("cellar", [3]), ("cellar", [4]), ("green", [5]),
    ]  # fmt: skip


def test_a_pause_is_kept_between_two_buckets(store: Store) -> None:
    """The service's limit holds for all of them; after the last it is the uploader's to keep."""
    place = Scripted(store, Accepted(3.0), Accepted(), Accepted(7.0))

    assert place.send(POINTS) == Wait(
        "the service's limit is reached", answered=True, retry_after=3.0
    )
    assert place.send(POINTS) == Accepted(7.0)
