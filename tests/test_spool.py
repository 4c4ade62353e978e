"""The spool: files of many processes, of which none is lost and none is sent twice."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pilogger.destinations import Destination, LockedOut, Outcome, Wait
from pilogger.errors import BadValue, StoreBroken, StoreLocked
from pilogger.sample import Point, Sample
from pilogger.spool import Spool, state_folder
from pilogger.testing import FlakyDestination

DOWN = Wait("down")


@pytest.fixture
def place() -> FlakyDestination:
    return FlakyDestination()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the spools of the tests lie."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "pilogger" / "test"


@pytest.fixture
def spools(folder: Path) -> Iterator[list[Spool]]:
    """Spools to close at the end."""
    opened: list[Spool] = []
    yield opened
    for spool in opened:
        spool.close(0)


def put(spool: Spool, *values: int) -> None:
    spool.store.declare("a", {"": "1"})
    spool.append([Sample("a", {"": value}, 0, "5") for value in values])


def values(place: FlakyDestination) -> list[object]:
    return [point.value for point in place.arrived]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.db"))


def opened(place: Destination, **options: object) -> Spool:
    return Spool.open("test", "http://here key", lambda _: place, **options)  # type: ignore[arg-type]


def test_what_is_given_is_sent(place: FlakyDestination, spools: list[Spool]) -> None:
    """A flush is true when the server has everything."""
    spools.append(spool := opened(place))
    put(spool, 1, 2, 3)

    assert spool.flush(10)
    assert values(place) == [1, 2, 3]
    assert spool.pending() == 0


def test_enough_is_sent_without_waiting_for_company(
    place: FlakyDestination, spools: list[Spool]
) -> None:
    """With enough at hand nothing waits, however long the others would."""
    spools.append(spool := opened(place, gather=1e6, enough=3))
    put(spool, 1, 2)
    time.sleep(0.05)
    early = values(place)
    put(spool, 3)
    until = time.monotonic() + 10
    while not place.arrived and time.monotonic() < until:
        time.sleep(0.01)

    assert (early, values(place)) == ([], [1, 2, 3])


def test_patience_begins_with_the_trouble(
    place: FlakyDestination, spools: list[Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hung for longer is asked once more, and may be well by then."""
    monkeypatch.setattr("pilogger.uploader.backoff.SHORTEST", 0.01)

    class Slow:
        limit = 10
        close = place.close

        def send(self, points: Sequence[Point]) -> Outcome:
            if place.arrived or hung.is_set():
                return place.send(points)
            hung.set()
            time.sleep(0.4)
            return DOWN

    hung = threading.Event()
    spools.append(spool := opened(Slow()))
    put(spool, 1)

    assert spool.flush(10, patience=0.3)
    assert values(place) == [1]


def test_what_was_not_sent_goes_first_at_the_next_start(
    place: FlakyDestination, spools: list[Spool], folder: Path
) -> None:
    """The next one goes on with the same file, in order."""
    place.down = DOWN
    first = opened(place)
    put(first, 1, 2)

    assert not first.close()

    place.down = None
    spools.append(second := opened(place))
    put(second, 3)

    assert second.flush(10)
    assert values(place) == [1, 2, 3]
    assert len(files(folder)) == 1


def test_two_at_once_have_a_file_each(
    place: FlakyDestination, spools: list[Spool], folder: Path
) -> None:
    """A file has one writer."""
    spools += [opened(place), opened(place)]

    assert len(files(folder)) == 2
    assert spools[0].store.path != spools[1].store.path


def test_orphans_are_sent_and_removed(
    place: FlakyDestination, spools: list[Spool], folder: Path
) -> None:
    """One start goes on with one file, and sends what is in the others."""
    place.down = DOWN
    several = [opened(place) for _ in range(3)]
    for number, spool in enumerate(several):
        put(spool, number)
    for spool in several:
        spool.close(0)
    place.down = None
    before = files(folder)

    def left() -> set[str]:
        found = {path.name.partition(".db")[0] for path in spool.folder.iterdir()}
        return found - {"gate"}

    spools.append(spool := opened(place))
    until = time.monotonic() + 20
    while len(left()) > 1 and time.monotonic() < until:
        time.sleep(0.02)

    assert len(before) == 3
    assert spool.flush(10)
    assert sorted(values(place)) == [0, 1, 2]  # type: ignore[type-var]
    assert files(folder) == before[:1] == [spool.store.path]
    assert left() == {before[0].stem}


def test_another_target_has_other_files(
    place: FlakyDestination, spools: list[Spool], folder: Path
) -> None:
    """Nothing goes to another account than it was meant for, whose key no file name tells."""
    place.down = DOWN
    spools.append(mine := opened(place))
    put(mine, 1)
    mine.close(0)
    other = FlakyDestination()
    spools.append(Spool.open("test", "http://here other", lambda _: other))

    assert spools[-1].flush(10)
    assert other.arrived == []
    assert not any("key" in str(path) or "here" in str(path) for path in files(folder))


def test_it_opens_itself_again_after_close(place: FlakyDestination, spools: list[Spool]) -> None:
    """As with the original clients, a close is no end."""
    spools.append(spool := opened(place))
    put(spool, 1)

    assert spool.close()

    put(spool, 2)

    assert spool.close()
    assert values(place) == [1, 2]


def test_a_store_of_ones_own_is_nobody_elses(
    place: FlakyDestination, spools: list[Spool], folder: Path
) -> None:
    """`store` is one file, and a second who names it is told."""
    path = folder / "mine.db"
    spools.append(opened(place, store=path))

    with pytest.raises(StoreLocked, match=rf"being written .* \(process {os.getpid()}\)"):
        opened(place, store=path)
    assert files(folder) == []


def test_a_flush_gives_up_when_its_time_is_over(
    place: FlakyDestination, spools: list[Spool]
) -> None:
    """At once where an outage is not to be waited for; what is there stays."""
    place.down = DOWN
    spools.append(spool := opened(place))
    put(spool, 1)

    assert not spool.flush(60, patience=0)
    assert not spool.flush(0.1)
    assert spool.trouble == "down"
    assert spool.pending() == 1


def test_refusals_are_told_with_their_reading(
    place: FlakyDestination, spools: list[Spool], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever observes hears of every outcome; the log names what is refused for ever."""
    heard: list[tuple[int, Outcome]] = []
    place.poison = lambda point: point.value == 2

    def observer(points: object, outcome: Outcome) -> None:
        heard.append((len(points), outcome))  # type: ignore[arg-type]
        raise ValueError("of the callback")

    spools.append(spool := opened(place, observer=observer))
    put(spool, 1, 2)
    with caplog.at_level(logging.WARNING, "pilogger.spool"):
        assert spool.flush(10)

    assert [(n, type(outcome).__name__) for n, outcome in heard] == [
        (2, "Refused"), (1, "Accepted"), (1, "Refused"),
    ]  # fmt: skip
    assert "test: refused for ever: a = '2' at 5: 1 bad" in caplog.messages
    assert "test: a callback failed" in caplog.messages


def test_locked_out_is_trouble_and_loses_nothing(
    place: FlakyDestination, spools: list[Spool], caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong key keeps everything, and the log says where and what for."""
    place.down = LockedOut("wrong key")
    spools.append(spool := opened(place))
    put(spool, 1)

    assert not spool.close()
    where = f"test: what waits is in {spool.folder}: a client with the right key sends it"
    assert len([it for it in caplog.messages if it.startswith(where)]) == 1

    place.down = None
    spools.append(again := opened(place))

    assert again.flush(10)
    assert values(place) == [1]


def test_a_bad_value_costs_itself(place: FlakyDestination, spools: list[Spool]) -> None:
    """The call says so, and nothing of it is kept."""
    spools.append(spool := opened(place))
    spool.store.declare("a", {"": "1"})
    with pytest.raises(BadValue, match="nan"):
        spool.append([Sample("a", {"": float("nan")}, 0, "5")])

    assert spool.pending() == 0


def test_a_state_folder_that_cannot_be_made_says_what_to_do(
    place: FlakyDestination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error with the name of the folder and the two ways out."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))

    with pytest.raises(StoreBroken, match=r"file/pilogger.* set XDG_STATE_HOME, or store="):
        opened(place)


def test_what_cannot_be_opened_is_left_out_and_named_once(
    place: FlakyDestination, spools: list[Spool], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of a newer pilogger, say: it stays as it is, and everything else goes on."""
    spools.append(spool := opened(place))
    spool.close()
    newer = spool.folder / "00-newer.db"
    with closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA user_version = 1000")
    before = newer.read_bytes()
    for _ in range(2):
        put(spool, 1)
        assert spool.close()

    told = [line for line in caplog.messages if "cannot be sent" in line]
    assert len(told) == 1
    assert "install the newer pilogger" in told[0]
    assert newer.read_bytes() == before
    assert values(place) == [1, 1]


def test_without_a_home_the_ways_out_are_named(
    place: FlakyDestination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service may have no home; then a file of its own does."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)

    with pytest.raises(StoreBroken, match=r"home directory\.: set HOME, XDG_STATE_HOME, or store="):
        opened(place)
    assert opened(place, store=tmp_path / "mine.db").close()


def test_the_state_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_STATE_HOME if it is absolute, else ~/.local/state."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")

    assert state_folder() == tmp_path / ".local/state/pilogger"

    monkeypatch.setenv("XDG_STATE_HOME", "/var/lib/x")

    assert state_folder() == Path("/var/lib/x/pilogger")


# -- other processes -------------------------------------------------------------------------

PROGRAM = """
import os, sys, time
from pathlib import Path
from pilogger.destinations import Accepted, Wait
from pilogger.sample import Point, Sample
from pilogger.spool import Spool

class ToFile:
    limit = 100
    def __init__(self, path):
        self.path = path
    def send(self, points):
        if not self.path.exists():
            return Wait("down")
        with self.path.open("a") as file:
            file.write("".join(f"{point.value}\\n" for point in points))
        return Accepted()
    def close(self):
        pass

arrived = ToFile(Path(sys.argv[1]))
spool = Spool.open("test", "http://here key", lambda _: arrived)

def put(*values):
    spool.store.declare("a", {"": "1"})
    spool.append([Sample("a", {"": value}, 0, "5") for value in values])

"""


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + program, folder.parent / "arrived"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def arrived(folder: Path) -> list[int]:
    return [int(line) for line in (folder.parent / "arrived").read_text().split()]


@pytest.fixture
def server(folder: Path) -> Path:
    """The file that is the server of the other processes: it is down while there is none."""
    folder.mkdir(parents=True)
    path = folder.parent / "arrived"
    path.touch()
    return path


def test_a_program_that_just_ends_has_sent_everything(folder: Path, server: Path) -> None:
    """Neither flush nor close is needed."""
    done = run(folder, "put(1, 2, 3)")

    assert (done.returncode, done.stderr) == (0, "")
    assert arrived(folder) == [1, 2, 3]


def test_a_program_that_ends_while_the_server_is_down_loses_nothing(
    folder: Path, server: Path
) -> None:
    """It ends, and the next one sends what it had."""
    server.unlink()
    done = run(folder, "put(1, 2)")
    server.touch()
    run(folder, "put(3)")

    assert done.returncode == 0
    assert arrived(folder) == [1, 2, 3]


def test_a_killed_process_loses_nothing(folder: Path, server: Path) -> None:
    """What a call took is there after SIGKILL, and goes out once."""
    server.unlink()
    done = run(folder, "put(*range(50)); os.kill(os.getpid(), 9)")
    server.touch()
    run(folder, "")

    assert done.returncode == -signal.SIGKILL
    assert arrived(folder) == [*range(50)]


@pytest.mark.fault(30)
def test_a_child_has_a_file_of_its_own(folder: Path, server: Path) -> None:
    """After a fork both go on; neither sends what is the other's, or keeps its ear for networks."""
    done = run(folder, """
from glob import glob
put(1)
spool.flush(10)
before = spool.store.path
child = os.fork()
put(2 if child else 3)
assert (spool.store.path == before) == bool(child)
if child:
    _, status = os.waitpid(child, 0)
    assert status == 0, status
put(4 if child else 5)
files = [os.readlink(fd) for fd in glob("/proc/self/fd/*") if os.path.lexists(fd)]
assert sum("eventfd" in file for file in files) == 1, files
""")  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(arrived(folder)) == [1, 2, 3, 4, 5]


@pytest.mark.fault(30)
def test_a_fork_while_another_thread_closes_harms_neither(folder: Path, server: Path) -> None:
    """Whatever of the closing file the parent had let go of already, the child leaves alone."""
    done = run(folder, """
from threading import Event, Thread
asked, over, send = Event(), Event(), arrived.send

def wait(points):
    asked.set()
    over.wait(10)
    return send(points)

arrived.send = wait
put(1)
asked.wait(10)
uploader = spool._sender.uploader
closing = Thread(target=spool.close, args=(0,))
closing.start()
uploader._stop.wait(10)
child = os.fork()
over.set()
arrived.send = send
if child:
    closing.join()
    _, status = os.waitpid(child, 0)
    assert status == 0, status
else:
    put(2)
    assert spool.flush(10)
""")  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(set(arrived(folder))) == [1, 2]


def test_a_child_of_multiprocessing_sends_all_before_it_ends(folder: Path, server: Path) -> None:
    """Though such children run no atexit functions."""
    done = run(folder, """
import multiprocessing
put(0)
workers = [multiprocessing.get_context("fork").Process(target=put, args=(n,)) for n in (1, 2)]
for worker in workers: worker.start()
for worker in workers: worker.join()
assert sorted(map(int, arrived.path.read_text().split())) in ([1, 2], [0, 1, 2])
""")  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(arrived(folder)) == [0, 1, 2]


@pytest.mark.fault(30)
def test_a_child_that_outlives_its_parent_does_not_keep_its_file(
    folder: Path, server: Path
) -> None:
    """The parent's file is an orphan when the parent is dead, though a child of it is not."""
    server.unlink()
    program = """
put(1)
if os.fork() == 0:
    put(2)
    sys.stdin.read()
    os._exit(0)
os.kill(os.getpid(), 9)
"""
    arguments = [sys.executable, "-c", PROGRAM + program, str(server)]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe) as parent:
        parent.wait(timeout=30)
        server.touch()
        run(folder, "")
        early = arrived(folder)
        parent.communicate(timeout=30)  # until the child has ended too
    run(folder, "")

    assert 1 in early
    assert sorted(arrived(folder)) == [1, 2]


@pytest.mark.fault(30)
def test_a_store_of_ones_own_stays_with_the_parent(folder: Path, server: Path) -> None:
    """The child is told, even once the parent is gone and the file is free."""
    done = run(folder, """
from pilogger.errors import StoreLocked
mine = Spool.open("test", "", lambda _: arrived, store=Path(sys.argv[1]).with_name("mine.db"))
reader, writer = os.pipe()
if os.fork():
    mine.close()
    os.close(writer)
    os.wait()
else:
    os.close(writer)
    os.read(reader, 1)
    for _ in range(2):
        try:
            mine.store
        except StoreLocked as error:
            print(error)
""")  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("belongs to the process that this one was forked from") == 2
