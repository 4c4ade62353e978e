"""What is taken for a damaged store, a lost log or another program's file, and what is not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from damage_rig import NAME
from syscall_rig import needs_strace

from pilogger.errors import StoreBroken
from pilogger.sample import Sample
from pilogger.store import Store, damage
from pilogger.store.journal import Journal, Write
from pilogger.testing import FakeClock


@pytest.mark.fault(10)
def test_a_store_whose_tables_are_in_its_log_is_ours(tmp_path: Path) -> None:
    """The power fails while the first pages are moved from the log: no file of another program."""
    path, copy = tmp_path / NAME, tmp_path / "copy" / NAME
    with closing(sqlite3.connect(path)) as half:
        half.execute("PRAGMA journal_mode = WAL")
        half.execute("CREATE TABLE _sqlite_migrations (id)")
        half.commit()
        half.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        torn = path.read_bytes()
        half.execute("CREATE VIEW reading AS SELECT 1")
        half.commit()
        copy.parent.mkdir()
        copy.with_name(f"{NAME}-wal").write_bytes(path.with_name(f"{NAME}-wal").read_bytes())
        copy.write_bytes(torn)

    assert not damage.is_foreign(copy)
    copy.with_name(f"{NAME}-wal").unlink()
    assert damage.is_foreign(copy)


@pytest.mark.fault(10)
def test_a_store_of_which_a_full_disk_let_only_the_first_table_be_made_is_ours(
    tmp_path: Path,
) -> None:
    """It is finished by the next start; any table beside that one, and it is somebody else's."""
    path, theirs = tmp_path / NAME, tmp_path / "theirs.db"
    first = 'CREATE TABLE "_sqlite_migrations" (id, migration_set, name, applied_at)'
    for each in (path, theirs):
        with closing(sqlite3.connect(each)) as half:
            half.execute(first)
    with closing(sqlite3.connect(theirs)) as half:
        half.execute("CREATE TABLE notes (text)")
    store = Store.open(path, FakeClock())
    store.close()

    assert store.salvage.state() == []
    with pytest.raises(StoreBroken, match="another program"):
        Store.open(theirs, FakeClock())


def test_a_start_that_was_cut_short_is_not_called_a_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal gets its first line when the log has one: else the log would be missed."""
    path = tmp_path / NAME
    Store.open(path, FakeClock()).close()
    honest, lost = Journal.append, []

    def append(journal: Journal, writes: list[Write]) -> None:
        honest(journal, writes)
        lost.append(damage.lost_its_log(path))

    monkeypatch.setattr(Journal, "append", append)
    store = Store.open(path, FakeClock())
    store.declare("n", {"": "1"})
    store.append([Sample("n", {"": 1}, 0)])
    store.close()

    assert lost
    assert not any(lost)


KILLED = """
import os, signal, sys
from pathlib import Path
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock
store = Store.open(Path(sys.argv[1]), FakeClock(), durability=3600)
store.declare("n", {"": "1"})
store.append([Sample("n", {"": 1}, 0)])
os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_strace
@pytest.mark.fault(22, 26)
@pytest.mark.parametrize("when", ["1+1", "2+1", "3+1"])
def test_a_start_that_the_disk_refused_takes_the_log_from_no_journal(
    tmp_path: Path, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who closes last would have it removed, and the next start would miss it."""
    path = tmp_path / NAME
    program = (sys.executable, "-c", KILLED, str(path))
    faults = ("-e", "trace=fdatasync", "-e", f"inject=fdatasync:error=EIO:when={when}")
    subprocess.run(program, check=False)
    refused = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", *faults, *program],
        capture_output=True,
        text=True,
        check=False,
    )
    store = Store.open(path, FakeClock())
    (found,) = store.writer.connection.execute("SELECT count(*) FROM sample").fetchone()
    store.close()

    assert "cannot be written" in refused.stderr
    assert found == 1
    assert not store.writer.turned_back
    assert "log" not in caplog.text


@pytest.mark.fault(24)
def test_a_table_with_nonsense_in_it_stops_nobody(tmp_path: Path) -> None:
    """A key that is no text is damage like any other: the file is moved, and a new one begun."""
    path = tmp_path / NAME
    Store.open(path, FakeClock()).close()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE other AS SELECT * FROM meta; DROP TABLE meta;"
            "ALTER TABLE other RENAME TO meta; INSERT INTO meta VALUES (NULL, 1)"
        )
    store = Store.open(path, FakeClock())
    store.close()

    assert list(tmp_path.glob("*-damaged-1"))
