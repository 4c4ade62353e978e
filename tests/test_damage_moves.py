"""A damaged store is moved whole, and once; what was moved by halves is finished or goes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from damage_rig import NAME, declare, everything, flip, make, zero_first

from pilogger.errors import StoreBroken
from pilogger.store import Store, damage
from pilogger.testing import FakeClock

LATER = FakeClock(boot_id="boot-2")


def test_a_move_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    """The power went between two files: the database goes last, so the rest follows it."""
    before = make(tmp_path, killed=True)
    folder = tmp_path / f"{NAME}-damaged-1"
    folder.mkdir()
    (tmp_path / f"{NAME}-wal").rename(folder / f"{NAME}-wal")
    store = Store.open(tmp_path / NAME, LATER)
    declare(store)
    assert store.salvage.join(30)
    after = everything(store)
    store.close()

    assert after == before
    assert not folder.exists()


def test_a_move_that_the_disk_refused_goes_on_into_the_same_folder(tmp_path: Path) -> None:
    """Else the database would lie in one folder, and its log in another."""
    before = make(tmp_path, killed=True)
    zero_first(tmp_path / NAME, Random(1))
    folder = tmp_path / f"{NAME}-damaged-1"
    folder.mkdir()
    (tmp_path / f"{NAME}-wal").rename(folder / f"{NAME}-wal")
    moved = damage.move_aside(tmp_path / NAME, "its disk said so")
    store = Store.open(tmp_path / NAME, LATER)
    declare(store)
    assert store.salvage.join(30)
    after = everything(store)
    store.close()

    assert moved == folder
    assert after == before


def test_no_store_is_moved_because_a_folder_is_empty(tmp_path: Path) -> None:
    """Nothing had been moved there when the power failed, or somebody deleted what was in it."""
    before = make(tmp_path, killed=False)
    (tmp_path / f"{NAME}-damaged-1").mkdir()
    store = Store.open(tmp_path / NAME, LATER)
    after = everything(store)
    store.close()

    assert after == before
    assert store.salvage.state() == []
    assert not list(tmp_path.glob("*damaged*"))


def test_the_rest_of_a_folder_that_was_deleted_goes(tmp_path: Path) -> None:
    """The power failed between two of its files: it has another name by then."""
    before = make(tmp_path, killed=False)
    rest = tmp_path / f"{NAME}-salvaged-1"
    rest.mkdir()
    (rest / f"{NAME}-wal").write_bytes(b"of another store")
    store = Store.open(tmp_path / NAME, LATER)
    after = everything(store)
    store.close()

    assert after == before
    assert not rest.exists()


def test_somebody_elses_file_is_never_moved(tmp_path: Path) -> None:
    """Neither text, nor bytes, nor a database, damaged or not; also not at the second try."""
    database = tmp_path / "theirs.db"
    with closing(sqlite3.connect(database)) as db:
        db.executescript("CREATE TABLE segment (a); INSERT INTO segment VALUES ('mine');")
    flip(database, 20, Random(1))
    (tmp_path / "notes.txt").write_text("my notes, which are longer than a hundred bytes " * 20)
    (tmp_path / "photo.jpg").write_bytes(Random(1).randbytes(100_000))
    for name in ("theirs.db", "notes.txt", "photo.jpg"):
        before = (tmp_path / name).read_bytes()
        for _ in range(2):
            with pytest.raises(StoreBroken):
                Store.open(tmp_path / name, LATER)
        assert (tmp_path / name).read_bytes() == before
    assert not list(tmp_path.glob("*damaged*"))
