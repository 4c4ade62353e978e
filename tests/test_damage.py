"""A damaged store is noticed, gets out of the way, and nobody has to wait for it."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from damage_rig import (
    NAME,
    Reading,
    break_table,
    declare,
    drain,
    everything,
    fill,
    flip,
    make,
    of,
    overwrite,
    zero_first,
)

from pilogger.errors import StoreBroken
from pilogger.sample import Sample
from pilogger.series import History, find
from pilogger.store import Store, open_reader
from pilogger.store.blocks import GENERATION
from pilogger.store.damage import corrupt
from pilogger.store.sealer import FULL
from pilogger.testing import FakeClock

LATER = FakeClock(boot_id="boot-2")


@pytest.fixture
def live(tmp_path: Path) -> Store:
    """A store in use, with history, fresh rows and a destination that has had some of it."""
    clock = FakeClock()
    store = Store.open(tmp_path / NAME, clock, durability=3600)
    declare(store)
    fill(store, clock, 1500, Random(1))
    store.seal()
    fill(store, clock, 100, Random(2))
    store.flush()
    return store


def lost(store: Store) -> tuple[int, int]:
    with closing(open_reader(store.path)) as db:
        row: tuple[int, int] | None = db.execute(
            "SELECT readings, unsent FROM evicted WHERE reason = 'damaged'"
        ).fetchone()
    return row or (0, 0)


@pytest.mark.fault(24)
def test_a_store_that_cannot_be_opened_is_moved_aside_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its log and journals; a new one takes readings at once, with numbers far above."""
    before = make(tmp_path, killed=True)
    files = {file.name: file.read_bytes() for file in tmp_path.glob(f"{NAME}-[wf]*")}
    zero_first(tmp_path / NAME, Random(1))
    (tmp_path / f"{NAME}-wal").write_bytes(b"")
    store = Store.open(tmp_path / NAME, LATER)
    declare(store)
    store.append([Sample("door", {"closed": True}, 0)])

    assert store.last >= GENERATION > max(seq for _, seq, _, _ in before)
    assert {"x.db-fresh-0", "x.db-fresh-1", "x.db-wal"} == set(files)
    assert f"{NAME} is damaged (its head is not what was written): it was moved to" in caplog.text
    assert store.salvage.join(30)
    store.close()


@pytest.mark.fault(24)
@pytest.mark.parametrize("table", ["sample", "block", "block_last", "source"])
def test_damage_in_a_running_store_stops_nobody(live: Store, table: str) -> None:
    """What was taken is kept, what comes is taken, what can be saved comes back, all is sent."""
    before = everything(live)
    batch = (outbox := live.outbox("there")).take(1000)
    assert batch is not None
    outbox.settle(batch)
    break_table(live, table)
    waiting = Sample("door", {"closed": True}, LATER.boot())
    live.append([waiting] * 3)
    for _ in range(3):
        live.append([Sample("event", {"": "x"}, 0, f"{n}") for n in range(FULL)])
        live.flush()
        try:
            live.seal()
        except StoreBroken:
            continue  # it was damaged: now there is another one
    live.seal()
    assert live.salvage.join(30)
    after = everything(live)
    sent = of(list(batch.points)) | of(drain(live))
    live.close()

    assert live.writer.generation == 1
    assert after - before == {reading for reading in after if reading[3] in ("x", True)} - before
    assert len(after - before) == 3 * FULL + 3
    assert len(before - after) == lost(live)[0]
    assert after <= sent <= after | before


def test_a_damaged_page_that_a_destination_meets_does_not_stop_it(live: Store) -> None:
    """The outbox finds the damage first: the next try goes on."""
    before = everything(live)
    outbox = live.outbox("there")
    break_table(live, "block_seq")
    with pytest.raises(StoreBroken, match="was damaged"):
        outbox.take(1000)
    assert live.salvage.join(30)
    live.forget(outbox)
    points = drain(live)
    live.close()

    assert of(points) == before
    assert len(points) == len(before)


def test_what_was_not_committed_survives_the_change_of_files(live: Store, tmp_path: Path) -> None:
    """The journal of the new file has what the old one's had: kill -9 right after loses nothing."""
    live.append([Sample("event", {"": "only here"}, 0, "5")])
    number = live.last
    break_table(live, "sample")
    live.flush()
    with closing(open_reader(live.path)) as db:
        rows = db.execute("SELECT seq, data FROM sample").fetchall()
    live.close()

    assert (number, '["only here"]') in rows
    assert (tmp_path / f"{NAME}-damaged-1" / NAME).exists() or not live.salvage.pending


def test_facts_survive_the_change_of_files(live: Store) -> None:
    """A total that has not changed for long is in the new file, too, and so is a newer one."""
    live.remember("state.rain", "5")
    live.remember("state.wind", "6")
    live.flush()
    assert live.facts("state.r") == {"state.rain": "5"}
    break_table(live, "sample")
    live.remember("state.wind", "7")
    live.append([Sample("event", {"": "x"}, 0, "5")])
    live.flush()
    with closing(open_reader(live.path)) as db:
        rows = db.execute("SELECT key, value FROM meta WHERE key LIKE 'state.%'").fetchall()
    live.close()

    assert live.writer.generation == 1
    assert rows == [("state.rain", "5"), ("state.wind", "7")]


def test_a_store_of_which_nothing_is_left_is_known_by_what_is_beside_it(tmp_path: Path) -> None:
    """The lock file remembers that a store lived here, also after a clean stop."""
    path = tmp_path / NAME
    Store.open(path, LATER).close()
    path.write_bytes(Random(1).randbytes(10_000))
    store = Store.open(path, LATER)
    declare(store)
    assert store.salvage.join(30)
    folder = tmp_path / f"{NAME}-damaged-1"

    assert store.append([Sample("door", {"closed": True}, 0)]) == 1
    assert (folder / NAME).stat().st_size == 10_000
    assert "0 readings were saved" in (folder / "salvaged.txt").read_text()
    store.close()


def test_a_damaged_log_is_not_believed(tmp_path: Path) -> None:
    """SQLite would forget, without a word, what was committed behind the first bad byte."""
    before = make(tmp_path, killed=True)
    wal = tmp_path / f"{NAME}-wal"
    flip(wal, wal.stat().st_size // 3, Random(1))
    store = Store.open(tmp_path / NAME, LATER)
    declare(store)
    assert store.salvage.join(30)
    after = everything(store)
    store.close()

    assert after <= before
    assert len(after) >= 0.9 * len(before)


def test_a_torn_end_of_the_log_is_no_damage(tmp_path: Path) -> None:
    """The power went while a transaction was written: nothing of it was promised."""
    make(tmp_path, killed=True)
    wal = tmp_path / f"{NAME}-wal"
    flip(wal, wal.stat().st_size - 100, Random(1))
    store = Store.open(tmp_path / NAME, LATER)

    assert store.salvage.state() == []
    store.close()


@pytest.mark.fault(26)
def test_a_log_that_is_gone_gives_no_number_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody deleted -wal: what it held is lost, and said to be; numbers jump over it."""
    before = make(tmp_path, killed=True)
    (tmp_path / f"{NAME}-wal").unlink()
    store = Store.open(tmp_path / NAME, LATER)
    declare(store)
    store.append([Sample("door", {"closed": True}, 0)])

    assert store.last > max(seq for _, seq, _, _ in before)
    assert "the write-ahead log of" in caplog.text
    store.close()


@pytest.mark.fault(25)
def test_a_damaged_block_goes_and_is_counted_once(
    live: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Its readings are lost; its rollups stay, and nobody waits for it any more."""
    caplog.set_level(logging.ERROR)
    outbox = live.outbox("there")
    pending = outbox.pending()
    connection = live.writer.connection
    connection.execute(
        "UPDATE block SET data = substr(data, 1, 99) || x'0042' || substr(data, 102) WHERE id = 1"
    )
    for _ in range(2):
        live.inspect()
    outbox.take(1)
    with closing(open_reader(live.path)) as db:
        (rolled,) = db.execute("SELECT sum(count) FROM hour WHERE series = 1").fetchone()

    assert lost(live) == (2 * FULL, 2 * FULL)
    assert outbox.pending() == pending - 2 * FULL
    assert caplog.text.count("block 1 is damaged: 2048 readings are lost") == 1
    assert rolled == FULL
    live.close()


@pytest.mark.fault(25)
@pytest.mark.parametrize(
    "change",
    ["data = '[21.5,'", "data = '[21.5,41]'", "boot = boot + 1", "epoch = 5", "source = 2"],
)
def test_a_fresh_row_that_is_not_what_was_written_is_no_reading(live: Store, change: str) -> None:
    """Nobody is given it, though it may make sense; it goes, and is counted once."""
    before = everything(live)
    connection = live.writer.connection
    (seq,) = connection.execute("SELECT min(seq) FROM sample WHERE source = 1").fetchone()
    outbox = live.outbox("other")
    connection.execute(f"UPDATE sample SET {change} WHERE seq = ?", [seq])
    skipped = everything(live)
    with closing(open_reader(live.path)) as db:
        (info,) = find(db, keys=["air.humidity"])
        asked = {seq for _, seq, _ in History(db).read(info.id, 0, 10**19)}
    live.inspect()
    live.inspect()
    live.forget(outbox)
    sent = of(drain(live, "other"))

    assert before - skipped == {one for one in before if one[1] == seq}
    assert skipped <= before
    assert seq not in asked
    assert asked
    assert sent == everything(live) == skipped
    assert lost(live)[0] == (1 if change == "source = 2" else 2)
    live.close()


def test_numbers_and_segments_go_on_above_after_two_damages(tmp_path: Path) -> None:
    """Each new store begins above all that the ones before can have given."""
    seen: set[Reading] = set()
    path = tmp_path / NAME
    for generation in range(3):
        store = Store.open(path, LATER)
        declare(store)
        store.append([Sample("event", {"": generation}, 0, "7")])
        store.append([Sample("door", {"closed": True}, LATER.boot())])
        assert store.salvage.join(30)
        found = everything(store)
        assert seen < found
        assert len(found) == 2 * (generation + 1)
        assert len({seq for _, seq, _, _ in found}) == len(found)
        seen = found
        store.close()
        overwrite(path, 0, bytes(100))


@pytest.mark.fault(24)
def test_what_is_wrong_in_the_old_file_is_no_damage_of_the_new_one(live: Store) -> None:
    """The inspector looked at it, and somebody else stumbled before it could say so."""
    live.writer.connection.execute("UPDATE sample SET boot = boot + 1")
    with pytest.raises(StoreBroken), live.writer.reading(0):
        raise corrupt("somebody stumbled")
    live.inspector.step()
    live.flush()
    live.close()

    assert live.writer.generation == 1
    assert len(list(live.path.parent.glob("*-damaged-*"))) == 1
