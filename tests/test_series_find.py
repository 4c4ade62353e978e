"""Which series there are: by id, key, tags and attributes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilogger.series import find
from pilogger.store import Store, open_reader
from pilogger.store.points import Points
from pilogger.testing import FakeClock

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
ODD = st.one_of(TEXT, st.sampled_from(["", "a", "b", '"', "'", "$", "%", "\\", "\\u0061", "[]"]))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=1e9)
    yield store
    store.close()


@pytest.fixture
def db(store: Store) -> Iterator[Connection]:
    with closing(open_reader(store.path)) as db:
        yield db


def test_a_sensors_series_are_found_by_key(store: Store, db: Connection) -> None:
    """In the order of their keys, with unit and a uid that stays."""
    store.declare("soil", {"": "%"})
    store.declare("air", {"temperature": "Cel", "humidity": "%"})
    store.flush()
    found = find(db)

    assert [(info.key, info.unit) for info in found] == [
        ("air.humidity", "%"),
        ("air.temperature", "Cel"),
        ("soil", "%"),
    ]
    assert len({info.uid for info in found}) == 3
    assert find(db, ids=[found[1].uid]) == find(db, keys=["air.temperature"]) == [found[1]]
    assert find(db, keys=["air"]) == find(db, ids=["air.temperature"]) == []


def test_buckets_and_accounts_are_apart(store: Store, db: Connection) -> None:
    """A bucket of None is any; '' is none, or one without a key."""
    places = [("", None), ("", "b"), ("me", ""), ("me", "b"), ("me", "c")]
    for account, key in places:
        bucket = None if key is None else store.bucket(account, key, "")[0]
        store.declare("a", {"": "1"}, bucket)
    store.flush()

    assert [info.bucket for info in find(db)] == ["", "b"]
    assert [info.bucket for info in find(db, "me")] == ["", "b", "c"]
    assert [info.bucket for info in find(db, "me", bucket="b")] == ["b"]
    assert [info.bucket for info in find(db, "me", bucket="")] == [""]
    assert find(db, "you") == []


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    described=st.lists(
        st.tuples(st.lists(ODD, max_size=3), st.dictionaries(ODD, ODD, max_size=3)),
        min_size=3,
        max_size=3,
    ),
    asked=st.tuples(st.lists(ODD, max_size=2), st.dictionaries(ODD, ODD, max_size=2)),
    pick=st.integers(0, 3),
)
def test_all_tags_and_all_attributes_must_fit(
    store: Store,
    db: Connection,
    described: list[tuple[list[str], dict[str, str]]],
    asked: tuple[list[str], dict[str, str]],
    pick: int,
) -> None:
    """Any text is a tag, a name or a value; what is asked for is not matched in part."""
    points = Points(store)
    for id, (tags, attributes) in enumerate(described, 1):
        points.create(f"key {id}")
        points.describe(id, "", tags, attributes)
    store.flush()
    tags, attributes = (*described, asked)[pick]  # often one that is there
    fits = [
        f"key {id}"
        for id, (had, pairs) in enumerate(described, 1)
        if {*tags} <= {*had} and attributes.items() <= pairs.items()
    ]

    assert [info.key for info in find(db, tags=tags, attributes=attributes)] == fits
    assert [(sorted({*had}), pairs) for had, pairs in described] == [
        (list(info.tags), info.attributes) for info in find(db)
    ]
