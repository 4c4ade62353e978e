"""A disk that fails: readings wait in memory, go on being sent, and are stored when it can."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import damage_rig
import logger_rig as rig
import pytest
from syscall_rig import READS, WRITES, calls, failing, needs_strace

from pilogger import status
from pilogger.errors import StoreBroken
from pilogger.recorder import Recorder
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock

JOURNAL_IN_MEMORY = """
import runpy, sys
from pathlib import Path
from pilogger.store import journal
journal.RUN = Path(sys.argv.pop(1))
sys.argv[0] = "pilogger"
runpy.run_module("pilogger", run_name="__main__")
"""


WAITS = ("samples wait in memory", "the store takes samples again")
KEEPS = ("keeping everything and trying again", "the store can be written again")

CALL = re.compile(r"<.*/(.+?)>(?:, .*, (\d+))?\) += (-?\d+)")

TEXT = "x" * 20_000
WRITER = f"""
import sys, time
from contextlib import suppress
from pathlib import Path
from pilogger.errors import StoreError
from pilogger.sample import Sample
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock
path = Path(sys.argv[1])
store = Store.open(path, FakeClock(), durability=0)
store.declare("n", {{"": "1"}})
reader = open_reader(path)
for n in range(150):
    if n % 20 == 0:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchone()
    if n % 20 == 15:
        reader.execute("ROLLBACK")
    store.append([Sample("n", {{"": f"{{n}} {TEXT}"}}, 100_000_000 + n)])
reader.close()
with suppress(StoreError):  # the next start commits what the journal holds
    store.close()
"""


def state(folder: Path) -> status.State:
    found = status.ask(folder / "pilogger.db")
    assert found is not None
    return found


def trouble(folder: Path) -> str:
    words: str = state(folder)["store"]["trouble"]
    return words


def sent(folder: Path) -> int:
    count: int = state(folder)["destinations"][0]["sent"]
    return count


def more(folder: Path, what: str, count: int, patience: float = rig.PATIENCE_S) -> None:
    """Wait until a counter of the status went up by so much."""
    end = state(folder)[what] + count
    rig.eventually(lambda: state(folder)[what] >= end, patience)


def files(folder: Path) -> list[Path]:
    return [folder / f"pilogger.db{part}" for part in ("", "-wal", "-fresh-0", "-fresh-1")]


@contextmanager
def in_memory(config: Path, memory: Path) -> Iterator[subprocess.Popen[str]]:
    """Run an agent whose journal lies in another folder than its store."""
    command = [sys.executable, "-c", JOURNAL_IN_MEMORY, str(memory), "run", "--config", str(config)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as it:
        try:
            rig.eventually(lambda: it.poll() is not None or status.ask(config.with_suffix(".db")))
            yield it
        finally:
            it.kill()


def configure(folder: Path, port: int | None = None) -> Path:
    """Write a config of a logger that commits many times a second."""
    store = {"path": str(folder / "pilogger.db"), "durability": "100ms"}
    return rig.configure(folder, port, store=store)


@needs_strace
@pytest.mark.parametrize(
    ("calls", "error", "words"),
    [
        pytest.param(WRITES, "EROFS", WAITS, marks=pytest.mark.fault(20)),
        pytest.param("pwrite64", "EIO", KEEPS, marks=pytest.mark.fault(21)),
        pytest.param("fdatasync", "EIO", KEEPS, marks=pytest.mark.fault(22)),
    ],
)
def test_a_disk_that_fails_for_a_while_costs_nothing(
    tmp_path: Path, calls: str, error: str, words: tuple[str, str]
) -> None:
    """Everything that was taken is stored, once, and the log has a line for each turn.

    The same connection will do: SQLite writes once more what it rolled back. A new file would
    gain nothing on a disk that takes no write.
    """
    with rig.agent(configure(tmp_path)) as agent:
        rig.eventually(lambda: rig.held(tmp_path / "pilogger.db"))
        with failing(agent.pid, calls, f"error={error}", *files(tmp_path)):
            rig.eventually(lambda: trouble(tmp_path))
            more(tmp_path, "taken", 100)
        rig.eventually(lambda: not trouble(tmp_path))
        said = rig.stop(agent)
    readings = rig.held(tmp_path / "pilogger.db")

    assert agent.returncode == 0, said
    assert [said.count(line) for line in words] == [1, 1]
    assert "Traceback" not in said
    assert len(readings) == len(set(readings)) == status.find(tmp_path / "pilogger.db")["taken"]


@needs_strace
@pytest.mark.fault(20)
def test_what_a_read_only_card_does_not_take_is_sent(tmp_path: Path) -> None:
    """Where the journal is in memory, as systemd has it, uploads go on; later all is stored."""
    port = rig.free_port()
    config, memory = configure(tmp_path, port), tmp_path / "run"
    memory.mkdir()
    with rig.hub(tmp_path / "hub.db", port), in_memory(config, memory) as agent:
        rig.eventually(lambda: sent(tmp_path) > 50)
        with failing(agent.pid, WRITES, "error=EROFS", *files(tmp_path)[:2]):
            rig.eventually(lambda: trouble(tmp_path))
            before = sent(tmp_path)
            rig.eventually(lambda: sent(tmp_path) > before + 100)
            assert trouble(tmp_path)
        rig.eventually(lambda: not trouble(tmp_path))
        rig.stop(agent)
    stored, arrived = rig.held(tmp_path / "pilogger.db"), rig.held(tmp_path / "hub.db")

    assert len(stored) == len(set(stored)) == status.find(tmp_path / "pilogger.db")["taken"]
    assert len(arrived) == len(set(arrived)) > before
    assert {when for _, when, _ in arrived} <= {when for _, when, _ in stored}


@needs_strace
@pytest.mark.fault(22)
@pytest.mark.parametrize(("name", "when"), [("x.db-wal", "40+5"), ("x.db", "3+2"), ("x.db", "2+3")])
def test_what_a_failed_sync_left_open_is_written_again(
    tmp_path: Path, name: str, when: str
) -> None:
    """After EIO the kernel may have dropped it: no later sync is believed to have confirmed it.

    The file itself is synced at a checkpoint, but not at one that a reader keeps from its end.
    """
    store, trace = str(tmp_path / "x.db"), tmp_path / "trace"
    watched = ("-P", str(tmp_path / name), "-e", "trace=pwrite64,fdatasync")
    faults = ("-e", f"inject=fdatasync:error=EIO:when={when}")
    child = (sys.executable, "-c", WRITER, store)
    command = ["strace", "-f", "-y", "-s", "0", "-o", str(trace), *watched, *faults, *child]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    failed, believed = judge(trace.read_text())
    Store.open(tmp_path / "x.db", FakeClock()).close()

    assert ended.returncode == 0, ended.stderr
    assert failed.keys() == {name}
    assert believed == []
    assert [value for _, _, value in rig.held(tmp_path / "x.db")] == [
        f"{n} {TEXT}" for n in range(150)
    ]


def judge(trace: str) -> tuple[Counter[str], list[str]]:
    """Count the failed syncs by file; name the writes that one left open and somebody believed.

    In a log, who goes on behind them believes them: each frame counts only with those before it.
    """
    written: dict[str, set[int]] = defaultdict(set)
    doubtful: dict[str, set[int]] = defaultdict(set)
    failed: Counter[str] = Counter()
    believed = []
    for name, where, result in CALL.findall("\n".join(calls(trace))):
        is_log = name.endswith("-wal")
        if where:
            at = int(where)
            written[name].add(at)
            if is_log:
                believed += [f"{name}: {write}" for write in doubtful.pop(name, ()) if write < at]
            doubtful[name].discard(at)
        elif result == "0":
            believed += [f"{name}: {write}" for write in doubtful[name] if not is_log]
            written[name].clear()
        else:
            failed[name] += 1
            doubtful[name] |= written[name]
    return failed, believed


def test_who_believes_a_sync_after_a_failed_one_is_found() -> None:
    """In a file by a sync that follows, in its log by going on behind what was left open."""
    trace = """\
1 pwrite64(5</x.db>, ""..., 1024, 2048) = 1024
1 fdatasync(5</x.db>) = -1 EIO (Input/output error) (INJECTED)
1 fdatasync(5</x.db> <unfinished ...>
2 fdatasync(7</y.db>) = 0
1 <... fdatasync resumed>) = 0
1 pwrite64(6</x.db-wal>, ""..., 24, 56) = 24
1 fdatasync(6</x.db-wal>) = -1 EIO (Input/output error) (INJECTED)
1 pwrite64(6</x.db-wal>, ""..., 24, 80) = 24
"""

    assert judge(trace) == ({"x.db": 1, "x.db-wal": 1}, ["x.db: 2048", "x.db-wal: 56"])


@needs_strace
@pytest.mark.fault(33)
def test_no_sensor_waits_for_a_card_that_takes_its_time(tmp_path: Path) -> None:
    """While one commit takes 25 s, five hundred readings are taken."""
    with rig.agent(configure(tmp_path)) as agent:
        rig.eventually(lambda: rig.held(tmp_path / "pilogger.db"))
        with failing(agent.pid, "fdatasync", "delay_enter=25s", *files(tmp_path)):
            more(tmp_path, "taken", 500, patience=20)
            dropped = state(tmp_path)["store"]["dropped"]
        said = rig.stop(agent)

    assert agent.returncode == 0, said
    assert dropped == 0
    assert len(rig.held(tmp_path / "pilogger.db")) == status.find(tmp_path / "pilogger.db")["taken"]


READER = """
import json, sys
from pathlib import Path
import damage_rig as rig
from pilogger.store import Store
from pilogger.testing import FakeClock
clock = FakeClock()
clock.advance(10**6)
store = Store.open(Path(sys.argv[1]), clock)
assert store.salvage.join(30)
print(json.dumps([store.salvage.state(), sorted(map(repr, rig.everything(store)))]))
store.close()
"""


def read_failing(store: Path, when: str, *bad: Path) -> tuple[list[status.State], set[str]]:
    """Open a store, some of whose reads fail; tell what was salvaged, and all that it has."""
    faults = ["-e", f"trace={READS}", "-e", f"inject={READS}:error=EIO:when={when}"]
    watched = [word for path in bad for word in ("-P", str(path))]
    command = ["strace", "-f", "-qq", *faults, *watched, "-o", str(store.with_name("trace"))]
    ended = subprocess.run(
        [*command, sys.executable, "-c", READER, str(store)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    )
    assert ended.returncode == 0, ended.stderr
    salvaged, found = json.loads(ended.stdout)
    return salvaged, set(found)


@needs_strace
@pytest.mark.fault(23)
@pytest.mark.parametrize("when", ["5", "10", "30", "50"])
def test_a_read_that_fails_once_costs_nothing(tmp_path: Path, when: str) -> None:
    """Wherever a start meets it: the file is moved aside, and all that it held comes back."""
    before = damage_rig.make(tmp_path, killed=False, pieces=1)
    store = tmp_path / damage_rig.NAME
    (salvaged,), found = read_failing(store, when, store)

    assert found == set(map(repr, before))
    assert (salvaged["lost"], salvaged["kept"]) == (0, False)


@needs_strace
@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("parts", "when"), [([""], "250..256"), (["-wal"], "1..8"), (["-fresh-0", "-fresh-1"], "1..8")]
)
def test_what_cannot_be_read_at_all_is_counted_and_kept(
    tmp_path: Path, parts: list[str], when: str
) -> None:
    """Bad sectors are no empty ones: what the folder still holds may be read by somebody else."""
    before = damage_rig.make(tmp_path, killed=parts != [""], pieces=2)
    store = tmp_path / damage_rig.NAME
    damage_rig.flip(store, 0, Random(1))
    folder = tmp_path / f"{damage_rig.NAME}-damaged-1"
    bad = [folder / f"{damage_rig.NAME}{part}" for part in parts]
    (salvaged,), found = read_failing(store, when, *bad)

    assert found <= set(map(repr, before))
    assert salvaged["kept"]
    assert salvaged["lost"] > 0


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a file system needs root")
@pytest.mark.fault(20)
def test_a_card_that_the_kernel_makes_read_only(tmp_path: Path) -> None:
    """As ext4 does it after an error: what is stored can be read, the rest waits, and says why."""
    image, card = tmp_path / "image", tmp_path / "card"
    card.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, card], check=True)
    try:
        store = Store.open(card / "x.db", FakeClock(), durability=0)
        store.declare("n", {"": "1"})
        store.append([Sample("n", {"": 1}, 0)])
        carrier = Recorder(store)
        carrier.start()
        subprocess.run(["mount", "-o", "remount,abort", card], check=True)
        carrier.put(Sample("n", {"": 2}, 1))
        rig.eventually(lambda: carrier.trouble)
        readings, waiting = rig.held(store.path), carrier.waiting
        carrier.stop(1)
        with pytest.raises(StoreBroken):
            store.close()
    finally:
        subprocess.run(["umount", card], check=True)

    assert [value for _, _, value in readings] == [1]
    assert waiting == 1
    assert os.strerror(errno.EROFS) in carrier.trouble
