"""The power fails while a file beside the store is written: the old one is there, or the new."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from crash_oracle import placed
from crash_rig import SAID, Disk, record
from syscall_rig import needs_strace

from pilogger.hub import register
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock

pytestmark = needs_strace

ACCOUNTS = """
import os, sys
from pathlib import Path
from pilogger.hub.register import Account, add, remove
folder = Path(sys.argv[1])
said = os.open(folder / "said", os.O_WRONLY | os.O_APPEND)
for n in range(6):
    add(folder / "accounts", Account(f"a{n}", f"key {n}"))
    os.write(said, b"%d\\n" % (n + 1))
remove(folder / "accounts", "a0")
os.write(said, b"-1\\n")
"""

BACKUP = """
import os, sys
from pathlib import Path
from pilogger.backup import backup
folder = Path(sys.argv[1])
said = os.open(folder / "said", os.O_WRONLY | os.O_APPEND)
backup(folder / "x.db", folder / "copy.db")
os.write(said, b"1\\n")
"""


def cuts(folder: Path, program: str, each: int) -> Iterator[tuple[Path, int]]:
    """Run a program in a folder; yield what is left of it, and what it said, after many cuts."""
    script = folder.with_name("program.py")
    script.write_text(program)
    (folder / SAID).touch()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    disk, said, random = Disk(before), 0, Random(1)
    for event in record(folder, script, folder):
        disk.add(event)
        if event.what == "say":
            said = json.loads(event.data)
        for _ in range(each):
            with placed(disk.after_cut(random)) as left:
                yield left, said


@pytest.mark.fault(11)
def test_the_accounts_of_a_hub_are_the_old_or_the_new(tmp_path: Path) -> None:
    """The file can be read at any moment, and what a command has said is in it."""
    folder = tmp_path / "life"
    folder.mkdir()
    seen = set()
    for left, said in cuts(folder, ACCOUNTS, 8):
        names = [account.name for account in register.load(left / "accounts")]
        allowed = {-1: [5], 6: [6, 5]}.get(said, [said, said + 1])
        assert len(names) in allowed
        assert names == [f"a{n}" for n in range(6)][-5 if "a0" not in names else 0 :][: len(names)]
        seen.add((said, len(names)))

    assert {(n, n) for n in range(6)} | {(n, n + 1) for n in range(6)} <= seen


@pytest.mark.fault(11)
def test_a_backup_is_whole_or_not_there(tmp_path: Path) -> None:
    """And once the command has said that it is there, it is; with it the accounts of a hub."""
    folder = tmp_path / "life"
    folder.mkdir()
    Store.open(folder / "x.db", FakeClock()).close()
    register.add(folder / "x.db-accounts", register.Account("ann", "key"))
    seen = set()
    for left, said in cuts(folder, BACKUP, 8):
        copy = left / "copy.db"
        if copy.exists():
            reader = open_reader(copy)
            assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert reader.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
            reader.close()
            assert [each.name for each in register.load(left / "copy.db-accounts")] == ["ann"]
        seen.add((copy.exists(), said))

    assert seen == {(False, 0), (True, 0), (True, 1)}
