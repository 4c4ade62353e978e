"""The schema: a snapshot, and the way there from every older store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pilogger.errors import StoreBroken, StoreNewer
from pilogger.sample import Sample
from pilogger.store import Store, open_reader
from pilogger.store.migrations import MIGRATIONS
from pilogger.store.schema import VERSION, migrate
from pilogger.testing import FakeClock

SNAPSHOTS = Path(__file__).parent / "snapshots"


def schema(connection: sqlite3.Connection) -> str:
    rows = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '%sqlite_%'"
        " ORDER BY type, name"
    )
    return "".join(f"{sql};\n" for (sql,) in rows)


def test_a_new_store_has_the_schema_of_the_snapshot() -> None:
    """A change of the schema shows as a change of tests/snapshots/schema.sql."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)

    assert schema(connection) == (SNAPSHOTS / "schema.sql").read_text()
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


@pytest.mark.parametrize("version", range(1, VERSION))
def test_an_old_store_migrates_with_all_that_is_in_it(tmp_path: Path, version: int) -> None:
    """Each older format ends in the same schema, readings, cursors and all."""
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.executescript((SNAPSHOTS / f"store-v{version}.sql").read_text())
    old.close()
    store = Store.open(path, FakeClock())
    outbox = store.outbox("initialstate")
    batch = outbox.take(10)

    assert schema(store.writer.connection) == (SNAPSHOTS / "schema.sql").read_text()
    assert batch is not None
    assert [point[:4] for point in batch.points] == [
        (8, "air.temperature", "1767225607.5", 21.5),
        (9, "door.closed", "1700000000", True),
    ]
    assert (outbox.sent, outbox.refused, outbox.pending()) == (9, 1, 2)
    store.close()


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    """A store that is up to date is opened without a write to its schema."""
    path = tmp_path / "x.db"
    Store.open(path, FakeClock()).close()
    Store.open(path, FakeClock()).close()
    with open_reader(path) as reader:
        applied = reader.execute("SELECT name FROM _sqlite_migrations ORDER BY id").fetchall()
    reader.close()

    assert [name for (name,) in applied] == list(MIGRATIONS)


@pytest.mark.fault(8)
def test_a_migration_that_fails_leaves_the_old_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that fails is rolled back whole, and taken again by the next start."""
    path = tmp_path / "x.db"
    Store.open(path, FakeClock()).close()
    broken = {**MIGRATIONS, "m999": "CREATE TABLE half (a);\nCREATE TABLE half (a);\n"}
    monkeypatch.setattr("pilogger.store.schema.MIGRATIONS", broken)
    monkeypatch.setattr("pilogger.store.schema.VERSION", VERSION + 1)
    with pytest.raises(StoreBroken, match="half"):
        Store.open(path, FakeClock())
    monkeypatch.undo()
    store = Store.open(path, FakeClock())

    assert "half" not in schema(store.writer.connection)
    store.close()


@pytest.mark.fault(17)
def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An older pilogger does not touch what it does not know."""
    path = tmp_path / "x.db"
    Store.open(path, FakeClock()).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreNewer, match="format 99, this pilogger knows"):
        Store.open(path, FakeClock())

    assert path.read_bytes() == before


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Nothing is overwritten because somebody named the wrong file."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes, which are longer than a hundred bytes " * 20)
    before = path.read_bytes()
    with pytest.raises(StoreBroken, match="is no store: file is not a database"):
        Store.open(path, FakeClock())

    assert path.read_bytes() == before


def test_an_empty_file_is_a_store_that_was_never_made(tmp_path: Path) -> None:
    """The power went while the file was created: it is made now."""
    path = tmp_path / "x.db"
    path.touch()
    store = Store.open(path, FakeClock())
    store.declare("n", {"": "1"})

    assert store.append([Sample("n", {"": 1}, 0)]) == 1
    store.close()
