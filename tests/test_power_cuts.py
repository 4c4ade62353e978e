"""The power fails at thousands of moments of a store's life, and nothing that was promised is lost.

Each life is recorded once, on the real kernel, and cut at random moments; see `crash_rig`.
Other seeds and more cuts: `benchmarks/power_cuts.py`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from crash_kill import kills
from crash_life import AMPLE, NAME, NARROW
from crash_oracle import CALLED_LOST, CORRUPT, LOST, live, run
from crash_rig import Disk
from crash_wreck import refused
from syscall_rig import needs_strace

from pilogger.store import open_reader
from pilogger.store.schema import VERSION

pytestmark = needs_strace

SNAPSHOTS = Path(__file__).parent / "snapshots"
LOG = f"{NAME}-wal"
AT_ONCE, LATER = 0, 3600  # s of durability
STEPS = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "life"
    made.mkdir()
    return made


@pytest.mark.fault(1, 3, 4, 5, 6, 7)
def test_what_is_committed_at_once_stays(folder: Path) -> None:
    """Appends, seals, checkpoints, stops, starts and kills: each confirmed reading is there once.

    What is on the disk but was not confirmed yet may be there, under its own number: whoever gives
    it again, gives the same.
    """
    tally = run(live(folder, AMPLE, AT_ONCE, STEPS), 3000)

    assert not tally.wrong


@pytest.mark.fault(2)
def test_no_more_is_lost_than_the_window_allows(folder: Path) -> None:
    """Between two commits the newest readings may go; all before, numbers and cursors stay."""
    tally = run(live(folder, AMPLE, LATER, STEPS), 2500)

    assert not tally.wrong


@pytest.mark.fault(8)
def test_retention_is_all_or_nothing(folder: Path) -> None:
    """What left the store is counted in the same moment: what is there and that make up all."""
    life = live(folder, NARROW, AT_ONCE, 30)
    with closing(open_reader(folder / NAME)) as db:
        (evicted,) = db.execute("SELECT sum(readings) FROM evicted").fetchone()
        (left,) = db.execute("SELECT count(*) FROM block").fetchone()
    tally = run(life, 2500)

    assert evicted
    assert left
    assert not tally.wrong


@pytest.mark.fault(8)
@pytest.mark.parametrize("version", range(1, VERSION))
def test_a_migration_goes_on_where_it_was_cut(folder: Path, version: int) -> None:
    """Each older format: its readings are there, whenever the power failed on the way."""
    with closing(sqlite3.connect(folder / NAME)) as old:
        old.executescript((SNAPSHOTS / f"store-v{version}.sql").read_text())
    life = live(folder, AMPLE, AT_ONCE, 1, times=1)
    tally = run(life, 300)

    assert len(life.had) == 12
    assert not tally.wrong


@pytest.mark.fault(10)
def test_a_store_that_was_never_finished_is_made_again(folder: Path) -> None:
    """From the first moment of the file to the first readings in it."""
    tally = run(live(folder, AMPLE, AT_ONCE, 0, times=1), 700)

    assert not tally.wrong


@pytest.mark.fault(6, 21, 22)
@pytest.mark.parametrize(
    ("durability", "fault", "at_least"),
    [
        (AT_ONCE, "fdatasync:error=EIO:when=10+4", {LOG}),
        (AT_ONCE, "fdatasync:error=EIO:when=20..60+3", {LOG, NAME}),  # a checkpoint's
        (LATER, "fdatasync:error=EIO:when=20..60+3", {LOG}),
        (AT_ONCE, "pwrite64:error=EIO:when=40+23", set()),
        (AT_ONCE, "pwrite64:error=ENOSPC:when=50+31", set()),
    ],
)
def test_a_disk_that_refuses_before_the_power_fails(
    folder: Path, durability: float, fault: str, at_least: set[str]
) -> None:
    """What a commit or a checkpoint could not bring to the disk is not taken for done later.

    A start that failed may have its log be called lost, if it is cut in its last moment.
    """
    life = refused(folder, durability, STEPS, fault)
    failed = {event.name for event in life.events if event.what == "failed"}
    tally = run(life, 150)

    assert at_least <= failed
    assert not {*tally.wrong} - {CALLED_LOST}


@pytest.mark.fault(13)
@pytest.mark.parametrize("durability", [AT_ONCE, LATER])
def test_a_process_that_is_killed_loses_nothing(folder: Path, durability: float) -> None:
    """At any moment, and whatever the durability is: the kernel has all that `append` took."""
    tally = run(live(folder, AMPLE, durability, STEPS), 400, after="kill")

    assert not tally.wrong


@pytest.mark.fault(13)
def test_real_kills_cost_nothing(tmp_path: Path) -> None:
    """SIGKILL at a random system call, again and again on one store, as the last one left it."""
    died, wrong = kills(tmp_path, 50, seed=1)

    assert died == 50
    assert not wrong


# -- whether the rig would tell --------------------------------------------------------------


def test_the_rig_sees_damage_where_nothing_is_synced(folder: Path) -> None:
    """The same life with `synchronous=OFF`: files are corrupt, and readings are lost."""
    tally = run(live(folder, AMPLE, AT_ONCE, STEPS, "OFF"), 400)

    assert tally.wrong[CORRUPT] + tally.wrong["it is taken for damaged"] > 20
    assert tally.wrong[LOST] > 20


def test_the_rig_sees_losses_where_commits_are_not_synced(folder: Path) -> None:
    """The same life with `synchronous=NORMAL`: what was confirmed is lost, nothing is corrupt."""
    tally = run(live(folder, AMPLE, AT_ONCE, STEPS, "NORMAL"), 400)

    assert tally.wrong[LOST] > 20
    assert not tally.wrong[CORRUPT]


def test_the_record_is_what_happened(folder: Path) -> None:
    """Replayed without a fault, it gives every file of the folder, byte by byte."""
    life = live(folder, AMPLE, LATER, STEPS)
    disk = Disk(life.before)
    for event in life.events:
        disk.add(event)
    replayed = disk.after_kill()
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    for apart in ("said", f"{NAME}-shm"):  # the rig's own; what SQLite maps and never syncs
        del files[apart], replayed[apart]

    assert replayed == files
    assert files[f"{NAME}-fresh-0"] or files[f"{NAME}-fresh-1"]
