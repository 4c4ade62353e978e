"""A backup: a consistent copy, also while the store is written."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import requests
from logger_rig import PATIENCE_S, free_port, hub, process

from pilogger import series
from pilogger.backup import backup
from pilogger.errors import PiloggerError, StoreBroken, StoreDamaged
from pilogger.hub import register
from pilogger.sample import Sample
from pilogger.store import Store, beside, open_reader
from pilogger.testing import FakeClock


def filled(path: Path, readings: int) -> Store:
    store = Store.open(path, FakeClock())
    store.declare("n", {"": "1"})
    store.append([Sample("n", {"": n}, 100_000_000 + n * 1_000_000) for n in range(readings)])
    return store


def post(port: int, value: int, key: str = "key of ann") -> int:
    """Send an event to a hub; returns the status."""
    url, event = f"http://127.0.0.1:{port}/api/events", {"key": "a", "value": value, "epoch": value}
    headers = {"X-IS-BucketKey": "b", "X-IS-AccessKey": key}
    return requests.post(url, json=event, headers=headers, timeout=10).status_code


def readings(path: Path) -> int:
    with closing(open_reader(path)) as db:
        return series.count(db)


@pytest.mark.fault(31)
def test_what_is_committed_is_in_the_copy(tmp_path: Path) -> None:
    """Sealed and fresh; what comes later is not; the copy is a store like any other."""
    store = filled(tmp_path / "x.db", 3000)
    store.seal()
    told: list[tuple[int, int]] = []
    size = backup(tmp_path / "x.db", tmp_path / "copy.db", lambda *pages: told.append(pages))
    store.append([Sample("n", {"": 1}, 100_000_000)])
    store.close()

    assert size == (tmp_path / "copy.db").stat().st_size
    assert told[-1][0] == told[-1][1]
    assert readings(tmp_path / "copy.db") == 3000
    again = Store.open(tmp_path / "copy.db", FakeClock())
    assert again.outbox("there").pending() == 3000
    again.close()


def test_a_copy_is_for_its_owner_only(tmp_path: Path) -> None:
    """Nobody else learns from a backup what the store's own mode keeps from them."""
    filled(tmp_path / "x.db", 1).close()
    backup(tmp_path / "x.db", tmp_path / "copy.db")

    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that is there already stays as it is."""
    filled(tmp_path / "x.db", 1).close()
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(PiloggerError, match="is there already"):
        backup(tmp_path / "x.db", tmp_path / "copy.db")

    assert (tmp_path / "copy.db").read_text() == "precious"


def test_a_copy_is_whole_or_not_there(tmp_path: Path) -> None:
    """Where it cannot be written, nothing is left behind."""
    filled(tmp_path / "x.db", 1).close()
    with pytest.raises(PiloggerError, match="cannot be written"):
        backup(tmp_path / "x.db", tmp_path / "no" / "copy.db")
    with pytest.raises(StoreBroken, match="there is no store"):
        backup(tmp_path / "y.db", tmp_path / "copy.db")

    assert not [file for file in tmp_path.rglob("*") if "copy" in file.name]


def test_a_hub_is_restored_with_its_accounts(tmp_path: Path) -> None:
    """By the words of docs/install.md: the keys of then are right, and what came since is gone."""
    here, copy = tmp_path / "hub.db", tmp_path / "away" / "hub.db"
    accounts, files = beside(here, "accounts"), [copy, beside(copy, "accounts")]
    copy.parent.mkdir()
    register.add(accounts, register.Account("ann", "key of ann", "secret of ann"))
    port = free_port()
    with hub(here, port) as running:
        post(port, 1)
        with process("backup", "--store", here, copy) as command:
            assert command.wait(PATIENCE_S) == 0
        modes = [file.stat().st_mode & 0o777 for file in files]
        register.add(accounts, register.Account("eve", "key of eve"))
        for value in range(2, 50):
            post(port, value)
        running.kill()
        running.wait()
    newer = [beside(here, what) for what in ("wal", "shm")]
    assert all(file.exists() for file in newer)
    subprocess.run(["rm", "-f", *newer], check=True)
    subprocess.run(["install", "-m", "600", "-t", tmp_path, *files], check=True)
    with hub(here, port):
        url, ann = f"http://127.0.0.1:{port}/api/health", ("key of ann", "secret of ann")
        found = requests.get(url, auth=ann, timeout=10).json()["readings"]
        answers = [post(port, 3), post(port, 3, "key of eve")]

    assert modes == [0o600, 0o600]
    assert (found, answers) == (1, [204, 401])
    assert not [*tmp_path.glob("*damaged*")]


def test_accounts_are_not_overwritten_and_cost_no_half_backup(tmp_path: Path) -> None:
    """Those of another hub stay; and those that cannot be read are told, and nothing is left."""
    filled(tmp_path / "x.db", 1).close()
    beside(tmp_path / "copy.db", "accounts").write_text("precious")
    with pytest.raises(PiloggerError, match=r"copy\.db-accounts is there already"):
        backup(tmp_path / "x.db", tmp_path / "copy.db")
    beside(tmp_path / "x.db", "accounts").mkdir()
    with pytest.raises(PiloggerError, match=r"x\.db-accounts cannot be read: Is a directory"):
        backup(tmp_path / "x.db", tmp_path / "other.db")

    assert beside(tmp_path / "copy.db", "accounts").read_text() == "precious"
    assert not [file for file in tmp_path.iterdir() if "other" in file.name]


def test_damage_is_not_copied_in_silence(tmp_path: Path) -> None:
    """A backup of a damaged store would be none."""
    filled(tmp_path / "x.db", 20_000).close()
    with closing(sqlite3.connect(tmp_path / "x.db")) as db:
        (page,) = db.execute("PRAGMA page_size").fetchone()
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sample'").fetchone()
    with (tmp_path / "x.db").open("r+b") as file:
        file.seek((root - 1) * page)
        file.write(b"\xff" * 64)
    with pytest.raises((StoreDamaged, PiloggerError)):
        backup(tmp_path / "x.db", tmp_path / "copy.db")

    assert not (tmp_path / "copy.db").exists()
