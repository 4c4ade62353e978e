"""Reading a store's series."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger import series
from pilogger.clock import SystemClock
from pilogger.sample import Sample, Value
from pilogger.series import Reading
from pilogger.store import Store, open_reader


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(tmp_path / "s.db", SystemClock("system"), durability=0)) as store:
        yield store


@pytest.fixture
def db(store: Store) -> Iterator[sqlite3.Connection]:
    with closing(open_reader(store.path)) as db:
        yield db


def append(store: Store, sensor: str, *rows: tuple[object, Mapping[str, Value]]) -> None:
    """Store samples, each an epoch and its values."""
    store.append([Sample(sensor, values, 0, str(epoch)) for epoch, values in rows])


def test_a_device_has_one_series_per_channel(store: Store, db: sqlite3.Connection) -> None:
    """Keys, units and values come back as declared and measured; an absent value is no reading."""
    store.declare("air", {"temperature": "Cel", "humidity": "%"})
    append(store, "air", (5, {"temperature": 20.5, "humidity": 40}), (6, {"temperature": 21}))
    humidity, temperature = series.recent(db).series

    assert (humidity.key, humidity.unit, humidity.bucket) == ("air.humidity", "%", "")
    assert humidity.readings == [Reading(5.0, 40)]
    assert (temperature.key, temperature.unit) == ("air.temperature", "Cel")
    assert temperature.readings == [Reading(5.0, 20.5), Reading(6.0, 21)]
    assert series.count(db) == 3


def test_own_stamps_are_wall_time(store: Store, db: sqlite3.Connection) -> None:
    """A sample without an override has the time of its clock segment."""
    store.declare("a", {"": "1"})
    before = store.clock.wall() / 1e6
    store.append([Sample("a", {"": 1}, store.clock.boot())])
    after = store.clock.wall() / 1e6
    [found] = series.latest(db)

    assert before - 0.002 <= found.readings[0].epoch <= after + 0.002  # offsets are whole ms


def test_readings_come_in_the_order_of_their_epochs(store: Store, db: sqlite3.Connection) -> None:
    """Whole numbers, decimals and numbers kept as text sort together."""
    store.declare("a", {"": "1"})
    append(store, "a", ("3e0", {"": 3}), (1, {"": 1}), ("4000000000000", {"": 4}), (2.5, {"": 2}))

    assert [reading.value for reading in series.recent(db).series[0].readings] == [1, 2, 3, 4]


@pytest.mark.fault(79)
def test_of_equal_epochs_the_later_arrival_is_last(store: Store, db: sqlite3.Connection) -> None:
    """So the value that a page shows as the latest is the one that came last."""
    store.declare("a", {"": "1"})
    append(store, "a", *((5, {"": value}) for value in (3, 1, 2)))

    assert [reading.value for reading in series.recent(db).series[0].readings] == [3, 1, 2]


def test_recent_is_bounded(store: Store, db: sqlite3.Connection) -> None:
    """The newest readings of each series; a series that fell silent keeps its last one."""
    for sensor in ("silent", "busy"):
        store.declare(sensor, {"": "1"})
        append(store, sensor, *((number, {"": number}) for number in range(100)))
    busy, silent = series.recent(db, samples=50, points=20).series

    assert [reading.value for reading in busy.readings] == list(range(80, 100))
    assert [reading.value for reading in silent.readings] == [99]


def test_latest_is_the_last_arrival_of_every_series(store: Store, db: sqlite3.Connection) -> None:
    """A series without a reading is not listed."""
    for sensor in ("b", "a", "never"):
        store.declare(sensor, {"": "1"})
    append(store, "a", (5, {"": 1}), (6, {"": 2}))
    append(store, "b", (5, {"": "text"}))

    assert [(one.key, one.readings) for one in series.latest(db)] == [
        ("a", [Reading(6.0, 2)]),
        ("b", [Reading(5.0, "text")]),
    ]


def test_a_source_that_changed_is_still_one_series(store: Store, db: sqlite3.Connection) -> None:
    """After a change of config the unit is the new one and the readings go on."""
    store.declare("a", {"x": "1"})
    append(store, "a", (5, {"x": 1}))
    store.declare("a", {"y": "1", "x": "Cel"})
    append(store, "a", (6, {"x": 2}))
    [found] = series.recent(db).series

    assert (found.unit, found.readings) == ("Cel", [Reading(5.0, 1), Reading(6.0, 2)])


def test_an_empty_store_has_nothing(db: sqlite3.Connection) -> None:
    """No series, no readings, and numbering that starts at 0."""
    assert series.recent(db) == (0, [])
    assert series.latest(db) == []
    assert series.count(db) == 0


def test_accounts_are_apart(store: Store, db: sqlite3.Connection) -> None:
    """The same bucket and key in two accounts are two series, each seen by its own."""
    for account in ("ann", "bob"):
        bucket, _ = store.bucket(account, "b", f"of {account}")
        store.declare("a", {"": "1"}, bucket)
        store.append([Sample("a", {"": account}, 0, "5", bucket)])

    for account in ("ann", "bob"):
        [found] = series.recent(db, account).series
        assert (found.name, found.readings) == (f"of {account}", [Reading(5.0, account)])
        assert series.latest(db, account) == [found]
        assert series.count(db, account) == 1
    assert series.recent(db).series == []
    assert series.count(db) == 2


@settings(max_examples=15, deadline=None)
@given(batches=st.lists(st.lists(st.sampled_from("abc"), max_size=6), max_size=6))
def test_polling_misses_and_repeats_nothing(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[str]]
) -> None:
    """However appends and polls alternate, the polls together bring every reading once."""
    path = tmp_path_factory.mktemp("series") / "s.db"
    with (
        closing(Store.open(path, SystemClock("system"), durability=0)) as store,
        closing(open_reader(path)) as db,
    ):
        seq = 0
        sent: list[tuple[str, Value]] = []
        polled: list[tuple[str, Value]] = []
        for sensor in "abc":
            store.declare(sensor, {"": "1"})
        store.flush()
        for batch in batches:
            start = len(sent)
            rows = [(sensor, start + number) for number, sensor in enumerate(batch)]
            store.append([Sample(sensor, {"": value}, 0, str(value)) for sensor, value in rows])
            sent += rows
            seq, found = series.recent(db, since=seq)
            polled += [(one.key, reading.value) for one in found for reading in one.readings]

    assert sorted(polled) == sorted(sent)
