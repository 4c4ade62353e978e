"""Fresh samples become blocks: nothing changes but where they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pilogger import series
from pilogger.sample import Point, Sample
from pilogger.series import History, find
from pilogger.store import Store, open_reader, sealer
from pilogger.store.sealer import FULL, Sealer
from pilogger.testing import FakeClock

SECOND = 1_000_000_000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    store = Store.open(tmp_path / "pilogger.db", clock)
    store.declare("air", {"temperature": "Cel", "humidity": "%"})
    store.declare("door", {"closed": "1"})
    yield store
    store.close()


def poll(store: Store, clock: FakeClock, count: int) -> None:
    """Poll `air` each second, and `door` each hundredth time."""
    samples = []
    for number in range(count):
        clock.advance(1)
        values = {"temperature": 20 + number % 7 / 10, "humidity": 40.0}
        samples.append(Sample("air", values, clock.boot()))
        if number % 100 == 0:
            samples.append(Sample("door", {"closed": number % 200 == 0}, clock.boot()))
    store.append(samples)


def blocks(store: Store) -> list[tuple[int, int]]:
    """Return the source and the samples of every block."""
    with closing(open_reader(store.path)) as db:
        return db.execute("SELECT source, samples FROM block ORDER BY id").fetchall()


def drain(store: Store, name: str, limit: int = 300) -> list[Point]:
    outbox = store.outbox(name)
    points: list[Point] = []
    while batch := outbox.take(limit):
        points += batch.points
        outbox.settle(batch)
    return points


def test_a_source_is_sealed_when_it_fills_a_block(store: Store, clock: FakeClock) -> None:
    """What is not enough for a block yet stays fresh."""
    poll(store, clock, 2 * FULL + 10)
    store.seal()

    assert blocks(store) == [(1, FULL), (1, FULL)]
    with closing(open_reader(store.path)) as db:
        (fresh,) = db.execute("SELECT count(*) FROM sample WHERE source = 1").fetchone()
        assert fresh == 10


def test_a_destination_gets_the_same_from_blocks(store: Store, clock: FakeClock) -> None:
    """Sealed or not: the same points, in the order of their arrival, with the same numbers."""
    poll(store, clock, 3 * FULL)
    before = drain(store, "before")
    store.seal()
    after = drain(store, "after")

    assert len(before) == 6 * FULL + 3 * FULL // 100 + 1
    assert after == before


def test_a_batch_that_was_taken_is_the_same_after_sealing(store: Store, clock: FakeClock) -> None:
    """A cursor is one integer; what is behind it stays deliverable where it was."""
    poll(store, clock, 2 * FULL)
    outbox = store.outbox("there")
    first = outbox.take(1000)
    assert first is not None
    outbox.settle(first)
    pending = outbox.pending()
    store.seal()
    second = outbox.take(1000)

    assert second is not None
    assert second.points[0].seq == first.last + 1
    assert outbox.pending() == pending
    again = store.outbox("again")
    assert again.pending() == pending + len(first.points)


def test_sealing_survives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    """Numbers go on, and nothing is there twice."""
    path = tmp_path / "x.db"
    for _ in range(3):
        store = Store.open(path, clock)
        store.declare("air", {"temperature": "Cel", "humidity": "%"})
        store.declare("door", {"closed": "1"})
        poll(store, clock, FULL)
        store.seal()
        store.close()
    store = Store.open(path, clock)
    points = drain(store, "there")
    store.close()

    assert len(points) == 3 * (2 * FULL + FULL // 100 + 1)
    assert len({(point.seq, point.series) for point in points}) == len(points)
    assert [point.seq for point in points] == sorted(point.seq for point in points)


def test_an_old_journal_does_not_bring_sealed_samples_back(
    tmp_path: Path, clock: FakeClock
) -> None:
    """After a power cut the journal may be one from before the sealing."""
    path = tmp_path / "x.db"
    store = Store.open(path, clock)
    store.declare("air", {"temperature": "Cel", "humidity": "%"})
    store.declare("door", {"closed": "1"})
    poll(store, clock, FULL)
    journals = {file: file.read_bytes() for file in tmp_path.glob("x.db-fresh-*")}
    store.seal()
    store.close()
    for file, data in journals.items():
        file.write_bytes(data)
    store = Store.open(path, clock)
    points = drain(store, "there")
    store.close()

    assert any(journals.values())
    assert len(points) == 2 * FULL + FULL // 100 + 1


@pytest.mark.fault(46)
@pytest.mark.parametrize("first", [1_700_000_000, 10**14, -(10**14)])
def test_an_event_that_is_sent_again_is_known_when_it_is_sealed(store: Store, first: int) -> None:
    """The same epoch and value is the same event, however long ago, in whatever year."""
    store.declare("event", {"": "1"})
    events = [Sample("event", {"": n % 3}, 0, str(first + n)) for n in range(FULL)]
    store.append(events)
    store.seal()

    assert blocks(store) == [(3, FULL)]
    assert store.append(events, once=True) == 0
    another = [Sample("event", {"": 7}, 0, str(first + 5))]
    assert store.append(another, once=True) == 1


def test_a_flood_is_over_before_it_is_sealed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it lasts so long that too much would wait."""
    monkeypatch.setattr(sealer, "LOOK_S", 0.0)
    monkeypatch.setattr(sealer, "BACKLOG", 200)
    one = Sealer(store.writer, store.path, store.segments.standing)
    rows = [("sample", n, 1, 1, n, None, "[1,2]") for n in range(100)]
    calm = one.is_flooded()
    one.count(rows)
    flooded = (one.is_flooded(), one.is_flooded())
    one.count(rows)
    one.stop()

    assert (calm, flooded, one.is_flooded()) == (False, (True, False), False)


def test_counts_and_the_newest_do_not_depend_on_sealing(store: Store, clock: FakeClock) -> None:
    """A page shows the same before and after."""
    poll(store, clock, FULL)
    store.flush()
    with closing(open_reader(store.path)) as db:
        before = (series.count(db), series.latest(db), series.recent(db))
        store.seal()
        after = (series.count(db), series.latest(db), series.recent(db))

    assert blocks(store) == [(1, FULL)]
    assert after == before


def test_history_reads_fresh_and_sealed_as_one(store: Store, clock: FakeClock) -> None:
    """Every reading once, in the order of time, at the time of its poll."""
    start = clock.wall() * 1000
    poll(store, clock, 2 * FULL + 500)
    store.seal()
    with closing(open_reader(store.path)) as db:
        [temperature] = find(db, keys=["air.temperature"])
        found = list(History(db).read(temperature.id, start, start + 10_000 * SECOND))

    assert [t for t, _, _ in found] == [start + n * SECOND for n in range(1, 2 * FULL + 501)]
    assert [value for _, _, value in found] == [20 + n % 7 / 10 for n in range(2 * FULL + 500)]


def test_history_is_whole_at_every_moment_of_sealing(store: Store, clock: FakeClock) -> None:
    """Whoever reads between two pieces of the work finds each reading once, and right rollups."""
    start = clock.wall() * 1000
    edges = range(start, start + 3 * FULL * SECOND, 100 * SECOND)
    poll(store, clock, 2 * FULL + 500)
    store.flush()
    with closing(open_reader(store.path)) as db:
        [temperature] = find(db, keys=["air.temperature"])
        history = History(db)
        sight = []
        more = True
        while more:
            more = store.sealer.step()
            rolled = [(t, stats.count) for t, stats in history.rollup(temperature.id, edges)]
            sight.append((list(history.read(temperature.id, start, edges[-1])), rolled))

    assert len(sight) > 2
    assert len(sight[0][0]) == 2 * FULL + 500
    assert all(found == sight[0] for found in sight)


@pytest.mark.fault(46)
def test_moments_that_lie_farther_apart_than_an_integer_holds_are_sealed(store: Store) -> None:
    """Somebody gave milliseconds of milliseconds, before and after 1970, and now."""
    epochs = ["-4.5e17", "1.7e9", "4.5e17"]
    store.declare("event", {"": "1"})
    store.append([Sample("event", {"": n}, 0, epochs[n % 3]) for n in range(FULL)])
    store.seal()
    with closing(open_reader(store.path)) as db:
        [info] = find(db, keys=["event"])
        found = len(list(History(db).read(info.id, 1_700_000_000 * SECOND, 1_700_000_001 * SECOND)))

    assert blocks(store) == [(3, FULL)]
    assert found == len(range(1, FULL, 3))
    assert {point.epoch for point in drain(store, "there")} == {*epochs}


def test_a_damaged_block_is_left_out_and_told(
    store: Store, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its CRC is wrong: none of it is returned as data; the rest is."""
    poll(store, clock, 2 * FULL)
    store.seal()
    connection: sqlite3.Connection = store.writer.connection
    connection.execute("UPDATE block SET data = substr(data, 1, 99) || x'00' || substr(data, 101)")
    connection.execute("UPDATE block SET data = x'' WHERE id = 2")
    points = drain(store, "there")

    assert {point.series for point in points} == {"door.closed"}
    assert "block 1 with 1024 samples is damaged and left out" in caplog.text
