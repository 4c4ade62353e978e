"""A store keeps within its bounds: by age and by size; what had to go is counted, exactly."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilogger.errors import StoreError
from pilogger.sample import Sample
from pilogger.series import History, count, find
from pilogger.store import (
    Bounds,
    Order,
    Outbox,
    SetAside,
    Store,
    ballast,
    checkpoint,
    evicted,
    eviction,
    open_reader,
    retention,
    sealer,
)
from pilogger.store.points import Points
from pilogger.testing import FakeClock

DAY = 86_400
NANO = 1_000_000_000
BLOCK = 16


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of few samples, pieces of few blocks, a trifle for ballast; age is always due."""
    monkeypatch.setattr(sealer, "FULL", BLOCK)
    monkeypatch.setattr(sealer, "SHORT", BLOCK // 2)
    monkeypatch.setattr(eviction, "BLOCKS", 2)
    monkeypatch.setattr(eviction, "ROWS", 5)
    monkeypatch.setattr(retention, "AGE_EVERY_S", 0)
    monkeypatch.setattr(ballast, "MOST", 4096)


class Rig:
    """A store whose every reading is either readable or counted."""

    def __init__(self, path: Path, clock: FakeClock, bounds: Bounds = retention.USUAL) -> None:
        self.path, self.clock, self.bounds = path, clock, bounds
        self.appended = 0
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.path, self.clock, bounds=self.bounds)
        self.store.declare("air", {"temperature": "Cel", "humidity": "%"})
        self.store.declare("door", {"closed": "1"})

    def poll(self, samples: int, every: float = 60.0) -> None:
        """Poll `air` now and then, and `door` at each fourth time."""
        for number in range(samples):
            self.clock.advance(every)
            found = [Sample("air", {"temperature": number / 10, "humidity": 4}, self.clock.boot())]
            if number % 4 == 0:
                found.append(Sample("door", {"closed": number % 8 == 0}, self.clock.boot()))
            self.appended += self.store.append(found)

    def squeeze(self, pieces: int = 1, reason: retention.Reason = "size") -> None:
        """Take out so many pieces as if the room were short."""
        self.store.flush()
        for _ in range(pieces):
            self.store.keeper._trim(reason)

    def gone(self) -> dict[str, dict[str, int]]:
        with closing(open_reader(self.path)) as db:
            return evicted(db)

    def check(self) -> None:
        """Every reading that was ever appended is readable or counted."""
        self.store.flush()
        with closing(open_reader(self.path)) as db:
            assert count(db) + sum(it["readings"] for it in evicted(db).values()) == self.appended
            (fresh,) = db.execute("SELECT count(*) FROM sample").fetchone()
        assert self.store.sealer.waiting == fresh

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "pilogger.db", FakeClock())
    yield rig
    rig.close()


def drain(outbox: Outbox, limit: int = 50) -> int:
    """Send everything; returns how many readings that were."""
    sent = 0
    while batch := outbox.take(limit):
        sent += len(batch.points)
        outbox.settle(batch)
    return sent


def times(rig: Rig, key: str = "air.temperature") -> list[int]:
    """The times of a series, in seconds since 1970."""
    with closing(open_reader(rig.path)) as db:
        [info] = find(db, keys=[key])
        return [t // NANO for t, _, _ in History(db).read(info.id, 0, 2**62)]


# -- by age ------------------------------------------------------------------------------


def test_what_is_older_than_keep_goes(rig: Rig) -> None:
    """At the latest a day after; what is younger stays, and the rest is counted."""
    rig.poll(4 * BLOCK, every=DAY / 8)  # 8 days
    rig.store.seal()
    rig.store.keeper.limit(Bounds(keep=3 * DAY))
    rig.store.trim()

    now = rig.clock.wall() // 1_000_000
    assert now - 4 * DAY <= times(rig)[0] <= now - 3 * DAY + DAY // 8
    assert times(rig)[-1] == now
    assert rig.gone().keys() == {"age"}
    rig.check()


def test_fresh_readings_that_wait_for_a_block_grow_old_too(rig: Rig) -> None:
    """A slow sensor needs weeks to fill a block."""
    rig.poll(BLOCK - 1, every=DAY)
    rig.store.seal()
    rig.store.keeper.limit(Bounds(keep=3 * DAY))
    rig.store.trim()

    assert len(times(rig)) == 4
    rig.check()


@pytest.mark.fault(48)
def test_nothing_is_too_old_while_the_clock_is_not_right(tmp_path: Path) -> None:
    """Whatever the clock says, and however many years ahead it is."""
    rig = Rig(tmp_path / "x.db", FakeClock(), Bounds(keep=DAY))
    rig.poll(2 * BLOCK)
    rig.store.seal()
    rig.close()
    ahead = rig.clock.wall() + 1000 * DAY * 1_000_000
    rig.clock = rig.clock.reboot("boot-2", restored=ahead)
    rig.open()
    rig.poll(2 * BLOCK)
    rig.store.seal()
    rig.store.trim()

    assert rig.store.segments.present.wall(rig.clock.boot()) > ahead
    assert rig.gone() == {}
    rig.check()
    rig.close()


def test_readings_whose_time_was_never_right_go_with_those_that_came_later(
    tmp_path: Path,
) -> None:
    """Of themselves nothing is known; but they came before what is certainly too old."""
    before = FakeClock(synced=False)
    rig = Rig(tmp_path / "x.db", before)
    rig.poll(BLOCK)
    rig.store.seal()
    rig.close()
    rig.clock = before.reboot("boot-2")
    rig.clock.ntp()
    rig.open()
    rig.store.tend_clock()
    rig.store.keeper.limit(Bounds(keep=10 * DAY))
    rig.clock.advance(20 * DAY)
    rig.store.tend_clock()
    rig.store.trim()
    assert rig.gone() == {}

    rig.poll(2 * BLOCK)
    rig.store.seal()
    rig.clock.advance(20 * DAY)
    rig.store.tend_clock()
    waiting = rig.store.outbox("there", unsynced="hold")
    drain(waiting)
    rig.store.trim()
    assert waiting.pending() == 2 * BLOCK + BLOCK // 4
    assert rig.gone()["age"] == {"readings": 4 * BLOCK, "unsent": 0}

    rig.store.forget(waiting)
    rig.poll(2 * BLOCK)
    rig.store.seal()
    rig.clock.advance(20 * DAY)
    rig.store.tend_clock()
    rig.store.trim()
    assert rig.store.segments[1].state == "estimated"
    assert times(rig) == []
    rig.check()
    rig.close()


def test_what_a_destination_has_not_had_is_kept_longer(rig: Rig) -> None:
    """Until it has, or is no destination any more."""
    slow, gone = rig.store.outbox("slow"), rig.store.outbox("gone")
    rig.poll(4 * BLOCK)
    rig.store.seal()
    rig.clock.advance(100 * DAY)
    rig.store.keeper.limit(Bounds(keep=DAY))
    drain(slow)
    rig.store.trim()
    assert rig.gone() == {}
    assert gone.pending() == rig.appended

    rig.store.forget(gone)
    rig.store.trim()
    assert rig.gone() == {"age": {"readings": rig.appended, "unsent": 0}}
    assert rig.store.keeper.state()["removed"] == ["gone"]
    assert slow.pending() == 0


def test_what_is_to_be_sent_again_is_kept_longer(rig: Rig) -> None:
    """A span before the cursor holds back its blocks, and no others."""
    rig.poll(4 * BLOCK)
    rig.store.seal()
    drain(rig.store.outbox("there"))
    rig.close()
    rig.open()
    with rig.store.writer.alone() as db:
        db.execute("INSERT INTO held VALUES ('there', 1, 3, 'salvaged')")
    outbox = rig.store.outbox("there")
    rig.clock.advance(100 * DAY)
    rig.store.keeper.limit(Bounds(keep=DAY))
    rig.store.trim()

    assert outbox.pending() == 5
    assert len(times(rig)) == BLOCK
    assert drain(outbox) == 5
    rig.store.trim()
    assert times(rig) == []
    rig.check()


# -- by size -----------------------------------------------------------------------------


@pytest.mark.fault(19)
def test_a_store_does_not_grow_beyond_max_size(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its files together; the oldest readings go, and their pages are used again."""
    monkeypatch.setattr(ballast, "MOST", 200_000)
    monkeypatch.setattr(checkpoint, "LONG", 50_000)
    rig.store.keeper.limit(Bounds(max_size=700_000))
    rig.store.declare("noise", {"": "1"})
    random = Random(1)
    for _ in range(20):
        rig.clock.advance(60)
        words = [random.randbytes(100).hex() for _ in range(200)]
        samples = [Sample("noise", {"": word}, rig.clock.boot()) for word in words]
        rig.appended += rig.store.append(samples)
        rig.store.seal()
        rig.store.trim()
    found = times(rig, "noise")

    assert retention.size(rig.path) <= 700_000
    assert found[-1] == rig.clock.wall() // 1_000_000
    assert rig.appended > rig.gone()["size"]["readings"] == rig.appended - len(found) > 1000
    rig.check()


def test_what_was_not_sent_does_not_hold_back_max_size(rig: Rig) -> None:
    """It is counted as not sent, and nobody waits for it any more."""
    there, here = rig.store.outbox("there"), rig.store.outbox("here")
    rig.poll(4 * BLOCK)
    rig.store.seal()
    drain(here)
    batch = there.take(10)
    assert batch is not None
    rig.squeeze()
    gone = rig.gone()["size"]
    left = rig.appended - gone["readings"]
    in_hand = len(batch.points)

    assert gone["unsent"] == gone["readings"] > in_hand
    assert (here.pending(), there.pending()) == (0, left + in_hand)
    there.settle(batch)
    assert there.pending() == left
    assert drain(there) == left
    assert there.pending() == 0
    rig.check()


def test_what_goes_while_it_is_under_way_is_unsent_until_it_has_arrived(rig: Rig) -> None:
    """The process may be killed before the answer comes: then nobody knows any more."""
    outbox = rig.store.outbox("there")
    rig.poll(4 * BLOCK)
    rig.store.seal()
    batch = outbox.take(10)
    assert batch is not None
    rig.squeeze()
    gone = rig.gone()["size"]["readings"]
    before, under_way = rig.gone()["size"]["unsent"], rig.store.keeper.under_way.readings
    first, *others = (SetAside(point, "no") for point in batch.points)
    outbox.settle(batch, [first])
    rig.check()

    assert (before, under_way) == (gone, len(others) + 1)
    assert rig.gone()["size"] == {"readings": gone, "unsent": gone - len(batch.points)}
    assert rig.store.keeper.under_way.readings == 0


def test_what_is_under_way_to_one_and_was_not_sent_to_another_stays_unsent(rig: Rig) -> None:
    """It has arrived when the last of those has it who had taken it, and nobody else lacks it."""
    places = [rig.store.outbox(name) for name in ("a", "b", "c")]
    rig.poll(BLOCK)
    taken = [(place, place.take(limit)) for place, limit in zip(places, (5, 10, 15), strict=True)]
    rig.squeeze(20)
    counts = [rig.gone()["size"]["unsent"]]
    for place, batch in taken:
        assert batch is not None
        place.settle(batch)
        rig.store.flush()
        counts.append(rig.gone()["size"]["unsent"])
    least = min(len(batch.points) for _, batch in taken if batch)

    assert counts == [rig.appended] * 3 + [rig.appended - least]
    assert rig.store.keeper.under_way.readings == 0


@pytest.mark.parametrize("restart", [True, False])
def test_what_was_under_way_when_its_sender_ended_stays_unsent(rig: Rig, restart: bool) -> None:
    """Another batch of the same destination does not bring it back."""
    outbox = rig.store.outbox("there")
    rig.poll(2 * BLOCK)
    assert outbox.take(10)
    rig.squeeze(20)
    if restart:
        rig.close()
        rig.open()
    else:
        rig.store.forget(outbox)
    outbox = rig.store.outbox("there")
    rig.poll(3)
    sent = drain(outbox)
    rig.check()

    assert rig.gone()["size"]["unsent"] == rig.appended - sent
    assert rig.store.keeper.under_way.readings == 0


@pytest.mark.parametrize("held", [True, False])
def test_an_old_journal_takes_nothing_out_of_the_count_twice(tmp_path: Path, held: bool) -> None:
    """Beyond the cursor, or in a span before it: a destination moves on, and only once."""
    rig = Rig(tmp_path / "x.db", FakeClock())
    rig.poll(BLOCK)
    if held:
        drain(rig.store.outbox("there"))
        rig.close()
        rig.open()
        with rig.store.writer.alone() as db:
            db.execute("INSERT INTO held VALUES ('there', 1, ?, 'salvaged')", [rig.store.last])
    outbox = rig.store.outbox("there")
    batch = outbox.take(10)
    assert batch is not None
    rig.squeeze(20)
    outbox.settle(batch)
    journals = {file: file.read_bytes() for file in tmp_path.glob("*-fresh-*")}
    rig.close()
    expected = {"readings": rig.appended, "unsent": rig.appended - len(batch.points)}
    assert rig.gone()["size"] == expected
    for file, data in journals.items():
        file.write_bytes(data)
    rig.open()
    rig.check()
    rig.close()

    assert any(b'"arrived"' in data for data in journals.values())
    assert rig.gone()["size"] == expected


def test_a_destination_goes_on_behind_what_is_gone(rig: Rig) -> None:
    """Also when all that it had to send is gone."""
    outbox = rig.store.outbox("there")
    rig.poll(3 * BLOCK)
    rig.store.seal()
    rig.squeeze(20)

    assert outbox.pending() == 0
    assert outbox.take(100) is None
    rig.poll(3)
    assert drain(outbox) == outbox.sent == 7


def test_rollups_go_with_their_readings(rig: Rig) -> None:
    """What is summed up is what can be read."""
    rig.poll(8 * BLOCK, every=300)
    rig.store.seal()
    rig.squeeze(2)
    rig.store.seal()
    with closing(open_reader(rig.path)) as db:
        [info] = find(db, keys=["air.temperature"])
        (rolled,) = db.execute(
            "SELECT sum(count) FROM quarter WHERE series = ?", [info.id]
        ).fetchone()
        (fresh,) = db.execute("SELECT count(*) FROM sample WHERE source = 1").fetchone()
        whole = History(db).summary(info.id, 0, 2**62)
        days = db.execute("SELECT count(*) FROM thinned").fetchone()

    assert rolled == len(times(rig)) - fresh > 0
    assert whole is not None
    assert whole.count == len(times(rig))
    assert days == (0,)


@pytest.mark.fault(19)
def test_thin_keeps_the_rollups_of_what_goes(rig: Rig) -> None:
    """Sums over whole quarters stay what they were, also when other periods are mended."""
    rig.poll(16 * BLOCK, every=300)
    rig.store.seal()
    before = rollups(rig)
    rig.store.keeper.limit(Bounds(when_full="thin"))
    with rig.store.writer.alone() as db:  # what is not right yet is made right before
        db.execute("UPDATE quarter SET count = 999")
    make_stale(rig)
    with closing(open_reader(rig.path)) as db:
        while db.execute("SELECT count(*) FROM block").fetchone() != (0,):
            rig.squeeze()
        [info] = find(db, keys=["air.temperature"])
        make_stale(rig)
        whole = History(db).summary(info.id, 0, 2**62)
    rig.store.seal()

    assert len(before) > 100
    assert rollups(rig) == before
    assert whole is not None
    assert whole.count == 16 * BLOCK
    assert rig.gone()["size"]["readings"] > 100
    rig.check()


def test_thin_gives_up_quarters_and_hours_when_no_readings_are_left(rig: Rig) -> None:
    """The oldest first; days stay, and so does what is not sealed."""
    rig.poll(32 * BLOCK, every=3600)
    rig.store.seal()
    rig.store.keeper.limit(Bounds(when_full="thin"))
    sizes = []
    with closing(open_reader(rig.path)) as db:
        for _ in range(60):
            rig.squeeze()
            make_stale(rig)
            rig.store.seal()
            sizes.append(
                [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in LEFT]
            )
        days = db.execute("SELECT sum(count) FROM day WHERE series = 1").fetchone()

    blocks, quarters, hours, whole_days = zip(*sizes, strict=True)
    assert (blocks[-1], quarters[-1], hours[-1]) == (0, 0, 0)
    assert all(not b or q == quarters[0] for b, q in zip(blocks, quarters, strict=True))
    assert all(not q or h == hours[0] for q, h in zip(quarters, hours, strict=True))
    assert set(whole_days) == {whole_days[0]}
    assert days == (32 * BLOCK,)
    rig.check()


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_what_comes_late_adds_to_what_is_kept(rig: Rig, pieces: int) -> None:
    """Where the readings are gone, or the quarters too, or the hours, the sums go on."""
    rig.store.declare("event", {"": "1"})
    events = [Sample("event", {"": n}, 0, str(1_700_000_000 + n)) for n in range(BLOCK)]
    rig.appended += rig.store.append(events)
    rig.store.seal()
    rig.store.keeper.limit(Bounds(when_full="thin"))
    rig.squeeze(pieces)
    with rig.store.writer.alone() as db:
        db.execute("INSERT INTO stale SELECT id, 1699999200, 1700001000 FROM series")
    rig.appended += rig.store.append(events)
    rig.store.seal()
    with closing(open_reader(rig.path)) as db:
        found = db.execute("SELECT count, sum, min, max FROM day").fetchall()

    assert found == [(2 * BLOCK, 240, 0, BLOCK - 1)]
    assert rig.gone()["size"]["readings"] == BLOCK
    rig.check()


def test_what_is_erased_leaves_the_kept_rollups_too(rig: Rig) -> None:
    """Whole periods of them: of what a span only cuts, nothing can be taken out any more."""
    rig.poll(8 * BLOCK, every=300)
    rig.store.seal()
    rig.store.keeper.limit(Bounds(when_full="thin"))
    rig.squeeze(3)
    points = Points(rig.store)
    with closing(open_reader(rig.path)) as db:
        quarters = "SELECT count(*) FROM quarter WHERE series = 1 AND start BETWEEN ? AND ?"
        span = (1_767_229_200, 1_767_232_799)
        before = db.execute(quarters, span).fetchone()
        points.erase(1, span[0] * NANO, (span[1] + 1) * NANO)
        rig.store.seal()
        after = db.execute(quarters, span).fetchone()
        (hour,) = db.execute("SELECT count FROM day WHERE series = 1 LIMIT 1").fetchone()

    assert (before, after) == ((4,), (0,))
    assert hour == 8 * BLOCK - 12


def make_stale(rig: Rig) -> None:
    """Have all rollups of the first two days computed anew, from what there is."""
    with rig.store.writer.alone() as db:
        db.execute("INSERT OR IGNORE INTO stale SELECT id, 1767225600, 1767398400 FROM series")


def rollups(rig: Rig) -> list[tuple[int, ...]]:
    """What every rollup says but for the sums, whose last digit may change."""
    query = " UNION ALL ".join(f"SELECT series, start, count, min, max FROM {t}" for t in TIERS)
    with closing(open_reader(rig.path)) as db:
        return db.execute(query).fetchall()


TIERS = ("quarter", "hour", "day")
LEFT = ("block", *TIERS)


@pytest.mark.fault(19)
def test_stop_takes_no_more(rig: Rig) -> None:
    """Nothing goes, appends are refused with a sentence, and taken again when there is room."""
    rig.poll(BLOCK)
    rig.store.seal()
    rig.store.keeper.limit(Bounds(max_size=1000, when_full="stop"))
    rig.store.trim()
    with pytest.raises(StoreError, match="takes no more: it is as large as it may be"):
        rig.poll(1)
    assert rig.gone() == {}

    rig.store.keeper.limit(Bounds(max_size=10**7, when_full="stop"))
    rig.store.trim()
    rig.poll(1)
    rig.check()


def test_evictions_are_told_once_a_run(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """And not for each block."""
    caplog.set_level(logging.INFO, "pilogger.store")
    rig.poll(6 * BLOCK)
    rig.store.seal()
    rig.clock.advance(100 * DAY)
    rig.store.keeper.limit(Bounds(keep=DAY))
    rig.store.trim()
    rig.store.trim()

    told = [record.message for record in caplog.records if "went" in record.message]
    assert told == [f"{rig.appended} readings went: they are older than store.keep"]


def test_an_old_journal_does_not_bring_evicted_samples_back(rig: Rig) -> None:
    """After a power cut the journal may be one from before."""
    rig.poll(BLOCK - 2)
    journals = {file: file.read_bytes() for file in rig.path.parent.glob("*-fresh-*")}
    rig.squeeze(10)
    rig.close()
    for file, data in journals.items():
        file.write_bytes(data)
    rig.open()

    assert any(journals.values())
    assert times(rig) == []
    rig.check()


# -- whatever happens --------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("poll"), st.integers(1, 40)),
        st.tuples(st.just("seal"), st.just(0)),
        st.tuples(st.just("size"), st.integers(1, 4)),
        st.tuples(st.just("age"), st.integers(1, 5)),
        st.tuples(st.just("sleep"), st.integers(1, 3 * DAY)),
        st.tuples(st.just("send"), st.integers(1, 60)),
        st.tuples(st.just("take"), st.integers(1, 60)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=25,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS, st.booleans(), st.sampled_from(["oldest_first", "live_first"]))
def test_every_reading_is_readable_or_counted(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int]],
    thin: bool,
    order: Order,
) -> None:
    """In any order of appends, seals, evictions, deliveries and restarts: exactly."""
    bounds = Bounds(when_full="thin" if thin else "drop_oldest")
    rig = Rig(tmp_path_factory.mktemp("any") / "x.db", FakeClock(), bounds)
    outbox = rig.store.outbox("there", order=order)
    for what, number in steps:
        if what == "poll":
            rig.poll(number)
        elif what == "seal":
            rig.store.seal()
        elif what == "size":
            rig.squeeze(number)
        elif what == "age":
            rig.store.keeper.limit(bounds._replace(keep=number * DAY))
            rig.store.trim()
            rig.store.keeper.limit(bounds)
        elif what == "sleep":
            rig.clock.advance(number)
        elif what in ("send", "take"):
            batch = outbox.take(number)
            if batch and what == "send":
                outbox.settle(batch)
        else:
            rig.close()
            rig.open()
            outbox = rig.store.outbox("there", order=order)
        rig.check()
        unsent = sum(it["unsent"] for it in rig.gone().values())
        gone = unsent - rig.store.keeper.under_way.readings
        assert outbox.sent + outbox.pending() + gone == rig.appended
    pending = outbox.pending()
    assert drain(outbox) == pending
    assert outbox.pending() == 0
    rig.close()
