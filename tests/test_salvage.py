"""What is undamaged comes back, once, as what it was; nothing else does."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from damage_rig import (
    HARMS,
    NAME,
    Harm,
    Reading,
    declare,
    drain,
    everything,
    is_hit,
    look_through,
    make,
    of,
    overwrite,
    page_size,
    places,
    zero_first,
)

from pilogger import tell
from pilogger.sample import Sample
from pilogger.status import read
from pilogger.store import Store, open_reader
from pilogger.store.remains import Remains
from pilogger.testing import FakeClock

CASES = 40


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[Reading]]:
    """A closed store, and what is in it."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, make(folder, killed=False, pieces=3)


@pytest.fixture(scope="module")
def where(whole: tuple[Path, set[Reading]]) -> dict[int, list[Harm]]:
    """Where in the file the bytes of each sample are."""
    return dict(places(whole[0] / NAME))


def settled(folder: Path) -> int:
    with closing(open_reader(folder / NAME)) as db:
        (seq,) = db.execute("SELECT seq FROM destination WHERE name = 'there'").fetchone()
    return int(seq)


def reopen(path: Path) -> Store:
    store = Store.open(path, FakeClock(boot_id="boot-2"))
    declare(store)
    return store


@pytest.mark.fault(24, 25)
@pytest.mark.parametrize("seed", range(CASES))
def test_undamaged_readings_are_there_and_no_wrong_ones(
    tmp_path: Path, whole: tuple[Path, set[Reading]], where: dict[int, list[Harm]], seed: int
) -> None:
    """Whatever was damaged: collection goes on, and 99 % of what was not hit can be read."""
    folder, before = whole
    path = tmp_path / "run" / NAME
    shutil.copytree(folder, path.parent)
    harms = HARMS[seed % len(HARMS)](path, Random(seed))
    hit = {seq for seq, spans in where.items() if is_hit(spans, harms)}
    undamaged = {reading for reading in before if reading[1] not in hit}
    store = reopen(path)
    store.append([Sample("door", {"closed": True}, 200_000_000)])
    own = (store.last, True)
    look_through(store)
    assert store.salvage.join(60)
    after = {reading for reading in everything(store) if (reading[1], reading[3]) != own}
    store.close()

    assert after <= before
    assert len(after & undamaged) >= 0.99 * len(undamaged)


@pytest.mark.parametrize("killed", [False, True])
def test_what_a_destination_had_not_had_is_sent_in_order(tmp_path: Path, killed: bool) -> None:
    """From where it was, not from the start; first the old readings, then the new ones."""
    before = make(tmp_path, killed=killed)
    cursor = 0 if killed else settled(tmp_path)
    zero_first(tmp_path / NAME, Random(1))
    store = reopen(tmp_path / NAME)
    assert store.salvage.join(60)
    store.append([Sample("door", {"closed": True}, 200_000_000)])
    points = drain(store)
    after = everything(store)
    outbox = store.outbox("another")
    pending = outbox.pending()
    store.close()

    assert before < after
    assert len(points) == len(of(points))
    if not killed:
        assert of(points) == {reading for reading in after if reading[1] > cursor}
    assert [point.seq for point in points] == sorted(point.seq for point in points)
    assert pending == len(after)


def test_a_destination_that_begins_now_is_sent_what_was_owed_to_it(tmp_path: Path) -> None:
    """It is new to the new store only: where it was is known when the old one is read."""
    make(tmp_path, killed=False)
    cursor = settled(tmp_path)
    zero_first(tmp_path / NAME, Random(1))
    store = reopen(tmp_path / NAME)
    store.salvage.stop()
    store.outbox("there", start="now")
    store.outbox("another", start="now")
    store.close()
    store = reopen(tmp_path / NAME)
    assert store.salvage.join(60)
    after = everything(store)
    points, none = drain(store), drain(store, "another")
    store.close()

    assert of(points) == {reading for reading in after if reading[1] > cursor}
    assert len(points) == len(of(points)) > 0
    assert none == []


def test_new_readings_are_sent_while_old_ones_are_saved(tmp_path: Path) -> None:
    """A destination does not wait for the salvage; it is told that something is owed to it."""
    make(tmp_path, killed=False)
    zero_first(tmp_path / NAME, Random(1))
    store = reopen(tmp_path / NAME)
    store.salvage.stop()
    outbox = store.outbox("there")
    store.append([Sample("event", {"": "new"}, 0, "5")])
    batch = outbox.take(100)
    assert batch is not None
    outbox.settle(batch)

    assert [point.value for point in batch.points] == ["new"]
    assert outbox.take(100) is None
    assert "damaged store" in outbox.waiting
    store.close()


def test_a_salvaged_store_is_like_the_old_one(tmp_path: Path) -> None:
    """Series keep their ids for the world, names and tags; nothing is left of the folder."""
    before = make(tmp_path, killed=False)
    old = catalogue(tmp_path / NAME)
    zero_first(tmp_path / NAME, Random(1))
    store = reopen(tmp_path / NAME)
    assert store.salvage.join(60)
    state = store.salvage.state()
    store.close()
    said = tell.status(read(tmp_path / NAME))

    assert catalogue(tmp_path / NAME) == old
    assert [(one["saved"], one["lost"], one["kept"]) for one in state] == [(len(before), 0, False)]
    assert f"{len(before):,} readings of a damaged store saved, 0 lost" in said
    assert not list(tmp_path.glob("*damaged*"))


def catalogue(path: Path) -> list[tuple[object, ...]]:
    with closing(open_reader(path)) as db:
        return db.execute("SELECT key, unit, uid, name, tags FROM series ORDER BY key").fetchall()


@pytest.mark.parametrize("table", ["source", "series", "segment", "destination", "meta"])
def test_what_a_small_table_said_is_found_elsewhere(tmp_path: Path, table: str) -> None:
    """One page with all of a small table costs no reading: an index or the blocks know it too."""
    before = make(tmp_path, killed=False)
    with closing(open_reader(tmp_path / NAME)) as db:
        (page,) = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", [table]
        ).fetchone()
    size = page_size(tmp_path / NAME)
    overwrite(tmp_path / NAME, (page - 1) * size, bytes(size))
    overwrite(tmp_path / NAME, 0, bytes(100))
    store = reopen(tmp_path / NAME)
    assert store.salvage.join(60)
    after = everything(store)
    store.close()

    assert after == before


def test_an_erased_span_does_not_come_back(tmp_path: Path) -> None:
    """It was deleted, and not out of the blocks yet when the store was damaged; far times too."""
    before = make(tmp_path, killed=False)
    with closing(open_reader(tmp_path / NAME)) as db:
        (id,) = db.execute("SELECT id FROM series WHERE key = 'event'").fetchone()
    store = reopen(tmp_path / NAME)
    store.sealer.erases = False
    store.append([Sample("event", {"": "far"}, 0, epoch) for epoch in ("-1e12", "1e12")])
    store.seal()
    store.writer.write([("erase", id, -(2**63) + 1, 2**63 - 1, store.last)])
    store.close()
    overwrite(tmp_path / NAME, 0, b"\xff" * 16)
    store = reopen(tmp_path / NAME)
    assert store.salvage.join(60)
    after = everything(store)
    store.close()

    assert after == {reading for reading in before if reading[0] != "event"}


SALVAGER = """
import sys, time
from pathlib import Path
from pilogger.store import Store, salvage
from pilogger.testing import FakeClock

salvage.BLOCKS = 1
salvage.ROWS = 50
whole = salvage.Salvage._put

def slowly(self, wreck, *rest):
    whole(self, wreck, *rest)
    print(self.state()[0]["saved"], flush=True)
    time.sleep(0.01)

salvage.Salvage._put = slowly
store = Store.open(Path(sys.argv[1]), FakeClock(boot_id="boot-2"))
store.salvage.join()
print("done", flush=True)
"""


def test_kill_9_during_the_salvage_costs_and_doubles_nothing(tmp_path: Path) -> None:
    """Killed after one piece, after two, and so on: the next one goes on where it was."""
    before = make(tmp_path, killed=False)
    zero_first(tmp_path / NAME, Random(1))
    for pieces in range(1, 4):
        child = subprocess.Popen(
            [sys.executable, "-c", SALVAGER, str(tmp_path / NAME)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(pieces):
            assert child.stdout.readline().strip().isdigit()
        child.kill()
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
    store = reopen(tmp_path / NAME)
    assert store.salvage.join(60)
    (state,) = store.salvage.state()
    after = everything(store)
    store.flush()
    with closing(open_reader(store.path)) as db:
        (samples,) = db.execute("SELECT sum(samples) FROM block").fetchone()
    store.close()

    assert after == before
    assert state["saved"] == len(before)
    assert samples == len({seq for _, seq, _, _ in before})


def test_free_pages_bring_nothing_back(tmp_path: Path) -> None:
    """They still hold what was sealed, deleted or replaced; none of it is alive."""
    before = make(tmp_path, killed=False)
    remains = Remains(tmp_path / NAME)
    for _ in remains.look():
        pass
    found = [item for number in remains.full for item in remains.rows(number)]
    remains.close()
    samples = [item for item in found if item and len(item[1]) != 12]
    with closing(open_reader(tmp_path / NAME)) as db:
        (fresh,) = db.execute("SELECT count(*) FROM sample").fetchone()
        (blocks,) = db.execute("SELECT count(*) FROM block").fetchone()

    assert len(samples) == fresh
    assert len(found) - len(samples) == blocks
    assert before
