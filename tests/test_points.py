"""Points: what takes the place of what, what is added up, what is erased."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from logger_rig import entries

from pilogger.errors import BadValue
from pilogger.sample import Sample, Value
from pilogger.series import History, find
from pilogger.store import Store, open_reader, sealer
from pilogger.store.points import Points
from pilogger.testing import FakeClock

NOW = 1_767_225_600
SECOND = 1_000_000_000
FAR = 10**30


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(sealer, "FULL", 4)
    monkeypatch.setattr(sealer, "SHORT", 2)
    store = Store.open(tmp_path / "x.db", clock, durability=1e9)
    yield store
    store.close()


@pytest.fixture
def points(store: Store) -> Points:
    return Points(store)


def samples(key: str, values: list[Value], start: int = NOW) -> list[Sample]:
    return [Sample(key, {"": value}, 0, str(start + n)) for n, value in enumerate(values)]


def read(store: Store, key: str) -> list[Value]:
    store.flush()
    with closing(open_reader(store.path)) as db:
        [info] = find(db, keys=[key])
        return [value for _, _, value in History(db).read(info.id, -FAR, FAR)]


def count(store: Store, key: str) -> tuple[int, float]:
    """Count by rollups; tell the sum too."""
    store.flush()
    with closing(open_reader(store.path)) as db:
        [info] = find(db, keys=[key])
        stats = History(db).summary(info.id, -FAR, FAR)
        return (stats.count, stats.total) if stats else (0, 0)


def rows(store: Store, table: str) -> list[tuple[object, ...]]:
    with closing(open_reader(store.path)) as db:
        return db.execute(f"SELECT * FROM {table}").fetchall()


@pytest.mark.parametrize("sealed", [False, True])
def test_a_series_of_readings_may_become_one_of_points(
    store: Store, points: Points, sealed: bool
) -> None:
    """What it had twice at an epoch counts once from then on, in rollups too."""
    store.declare("a", {"": "1"})
    store.append([*samples("a", [1, 2, 3, 4]), *samples("a", [10, 20, 30, 40])])
    if sealed:
        store.seal()
    assert count(store, "a") == (8, 110)
    points.write(entries(store, samples("a", [5], NOW + 9)))

    assert count(store, "a") == (5, 105)
    store.seal()
    assert count(store, "a") == (5, 105)
    assert (rows(store, "stale"), rows(store, "erased")) == ([], [])
    assert [row[2:4] for row in rows(store, "day")] == [(4, 100)]  # the fifth is fresh


def test_a_refused_write_changes_nothing(store: Store, points: Points) -> None:
    """A series that keeps every reading stays one."""
    store.declare("a", {"": "1"})
    store.append(samples("a", [1]) + samples("a", [2]))
    with pytest.raises(BadValue, match="NUL"):
        points.write(entries(store, samples("a", [3, "\0"])))

    assert read(store, "a") == [1, 2]


def test_points_of_a_sensors_channel(store: Store, points: Points, clock: FakeClock) -> None:
    """A series may have several sources; what is not committed yet counts too."""
    store.declare("air", {"humidity": "%", "temperature": "Cel"})
    store.append([Sample("air", {"humidity": 40, "temperature": 20}, clock.boot())])
    store.declare("air.temperature", {"": "Cel"})
    at = f"{clock.wall() // 1_000_000}"
    for expected in (21, 22):
        points.increment(entries(store, [Sample("air.temperature", {"": 1}, 0, at)]))
        assert read(store, "air.temperature") == [expected]

    assert read(store, "air.humidity") == [40]


def test_a_sum_sees_what_is_fresh_sealed_and_uncommitted(store: Store, points: Points) -> None:
    """Wherever the value is that is added to."""
    points.create("a")
    points.write(entries(store, samples("a", [1, 2, 3, 4])))
    store.seal()
    points.write(entries(store, samples("a", [20], NOW + 1)))
    store.flush()
    points.write(entries(store, samples("a", [300], NOW + 2)))
    points.increment(entries(store, samples("a", [1, 1, 1, 1])))

    assert len(rows(store, "block")) == 1
    assert read(store, "a") == [2, 21, 301, 5]


def test_what_is_erased_leaves_the_file(store: Store, points: Points) -> None:
    """Once its source is sealed: no block holds it and no rollup counts it."""
    points.create("a")
    points.write(entries(store, samples("a", [1, 2, 3, 4, 5, 6, 7, 8])))
    store.seal()
    points.erase(1, (NOW + 1) * SECOND, (NOW + 7) * SECOND)
    before = (read(store, "a"), count(store, "a"))
    store.seal()

    assert before == ([1, 8], (2, 9))
    assert (read(store, "a"), count(store, "a")) == before
    assert (rows(store, "erased"), rows(store, "stale")) == ([], [])
    assert [row[2:4] for row in rows(store, "day")] == [(2, 9)]


def test_a_reader_that_stays_open_sees_that_it_is_gone(
    store: Store, points: Points, clock: FakeClock
) -> None:
    """Also where only one channel of a block was erased, and the block looks as before."""
    store.declare("air", {"a": "1", "b": "1"})
    start = clock.boot()
    store.append([Sample("air", {"a": n, "b": -n}, start + 1000 * n) for n in range(4)])
    store.seal()
    with closing(open_reader(store.path)) as db:
        a, b = find(db)
        history = History(db)
        assert len(list(history.read(a.id, 0, FAR))) == 4
        points.erase(a.id)
        store.seal()

        assert rows(store, "erased") == []
        assert list(history.read(a.id, 0, FAR)) == []
        assert [value for _, _, value in history.read(b.id, 0, FAR)] == [0, -1, -2, -3]


def test_the_end_of_an_erased_span_may_be_the_end_of_time(store: Store, points: Points) -> None:
    """Also for what came with milliseconds by mistake; a span there alone cannot be told."""
    points.create("a")
    far = [Sample("a", {"": "far"}, 0, text) for text in ("1767225600123", "32503680000")]
    points.write(entries(store, [*samples("a", [1, 2]), *far]))
    with pytest.raises(BadValue, match="1677 to 2262"):
        points.erase(1, 32503680000 * SECOND, FAR)
    points.erase(1, (NOW + 1) * SECOND, 253402300800 * SECOND)

    assert read(store, "a") == [1]
    points.write(entries(store, far))
    store.seal()
    assert read(store, "a") == [1, "far", "far"]
    points.erase(1)
    assert read(store, "a") == []


def test_a_removed_series_leaves_nothing(
    store: Store, points: Points, tmp_path: Path, clock: FakeClock
) -> None:
    """Nor does it after kill -9, wherever it happens."""
    points.create("a")
    points.write(entries(store, samples("a", [1, 2, 3, 4])))
    store.seal()
    points.remove(1)
    copy = tmp_path / "copy"
    copy.mkdir()
    with store.writer.alone():
        for file in tmp_path.glob("x.db*"):
            shutil.copy(file, copy)
    store.seal()
    again = Store.open(copy / "x.db", clock)
    again.seal()
    left = [(rows(each, "block"), rows(each, "quarter")) for each in (store, again)]
    again.close()

    assert left == [([], []), ([], [])]
    assert points.create("a") == 2
    assert read(store, "a") == []


def test_a_wild_epoch_does_not_keep_the_store_busy(store: Store, points: Points) -> None:
    """A block from 1970 to 2026 is mended where it has readings, not day by day between them."""
    points.create("a")
    points.write(entries(store, samples("a", [1, 2], 0) + samples("a", [3, 4])))
    store.seal()
    with store.writer.alone() as db:
        db.execute("INSERT INTO stale VALUES (1, -62135596800, 253402300800)")
    steps = 0
    while store.sealer.step():
        steps += 1

    assert 2 <= steps <= 6
    assert [row[1] for row in rows(store, "day")] == [0, NOW]
