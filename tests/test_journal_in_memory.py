"""Where there is a folder in memory, the journal lies there, and costs the card nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pilogger.sample import Sample
from pilogger.store import Store, damage, journal
from pilogger.testing import FakeClock

WRITER = """
import os, signal, sys
from pathlib import Path
from pilogger.sample import Sample
from pilogger.store import Store, journal
from pilogger.testing import FakeClock
journal.RUN = Path(sys.argv[2])
store = Store.open(Path(sys.argv[1]), FakeClock(), durability=3600)
store.declare("n", {"": "1"})
store.flush()
store.append([Sample("n", {"": n}, 100_000_000) for n in range(5)])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(journal, "RUN", folder)
    return folder


def killed(path: Path, memory: Path) -> None:
    """Have a process append five readings that no commit takes, and die."""
    ended = subprocess.run([sys.executable, "-c", WRITER, path, memory], check=False)
    assert ended.returncode == -signal.SIGKILL


def readings(path: Path) -> int:
    store = Store.open(path, FakeClock())
    try:
        return store.outbox("there").pending()
    finally:
        store.close()


@pytest.mark.fault(24)
def test_the_journal_of_a_damaged_store_is_brought_onto_the_disk(
    tmp_path: Path, memory: Path
) -> None:
    """What is in memory would be gone, were the power to fail before all is saved."""
    path = tmp_path / "x.db"
    killed(path, memory)
    damage.move_aside(path, "it was said so")
    left = list(memory.iterdir())
    store = Store.open(path, FakeClock())
    assert store.salvage.join(30)
    (found,) = store.salvage.state()
    store.close()

    assert left == []
    assert (found["saved"], found["lost"]) == (5, 0)


@pytest.mark.fault(13)
def test_a_killed_process_loses_nothing(tmp_path: Path, memory: Path) -> None:
    """What it appended is in memory; the next start takes it from there."""
    path = tmp_path / "x.db"
    killed(path, memory)
    links = [tmp_path / "x.db-fresh-0", tmp_path / "x.db-fresh-1"]

    assert all(link.is_symlink() and link.resolve().parent == memory for link in links)
    assert any(link.stat().st_size for link in links)
    assert readings(path) == 5
    assert not list(memory.iterdir())
    assert not list(tmp_path.glob("*fresh*"))


@pytest.mark.fault(2)
def test_after_a_power_cut_the_links_lead_nowhere(tmp_path: Path, memory: Path) -> None:
    """Memory is empty then: what was not committed is gone, and the store opens all the same."""
    path = tmp_path / "x.db"
    killed(path, memory)
    for file in memory.iterdir():
        file.unlink()

    assert readings(path) == 0


def test_without_the_folder_the_journal_is_beside_the_store(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started by hand after the service: links that lead nowhere give way to files."""
    path = tmp_path / "x.db"
    killed(path, memory)
    shutil.rmtree(memory)
    store = Store.open(path, FakeClock())
    files = list(tmp_path.glob("x.db-fresh-*"))
    store.close()

    assert [file.is_symlink() for file in files] == [False, False]


def test_a_journal_on_the_disk_is_replayed_before_memory_is_used(
    tmp_path: Path, memory: Path
) -> None:
    """A version before this one was killed, and this one is started."""
    path = tmp_path / "x.db"
    killed(path, tmp_path / "none")

    assert not (tmp_path / "x.db-fresh-0").is_symlink()
    assert readings(path) == 5


def test_memory_is_bounded(tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that is full makes every append commit by itself; nothing is refused."""
    monkeypatch.setattr(journal, "MOST", 2000)
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=3600)
    store.declare("n", {"": "1"})
    for n in range(200):
        store.append([Sample("n", {"": n}, 100_000_000)])
    sizes = [file.stat().st_size for file in memory.iterdir()]
    pending = store.outbox("there").pending()
    store.close()

    assert pending == 200
    assert max(sizes) <= 2000
    assert os.listdir(memory) == []
