"""One writes, everyone may read: while it runs, after it stopped, as another user."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pilogger.errors import StoreBroken, StoreLocked
from pilogger.sample import Sample
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock

READ = """
import os, sys
from pathlib import Path
from pilogger.store import open_reader
os.setgid(65534); os.setuid(65534)
reader = open_reader(Path(sys.argv[1]))
print(reader.execute("SELECT count(*) FROM reading").fetchone()[0])
"""


def make(path: Path, readings: int) -> Store:
    store = Store.open(path, FakeClock())
    store.declare("n", {"": "1"})
    store.append([Sample("n", {"": n}, 0) for n in range(readings)])
    store.flush()
    return store


@pytest.mark.fault(28)
def test_a_second_writer_is_refused_by_name(tmp_path: Path) -> None:
    """The second process learns who holds the store; the first goes on."""
    store = make(tmp_path / "x.db", 1)
    with pytest.raises(StoreLocked, match=rf"another pilogger \(process {os.getpid()}\)"):
        Store.open(tmp_path / "x.db", FakeClock())

    assert store.append([Sample("n", {"": 5}, 0)]) == 1
    store.close()
    Store.open(tmp_path / "x.db", FakeClock()).close()


@pytest.mark.fault(30)
def test_a_symlink_is_the_same_store(tmp_path: Path) -> None:
    """Two names of one file do not make two writers."""
    store = make(tmp_path / "x.db", 1)
    (tmp_path / "other.db").symlink_to(tmp_path / "x.db")
    with pytest.raises(StoreLocked):
        Store.open(tmp_path / "other.db", FakeClock())
    store.close()


def test_a_reader_sees_commits_and_writes_nothing(tmp_path: Path) -> None:
    """`mode=ro` while the store is written: new commits show, writes fail."""
    store = make(tmp_path / "x.db", 2)
    reader = open_reader(store.path)
    before = reader.execute("SELECT count(*) FROM sample").fetchone()
    store.append([Sample("n", {"": 9}, 0)])
    store.flush()
    after = reader.execute("SELECT count(*) FROM sample").fetchone()
    with pytest.raises(Exception, match="readonly"):
        reader.execute("DELETE FROM sample")
    reader.close()
    store.close()

    assert (before, after) == ((2,), (3,))


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize("running", [True, False])
def test_another_user_can_read(public_path: Path, running: bool) -> None:
    """A stranger reads the store while it is written, and after a clean stop."""
    store = make(public_path / "x.db", 3)
    if not running:
        store.close()
    found = subprocess.run(
        [sys.executable, "-c", READ, str(store.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    store.close()

    assert (found.stdout, found.stderr) == ("3\n", "")


def test_no_store_is_said_so(tmp_path: Path) -> None:
    """A reader makes no file; the sentence names the path."""
    with pytest.raises(StoreBroken, match="there is no store at"):
        open_reader(tmp_path / "x.db")
    (tmp_path / "y.db").write_text("this is text, not a database at all. " * 9)
    with pytest.raises(StoreBroken, match="cannot be read as a store"):
        open_reader(tmp_path / "y.db")

    assert not (tmp_path / "x.db").exists()


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    """The sentence says what to do about it."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreBroken, match="cannot be made"):
        Store.open(tmp_path / "file" / "x.db", FakeClock())
    with pytest.raises(StoreBroken, match=r"cannot be written .* or set store\.path"):
        Store.open(Path("/proc/x.db"), FakeClock())


@pytest.mark.fault(30)
def test_a_second_name_of_the_file_is_refused(tmp_path: Path) -> None:
    """Locks go by name: through a hard link two could write."""
    make(tmp_path / "x.db", 1).close()
    (tmp_path / "y.db").hardlink_to(tmp_path / "x.db")
    with pytest.raises(StoreBroken, match="hard link"):
        Store.open(tmp_path / "y.db", FakeClock())


@pytest.mark.fault(27)
def test_a_store_without_a_write_ahead_log_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where SQLite has no shared memory it stays in another mode, and says no word."""
    connect = sqlite3.connect

    def without_memory(path: Path, **more: Any) -> sqlite3.Connection:
        found: sqlite3.Connection = connect(f"file:{path}?vfs=unix-dotfile", uri=True, **more)
        return found

    monkeypatch.setattr(sqlite3, "connect", without_memory)
    with pytest.raises(
        StoreBroken, match=r"cannot use a write-ahead log \(it stays in mode delete"
    ):
        Store.open(tmp_path / "x.db", FakeClock())
    monkeypatch.undo()
    Store.open(tmp_path / "x.db", FakeClock()).close()  # and nothing is in the way


def test_links_that_lead_to_one_another_are_said_so(tmp_path: Path) -> None:
    """A mistake of the file system is a sentence too."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(StoreBroken):
        Store.open(tmp_path / "a" / "x.db", FakeClock())


def test_a_journal_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    """As after one run by another user."""
    (tmp_path / "x.db-fresh-0").mkdir()
    with pytest.raises(StoreBroken, match=r"x\.db-fresh-0"):
        Store.open(tmp_path / "x.db", FakeClock())
    (tmp_path / "x.db-fresh-0").rmdir()
    Store.open(tmp_path / "x.db", FakeClock()).close()
