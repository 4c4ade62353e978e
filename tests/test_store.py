"""The sample log: what goes in comes out, as what it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger import epoch
from pilogger.errors import BadValue, StoreBroken
from pilogger.sample import Point, Sample, Value
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock

VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "pilogger.db", FakeClock())
    store.declare("air", {"temperature": "Cel", "humidity": "%"})
    yield store
    store.close()


def air(**values: Value) -> Sample:
    return Sample("air", values, boot=100_000_000)


@pytest.mark.fault(74, 77, 81)
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=20))
def test_what_goes_in_comes_out(pairs: list[tuple[Value, Value]]) -> None:
    """Numbers, whole numbers, truth values and text survive a restart, bit for bit."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "pilogger.db")
        store = Store.open(path, FakeClock())
        store.declare("any", {"a": "1", "b": "1"})
        store.append([Sample("any", {"a": a, "b": b}, 0) for a, b in pairs])
        store.close()
        store = Store.open(path, FakeClock())
        batch = store.outbox("there").take(1000)
        store.close()

    assert batch is not None
    found = [point.value for point in batch.points]
    assert list(map(repr, found)) == [repr(value) for pair in pairs for value in pair]


def test_a_reading_has_the_time_of_its_poll(store: Store) -> None:
    """Wall time is boot time through the clock segment, on the millisecond."""
    clock = store.clock
    assert isinstance(clock, FakeClock)
    clock.advance(1.234)
    store.append([Sample("air", {"temperature": 21.5}, boot=clock.boot())])
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert batch.points[0].epoch == "1767225601.234"


@pytest.mark.fault(46)
def test_an_epoch_override_goes_around_the_clock(store: Store) -> None:
    """A given epoch comes out as the number that went in, whatever it is."""
    given_epochs = ["0", "1.5e9", "1795217624.4833982", "32503680000", "-3"]
    store.append([Sample("air", {"humidity": 1}, 0, epoch=text) for text in given_epochs])
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert [point.epoch for point in batch.points] == given_epochs


def test_an_absent_channel_is_no_reading(store: Store) -> None:
    """A sample without humidity is one reading, of temperature."""
    stored = store.append([air(temperature=21.5)])
    batch = store.outbox("there").take(10)

    assert stored == 1
    assert batch is not None
    assert [(p.series, p.value) for p in batch.points] == [("air.temperature", 21.5)]


@pytest.mark.fault(73, 74, 75, 77)
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (float("nan"), "nan is not a number"),
        (float("-inf"), "-inf is not a number"),
        (2**63, "at most 64 bits"),
        ("half \ud800", "half a surrogate"),
        ("nul \0", "NUL"),
        (b"bytes", "not bytes"),
    ],
)
def test_what_cannot_be_held_is_refused_at_the_edge(
    store: Store, value: Value, sentence: str
) -> None:
    """Nothing of such a call is stored, and the store goes on."""
    with pytest.raises(BadValue, match=sentence):
        store.append([air(temperature=21.5), air(temperature=value)])

    assert store.append([air(temperature=21.5)]) == 1
    assert store.outbox("there").pending() == 1


def test_a_channel_that_was_not_declared_is_refused(store: Store) -> None:
    """A value cannot get lost because nobody knows its channel."""
    with pytest.raises(BadValue, match="air has channels"):
        store.append([air(pressure=100_000)])
    with pytest.raises(BadValue, match="never declared"):
        store.append([Sample("water", {"level": 1}, 0)])


def test_a_sensor_may_change_its_channels(store: Store) -> None:
    """What was stored under the old channels keeps its names."""
    store.append([air(temperature=1, humidity=2)])
    store.declare("air", {"humidity": "%", "pressure": "Pa"})
    store.append([air(humidity=3, pressure=4)])
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert [(p.series, p.value) for p in batch.points] == [
        ("air.temperature", 1),
        ("air.humidity", 2),
        ("air.humidity", 3),
        ("air.pressure", 4),
    ]


def test_once_leaves_out_what_is_already_there(tmp_path: Path) -> None:
    """Equal in series, epoch and value: stored once; another value at that epoch: kept."""
    store = Store.open(tmp_path / "hub.db", FakeClock(), durability=0)
    store.declare("t", {"": "1"})
    first = [Sample("t", {"": value}, 0, epoch=at) for at, value in [("1", 5), ("2", 5), ("1", 5)]]
    again = [Sample("t", {"": value}, 0, epoch=at) for at, value in [("1", 5), ("1", 6), ("3", 5)]]

    assert store.append(first, once=True) == 2
    assert store.append(again, once=True) == 2
    store.close()
    store = Store.open(tmp_path / "hub.db", FakeClock(), durability=0)
    store.declare("t", {"": "1"})
    assert store.append(first + again, once=True) == 0
    store.close()


def test_anyone_can_read_it_with_plain_sql(store: Store) -> None:
    """The view `reading` explodes samples while the store is being written."""
    store.append([air(temperature=21.5, humidity=40)])
    store.append([Sample("air", {"humidity": True}, 0, epoch="1795217624.25")])
    store.flush()
    reader = open_reader(store.path)
    rows = reader.execute("SELECT series, epoch, value, unit FROM reading").fetchall()
    reader.close()

    assert rows == [
        ("air.temperature", 1767225600.0, 21.5, "Cel"),
        ("air.humidity", 1767225600.0, 40, "%"),
        ("air.humidity", 1795217624.25, 1, "%"),
    ]


def test_a_closed_store_says_so(store: Store) -> None:
    """Nothing is taken that would not be kept; closing twice is fine."""
    store.append([air(temperature=1)])
    store.close()
    store.close()

    with pytest.raises(StoreBroken, match="is closed"):
        store.append([air(temperature=2)])
    with open_reader(store.path) as reader:
        assert reader.execute("SELECT data FROM sample").fetchall() == [("[1,null]",)]
    reader.close()


def test_buckets_are_known_by_account_and_key(store: Store) -> None:
    """The same key again is the same bucket, with its newest name."""

    assert store.bucket("me", "house", "House") == (1, True)
    assert store.bucket("you", "house", "House") == (2, True)
    assert store.bucket("me", "house", "My house") == (1, False)
    store.declare("t", {"": "1"}, bucket=2)
    store.append([Sample("t", {"": 1}, 0, bucket=2)])
    store.flush()
    with open_reader(store.path) as reader:
        assert reader.execute("SELECT id, name FROM bucket").fetchall() == [
            (1, "My house"),
            (2, "House"),
        ]
        assert reader.execute("SELECT bucket FROM reading").fetchall() == [(2,)]
    reader.close()


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    """Even what a power cut took may have been sent: its number is not used again."""
    path = tmp_path / "pilogger.db"
    store = Store.open(path, FakeClock())
    store.declare("air", {"temperature": "Cel"})
    store.append([air(temperature=value) for value in range(10)])
    lost = store.last
    assert store.writer._committer
    store.writer._committer._stopped.set()  # the power goes: nothing more is committed
    store.writer.connection.close()
    for file in tmp_path.glob("*-fresh-*"):
        file.write_bytes(b"\0" * 300)
    store.writer._guard.release()
    again = Store.open(path, FakeClock())
    again.declare("air", {"temperature": "Cel"})
    again.append([air(temperature=1)])

    assert again.last > lost
    batch = again.outbox("there").take(100)
    assert batch is not None
    assert len(batch.points) == 1
    again.close()


def test_numbers_survive_many_samples(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the reserved numbers run out, more are reserved before they are used."""
    monkeypatch.setattr("pilogger.store.numbers.RESERVE", 50)
    for start in range(0, 100_000, 20_000):
        store.append([air(temperature=start + n) for n in range(20_000)])
    with open_reader(store.path) as reader:
        (reserved,) = reader.execute("SELECT value FROM meta WHERE key = 'next_seq'").fetchone()
    reader.close()

    assert store.last == 100_000
    assert reserved > store.last


def test_values_are_plain_json(store: Store) -> None:
    """A row can be read by anything that knows JSON."""
    store.append([air(temperature=-0.0, humidity="naß")])
    store.flush()
    with open_reader(store.path) as reader:
        (data, given) = reader.execute("SELECT data, epoch FROM sample").fetchone()
    reader.close()

    assert json.loads(data) == [-0.0, "naß"]
    assert given is None
    assert epoch.unpack(5) == "0.000000005"


@pytest.mark.fault(80)
def test_each_reading_may_have_a_series_of_its_own(store: Store) -> None:
    """Somebody put an id into the key: all are kept, and the others notice nothing."""
    for n in range(3000):
        store.declare(f"visit {n}", {"": "1"})
        store.append([Sample(f"visit {n}", {"": n}, 100_000_000 + n), air(temperature=n)])
    store.seal()
    points: list[Point] = []
    outbox = store.outbox("there")
    while batch := outbox.take(1000):
        points += batch.points
        outbox.settle(batch)

    assert [p.value for p in points if p.series == "air.temperature"] == list(range(3000))
    assert [p.value for p in points if p.series.startswith("visit ")] == list(range(3000))
    assert len({p.series for p in points}) == 3001
