"""A full disk: nothing crashes, the store trims itself, and collection goes on.

The disk is a small file system of its own, so this takes root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from pilogger.errors import StoreBroken, StoreError
from pilogger.hub import server
from pilogger.sample import Sample, Value
from pilogger.series import count
from pilogger.spool import sender
from pilogger.store import Bounds, Store, ballast, evicted, open_reader
from pilogger.store.retention import FRACTION, WhenFull
from pilogger.testing import FakeClock

SIZE = 8 << 20
LETTERS = [chr(code) for code in range(0x4E00, 0x5E00)]  # three bytes with twelve bits

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="mounting a file system needs root")


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    """An empty disk of 8 MB, for a hundred files."""
    place = tmp_path / "card"
    place.mkdir()
    options = f"size={SIZE},nr_inodes=100"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


class Rig:
    """A store on that disk; its readings are of the kind that cannot be made small."""

    def __init__(self, card: Path, when_full: WhenFull = "drop_oldest") -> None:
        self.path = card / "pilogger.db"
        self.clock = FakeClock()
        self.bounds = Bounds(when_full=when_full)
        self.appended = 0
        self._random = Random(1)
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.path, self.clock, bounds=self.bounds)
        self.store.declare("noise", {"word": "1", "number": "1"})

    def poll(self, samples: int = 100) -> None:
        """Take samples of some 200 bytes each; what was taken counts, committed or not."""
        found = []
        for _ in range(samples):
            self.clock.advance(1)
            word = "".join(self._random.choices(LETTERS, k=80))
            values: dict[str, Value] = {"word": word, "number": self._random.random()}
            found.append(Sample("noise", values, self.clock.boot()))
        try:
            self.appended += self.store.append(found)
        except StoreBroken:  # the recorder keeps them, and tries again a second later
            self.tend()
            self.appended += self.store.append(found)

    def tend(self) -> None:
        """Do what the background does."""
        with suppress(StoreError):
            self.store.flush()
        for step in (self.store.keeper.step, self.store.sealer.step):
            with suppress(StoreError):
                while step():
                    pass

    def gone(self) -> dict[str, dict[str, int]]:
        with closing(open_reader(self.path)) as db:
            return evicted(db)

    def check(self) -> None:
        """Every reading that was taken is readable or counted."""
        self.store.flush()
        with closing(open_reader(self.path)) as db:
            gone = sum(it["readings"] for it in evicted(db).values())
            assert (count(db) + gone, count(db) > 0) == (self.appended, True)


@contextmanager
def filled(card: Path) -> Iterator[Path]:
    """Let another program take all that is left of the disk."""
    other = card / "other.log"
    with other.open("ab", buffering=0) as file:
        fill(file.fileno())
    yield other
    other.unlink(missing_ok=True)


def fill(file: int) -> None:
    for size in (1 << 16, 4096, 1):
        with suppress(OSError):
            while os.write(file, b"x" * size):
                pass


@pytest.mark.parametrize("when_full", ["drop_oldest", "thin"])
def test_a_store_that_nobody_bounded_does_not_fill_the_disk(
    card: Path, when_full: WhenFull
) -> None:
    """A part is left to the system, whatever comes; the newest readings are there."""
    rig = Rig(card, when_full)
    least = SIZE
    while rig.gone().get("space", {"readings": 0})["readings"] < 10_000:
        rig.poll()
        rig.tend()
        least = min(least, ballast.disk(rig.path).free)
    rig.check()
    rig.store.close()

    assert least > SIZE // FRACTION // 2
    assert rig.gone().keys() == {"space"}


def test_a_store_that_stops_keeps_what_it_has(card: Path) -> None:
    """It takes no more, with a sentence, long before the disk is full."""
    rig = Rig(card, "stop")
    while not rig.store.keeper.refusing:
        rig.poll()
        rig.tend()
    with pytest.raises(StoreError, match=r"no more to spare; store\.min_free and store\.when_full"):
        rig.poll()

    assert rig.gone() == {}
    assert ballast.disk(rig.path).free > SIZE // FRACTION // 2
    rig.check()
    rig.store.close()


@pytest.mark.parametrize(
    ("bounds", "own"), [(server.BOUNDS, "--store"), (sender.BOUNDS, "XDG_STATE_HOME, or store=")]
)
def test_who_has_no_config_is_told_of_its_own_options(card: Path, bounds: Bounds, own: str) -> None:
    """A hub and a client's spool; nothing there is called store.when_full."""
    rig = Rig(card, "stop")
    rig.store.keeper.limit(bounds)
    while not (why := rig.store.keeper.refusing):
        rig.poll()
        rig.tend()
    rig.store.close()

    assert own in why
    assert "store." not in why


@pytest.mark.fault(18)
@pytest.mark.parametrize(("when_full", "min_free"), [("drop_oldest", 0), ("thin", 10**8)])
def test_collection_goes_on_while_others_fill_the_disk(
    card: Path, when_full: WhenFull, min_free: int
) -> None:
    """The ballast goes, the oldest readings go; the ballast comes back with the room."""
    rig = Rig(card, when_full)
    rig.store.keeper.limit(Bounds(when_full=when_full, min_free=min_free))
    for _ in range(150):
        rig.poll()
        rig.tend()
    weight = ballast.size(rig.path)
    assert weight > 100_000
    with filled(card) as other:
        rig.poll()
        rig.tend()
        assert ballast.size(rig.path) == weight // 2
        for _ in range(300):
            rig.poll()
            rig.tend()
        rig.check()
        assert rig.gone()["space"]["readings"] > 20_000
        assert not rig.store.writer.trouble
        with other.open("ab", buffering=0) as file:
            fill(file.fileno())  # what the ballast left
        rig.poll()
        rig.tend()
        rig.check()
    rig.tend()
    rig.check()
    rig.store.close()

    assert ballast.size(rig.path) == weight


@pytest.mark.fault(18)
def test_a_start_on_a_full_disk_throws_the_ballast_off(card: Path) -> None:
    """Else there would be no room to begin."""
    rig = Rig(card)
    rig.poll()
    rig.tend()
    rig.store.close()
    weight = ballast.size(rig.path)
    with filled(card):
        assert ballast.disk(rig.path).free == 0
        rig.open()
        rig.poll()
        rig.tend()
        rig.check()
        rig.store.close()

    assert ballast.size(rig.path) < weight


@pytest.mark.fault(18, 26)
@pytest.mark.parametrize("killed", [True, False])
def test_who_gives_up_on_a_full_disk_leaves_the_log(
    card: Path, caplog: pytest.LogCaptureFixture, killed: bool
) -> None:
    """At the start or at the end: SQLite would tidy it away, as if it had been lost."""
    rig = Rig(card)
    rig.poll()
    rig.store.flush()
    rig.store.writer.checkpoint()
    rig.poll(2000)
    ballast.throw_off(rig.path)
    if killed:
        rig.path = _left_by_a_kill(rig.store)
    with filled(card), pytest.raises(StoreBroken, match="full"):
        (rig.open if killed else rig.store.close)()
    rig.open()
    rig.check()
    last = rig.store.last
    rig.store.close()

    assert "is gone" not in caplog.text
    assert last < 2**40


def _left_by_a_kill(store: Store) -> Path:
    """Copy a store as it is found after a kill."""
    copy = store.path.parent / "killed" / store.path.name
    copy.parent.mkdir()
    for part in ("", "-wal", "-shm", "-fresh-0", "-fresh-1"):
        shutil.copy(store.path.with_name(f"{store.path.name}{part}"), copy.parent)
    store.close()
    return copy


@pytest.mark.fault(18)
def test_a_disk_that_is_full_for_good_is_told(card: Path) -> None:
    """No ballast, nothing to trim: readings are refused, at once and with a reason."""
    rig = Rig(card)
    rig.poll()
    rig.store.flush()
    rig.store.keeper.stop()
    with filled(card), pytest.raises(StoreError, match="disk is full"):
        rig.poll()
    rig.check()
    rig.store.close()


@pytest.mark.fault(34)
def test_a_disk_without_inodes_takes_readings(card: Path) -> None:
    """What is open goes on: to commit, to seal and to trim takes no new file."""
    rig = Rig(card)
    rig.poll()
    rig.tend()
    while os.statvfs(card).f_favail:
        (card / f"{os.statvfs(card).f_favail}").touch()
    while not rig.gone():
        rig.poll(500)
        rig.tend()
    rig.check()
    trouble = rig.store.writer.trouble
    rig.store.close()

    assert trouble == ""
    assert rig.gone().keys() == {"space"}
