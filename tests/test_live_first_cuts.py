"""`order: live_first`, and the power fails: what the cursor jumped over is still owed."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from crash_oracle import opened, placed
from crash_rig import SAID, Disk, record
from damage_rig import everything
from syscall_rig import needs_strace

from pilogger.store import Store

pytestmark = needs_strace

LIFE = """
import json, os, signal, sys
from pathlib import Path
from random import Random
from pilogger.sample import Sample
from pilogger.store import Store, sealer
from pilogger.testing import FakeClock

def say(what, numbers):
    os.write(said, json.dumps([what, *numbers]).encode())

folder, random, clock, n = Path(sys.argv[1]), Random(1), FakeClock(), 0
said = os.open(folder / "said", os.O_WRONLY | os.O_APPEND)
sealer.FULL, sealer.SHORT = 32, 16
store = Store.open(folder / "x.db", clock, durability=3600)
store.declare("n", {"": "1"})
outbox = store.outbox("there", order="live_first")
for step in range(100):
    new = range(n, n + random.randrange(1, 6))
    store.append([Sample("n", {"": value}, clock.boot()) for value in new])
    n = new.stop
    say("kept", new)
    if random.random() < 0.2:
        store.flush()
        say("flushed", [])
    if random.random() < 0.1:
        clock.advance(121)
    if random.random() < 0.7 and (batch := outbox.take(4)):
        say("sent", [point.value for point in batch.points])
        outbox.settle(batch)
    if step % 20 == 19:
        store.seal()
        say("flushed", [])
os.kill(os.getpid(), signal.SIGKILL)
"""


def drain(store: Store) -> list[object]:
    outbox = store.outbox("there", order="live_first")
    values: list[object] = []
    while batch := outbox.take(100):
        values += [point.value for point in batch.points]
        outbox.settle(batch)
    return values


@pytest.mark.fault(2, 70)
def test_what_was_passed_over_is_owed_whenever_the_power_fails(tmp_path: Path) -> None:
    """Or the process is killed: what is kept was sent before, or is sent now, and that once."""
    folder, script, random = tmp_path / "life", tmp_path / "life.py", Random(1)
    folder.mkdir()
    (folder / SAID).touch()
    script.write_text(LIFE)
    events = record(folder, script, folder)
    moments = {random.randrange(len(events)) for _ in range(120)}
    disk, kept, flushed, sent = Disk({}), set[int](), set[int](), set[int]()
    for number, event in enumerate(events):
        disk.add(event)
        if event.what == "say":
            what, *values = json.loads(event.data)
            {"kept": kept, "flushed": flushed, "sent": sent}[what].update(values)
            flushed |= kept if what == "flushed" else set()
        if number in moments and kept:
            for files, promised in ((disk.after_cut(random), flushed), (disk.after_kill(), kept)):
                with placed(files) as copy, opened(copy / "x.db") as store:
                    store.declare("n", {"": "1"})
                    left = drain(store)
                    there = {value for *_, value in everything(store)}

                assert promised <= {*left, *sent}
                assert there <= {*left, *sent}
                assert len(left) == len(set(left))
