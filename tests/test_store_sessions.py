"""A store, or the log beside it, that is older than what was there: it is told, and no number
is given twice.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import damage_rig as rig
import pytest

from pilogger.store import Store
from pilogger.testing import FakeClock

LAST = 16_384  # numbers are reserved in such steps


class Life:
    """A store in `live`, and copies of it from the moments when it was killed."""

    def __init__(self, folder: Path) -> None:
        self.live = folder / "live"
        self.clock = FakeClock()
        self.given = 0
        self._random = Random(1)

    def session(self, polls: int, kill: Path | None = None) -> None:
        """Open the store, poll, seal, and end; at the end it may be killed."""
        store = self.open()
        rig.declare(store)
        rig.fill(store, self.clock, polls, self._random)
        store.seal()
        rig.fill(store, self.clock, 10, self._random)
        store.flush()
        if kill:
            kill.mkdir()
            rig.copy(self.live, kill)
        self.given = store.last
        store.close()

    def open(self) -> Store:
        return Store.open(self.live / rig.NAME, self.clock, durability=3600)

    def put(self, *files: Path) -> None:
        for file in files:
            shutil.copy(file, self.live)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    """Three sessions; the first ended with a kill, of which `old` has all files."""
    life = Life(tmp_path)
    life.session(500, kill=tmp_path / "old")
    life.session(LAST)
    life.session(500)
    return life


@pytest.mark.fault(26)
def test_a_log_from_a_backup_is_put_aside(
    life: Life, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else SQLite would lay its old pages over the new ones, without a word."""
    store = life.open()
    before = rig.everything(store)
    store.close()
    life.put(tmp_path / "old" / f"{rig.NAME}-wal")
    store = life.open()
    found, last = rig.everything(store), store.last
    sound = store.writer.connection.execute("PRAGMA integrity_check").fetchone()
    store.close()

    assert found == before
    assert last >= life.given
    assert sound == ("ok",)
    assert "is older than the store beside it; kept as" in caplog.text
    assert len(list(life.live.glob("*-wal-of-another-time-*"))) == 1


@pytest.mark.fault(26)
def test_a_store_from_a_backup_gives_no_number_twice(
    life: Life, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it gave since then is gone, but may have been sent."""
    for file in life.live.glob(f"{rig.NAME}*"):
        if not file.name.endswith("-lock"):
            file.unlink()
    life.put(*(file for file in (tmp_path / "old").iterdir() if not file.name.endswith("-lock")))
    (life.live / f"{rig.NAME}-shm").unlink()
    store = life.open()
    last = store.last
    store.close()

    assert last >= life.given > LAST
    assert "is an older one than there was: numbers go on above" in caplog.text


def test_a_store_that_goes_on_says_nothing(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    """After a kill, after a clean stop, and without its lock file."""
    life.session(10, kill=life.live / "killed")
    shutil.move(life.live / "killed", life.live.parent / "killed")
    life.put(*(life.live.parent / "killed").iterdir())
    (life.live / f"{rig.NAME}-shm").unlink()
    life.session(10)
    (life.live / f"{rig.NAME}-lock").unlink()
    life.session(10)

    assert "older" not in caplog.text
