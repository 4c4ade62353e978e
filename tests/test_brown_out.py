"""A supply that is too weak: start, a few seconds, power cut, again and again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

import logger_rig as rig
import pytest
from crash_oracle import opened, placed
from crash_rig import SAID, Disk, record
from syscall_rig import needs_strace

pytestmark = needs_strace

BOOTS = 4
MOST = 2_000_000  # bytes that one start may write

LIFE = """
import json, os, subprocess, sys, time
from contextlib import closing
from pathlib import Path
from pilogger.errors import StoreBroken
from pilogger.store import open_reader

folder = Path(sys.argv[1])

def rows():
    try:
        with closing(open_reader(folder / "pilogger.db")) as db:
            return db.execute("SELECT seq, boot, data FROM sample ORDER BY seq").fetchall()
    except StoreBroken:  # not there yet
        return []

said = os.open(folder / "said", os.O_WRONLY | os.O_APPEND)
command = [sys.executable, "-m", "pilogger", "run", "--config", folder / "pilogger.yaml"]
agent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
known, end = set(map(tuple, json.loads(sys.argv[2]))), time.monotonic() + 30
while not (new := set(rows()) - known) and time.monotonic() < end:
    time.sleep(0.02)
os.write(said, json.dumps(sorted(known | new)).encode())
agent.kill()
agent.wait()
"""


@pytest.mark.fault(1, 12)
def test_a_supply_that_is_too_weak_costs_no_reading_on_the_disk(tmp_path: Path) -> None:
    """Cut right after its first commit, each start adds what it read, and writes little.

    In the middle of reads, too: five sensors are read fifty times a second.
    """
    folder, script, random = tmp_path / "life", tmp_path / "life.py", Random(1)
    folder.mkdir()
    script.write_text(LIFE)
    rig.configure(folder, store={"path": f"{folder}/pilogger.db", "durability": "100ms"})
    (folder / SAID).touch()
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    known: list[object] = []
    for _ in range(BOOTS):
        events = record(folder, script, folder, json.dumps(known))
        disk = Disk(files)
        for event in events:
            disk.add(event)
        promised = json.loads([event.data for event in events if event.what == "say"][-1])
        files = disk.after_cut(random) | {SAID: b""}
        with placed(files) as copy, opened(copy / "pilogger.db") as store:
            query = store.writer.connection.execute("SELECT seq, boot, data FROM sample")
            found = [list(row) for row in query]
        shutil.rmtree(folder)
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)

        assert len(promised) > len(known)
        assert [row for row in promised if row not in found] == []
        assert sum(len(event.data) for event in events if event.name != SAID) < MOST
        known = promised
