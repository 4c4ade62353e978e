"""kill -9 loses nothing that `append` confirmed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from logger_rig import entries, eventually, held

from pilogger.errors import StoreBroken
from pilogger.sample import Arrival, Sample
from pilogger.store import Store, journal, open_reader
from pilogger.store.journal import Journal
from pilogger.store.messages import Messages
from pilogger.store.points import Points
from pilogger.testing import FakeClock

WRITER = """
import sys
from pathlib import Path
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock

store = Store.open(Path(sys.argv[1]), FakeClock(), durability=float(sys.argv[2]))
store.declare("n", {"": "1"})
outbox = store.outbox("there")
number = store.last
while True:
    number += 1
    store.append([Sample("n", {"": number}, 0)])
    if number % 100 == 0:
        batch = outbox.take(10)
        outbox.settle(batch)
        print(number, outbox.sent, flush=True)
"""


NEXT = "SELECT value FROM meta WHERE key = 'next_seq'"


@pytest.mark.fault(13)
@pytest.mark.parametrize("durability", [0.02, 60])
def test_a_killed_writer_loses_nothing_confirmed(tmp_path: Path, durability: float) -> None:
    """Five times in a row: what was confirmed is there, and the cursor is where it was."""
    path = tmp_path / "pilogger.db"
    confirmed = sent = 0
    for round_ in range(1, 6):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(durability)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(3 * round_):
            line = child.stdout.readline()
        child.kill()
        line = ([line, *child.stdout.readlines()])[-1]
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        confirmed, sent = map(int, line.split())
        store = Store.open(path, FakeClock())
        outbox = store.outbox("there")
        last = store.appender.committed
        assert last >= confirmed
        assert outbox.sent >= sent
        store.close()

    with open_reader(path) as reader:
        numbers = [value for (value,) in reader.execute("SELECT value FROM reading ORDER BY seq")]
    reader.close()
    assert numbers == sorted(set(numbers))
    assert set(range(1, 301)) <= set(numbers)


@pytest.mark.fault(3)
def test_a_torn_or_damaged_journal_gives_what_is_whole(tmp_path: Path) -> None:
    """After a power cut the journal may end anywhere: whole calls count, the rest does not."""
    store = tmp_path / "x.db"
    journal = Journal(store, "me")
    writes = [("meta", str(n), n) for n in range(5)]
    journal.append(writes[:3])
    journal.append(writes[3:])
    journal.close()
    whole = (tmp_path / "x.db-fresh-0").read_bytes()
    for cut in range(len(whole)):
        (tmp_path / "x.db-fresh-0").write_bytes(whole[:cut] + b"\0\0\0")
        again = Journal(store, "me")
        lines = whole[:cut].count(b"\n")  # the first is the age of the file
        assert again.replay() == writes[: (0, 0, 3, 5)[lines]]
        again.close()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x10
    (tmp_path / "x.db-fresh-0").write_bytes(flipped)
    again = Journal(store, "me")

    assert len(again.replay()) < len(writes)
    again.close()


def test_both_journal_files_are_replayed_in_order(tmp_path: Path) -> None:
    """Killed during a commit, the older file comes first."""
    journal = Journal(tmp_path / "x.db", "me")
    journal.append([("meta", "a", 1)])
    journal.swap()
    journal.append([("meta", "a", 2)])
    journal.swap()  # refused: the other file is still needed
    journal.append([("meta", "a", 3)])
    journal.close()
    again = Journal(tmp_path / "x.db", "me")

    assert again.replay() == [("meta", "a", 1), ("meta", "a", 2), ("meta", "a", 3)]
    again.close()


def test_a_failed_commit_keeps_everything(tmp_path: Path) -> None:
    """While the disk refuses, samples go on being taken; the next commit has them all."""
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=3600)
    store.declare("n", {"": "1"})
    store.append([Sample("n", {"": 1}, 0)])
    store.writer.connection.execute("PRAGMA query_only = ON")
    for number in (2, 3):
        with pytest.raises(Exception, match="cannot be written"):
            store.flush()
        store.append([Sample("n", {"": number}, 0)])
    assert store.writer.trouble
    store.writer.connection.execute("PRAGMA query_only = OFF")
    store.flush()
    with open_reader(store.path) as reader:
        rows = reader.execute("SELECT value FROM reading").fetchall()
    reader.close()

    assert rows == [(1,), (2,), (3,)]
    assert not store.writer.trouble
    store.close()
    assert not list(tmp_path.glob("*fresh*"))


def test_a_commit_that_fails_costs_and_doubles_nothing(tmp_path: Path) -> None:
    """With no durability window, too: what is in the journal is taken, and committed later."""
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=0)
    store.declare("n", {"": "1"})
    store.writer.connection.execute("PRAGMA query_only = ON")
    taken = store.append([Sample("n", {"": 1}, 0)])
    with pytest.raises(StoreBroken):
        store.flush()
    store.writer.connection.execute("PRAGMA query_only = OFF")
    store.append([Sample("n", {"": 2}, 0)])

    assert taken == 1
    assert [value for _, _, value in held(store.path)] == [1, 2]
    store.close()


@contextmanager
def nowhere(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let neither the journal nor a commit have room."""
    store.writer.connection.execute("PRAGMA query_only = ON")
    with monkeypatch.context() as full:
        full.setattr(journal, "MOST", 0)
        yield
    store.writer.connection.execute("PRAGMA query_only = OFF")


@pytest.mark.fault(13, 18)
def test_what_not_even_the_journal_has_room_for_is_not_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk that takes no commit either, kill -9 would lose it: it is not taken."""
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=3600)
    store.declare("n", {"": "1"})
    outbox = store.outbox("there")
    store.append([Sample("n", {"": 1}, 0)])
    with nowhere(store, monkeypatch):
        with pytest.raises(StoreBroken):
            store.append([Sample("n", {"": 2}, 0), Sample("n", {"": 3}, 0)])
        refused = store.stored, outbox.pending()
    store.append([Sample("n", {"": 2}, 0), Sample("n", {"": 3}, 0)])
    store.flush()

    assert refused == (1, 1)
    assert [value for _, _, value in held(store.path)] == [1, 2, 3]
    assert outbox.pending() == store.stored == 3
    store.close()


Way = Callable[[Store], Callable[[], object]]
TWO = Sample("n", {"": 2}, 0, "1767225600")


def enter(store: Store) -> Callable[[], object]:
    return lambda: store.enter(entries(store, [TWO]), once=True)


def increment(store: Store) -> Callable[[], object]:
    points = Points(store)
    return lambda: points.increment(entries(store, [TWO]))


def keep(store: Store) -> Callable[[], object]:
    messages = Messages(store)
    message = Arrival("id", "track", None, None, None, None, 0, "{}", entries(store, [TWO]))
    return lambda: messages.keep("me", [message])


@pytest.mark.fault(13, 18)
@pytest.mark.parametrize("way", [enter, increment, keep])
def test_what_a_hub_has_no_room_for_is_taken_when_it_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """It was refused with all that belongs to it, so the repetition counts, and counts once."""
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=3600)
    store.declare("n", {"": "1"})
    take = way(store)
    with nowhere(store, monkeypatch):
        with pytest.raises(StoreBroken):
            take()
        refused = store.stored, len(store.appender.fresh)
    take()
    store.flush()

    assert refused == (0, 0)
    assert [value for _, _, value in held(store.path)] == [2]
    store.close()


def test_the_journal_of_another_store_is_kept_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file was deleted to start anew, the journal was not: its readings are not mixed in."""
    path = tmp_path / "x.db"
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), "60"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    child.wait()
    child.stdout.close()
    for file in tmp_path.glob("x.db*"):
        if "fresh" not in file.name:
            file.unlink()
    store = Store.open(path, FakeClock())
    store.close()

    assert held(path) == []
    assert "belongs to another store" in caplog.text
    assert list(tmp_path.glob("*-of-another-store-*"))


@pytest.mark.fault(2, 8)
def test_a_journal_from_the_past_turns_nothing_back(tmp_path: Path) -> None:
    """A power cut can bring an old journal back: numbers, cursors and spans stay where they are."""
    path = tmp_path / "x.db"
    store = Store.open(path, FakeClock())
    name = store.writer.connection.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()[0]
    store.writer.write([("destination", "d", 0, 0, 0), ("held", "d", 1, 500)])
    store.writer.write([("destination", "d", 500, 8, 7)])
    store.flush()
    reserved = store.writer.connection.execute(NEXT).fetchone()
    store.close()
    stale = Journal(path, name)
    stale.append([("reserve", 10), ("held", "d", 1, 50), ("destination", "d", 2, 2, 0)])
    stale.close()
    store = Store.open(path, FakeClock())
    ask = store.writer.connection.execute
    found = [
        ask(NEXT).fetchone() >= reserved,
        ask("SELECT destination, first, last FROM held").fetchone(),
        ask("SELECT * FROM destination").fetchone(),
    ]
    store.close()

    assert found == [True, ("d", 1, 500), ("d", 500, 8, 7)]


def test_what_is_confirmed_during_the_close_is_kept(tmp_path: Path) -> None:
    """A thread that goes on appending is refused from a moment on; nothing before it is lost."""
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=60)
    store.declare("n", {"": "1"})
    confirmed = 0
    started = threading.Event()

    def append() -> None:
        nonlocal confirmed
        with suppress(StoreBroken):
            while True:
                store.append([Sample("n", {"": confirmed}, 0)])
                confirmed += 1
                started.set()

    thread = threading.Thread(target=append)
    thread.start()
    started.wait()
    store.close()
    thread.join()

    assert [value for _, _, value in held(store.path)] == list(range(confirmed))


def test_a_store_that_is_removed_while_it_is_written_is_trouble(tmp_path: Path) -> None:
    """Nobody would see what is logged to a file without a name."""
    store = Store.open(tmp_path / "x.db", FakeClock())
    (tmp_path / "x.db").unlink()
    eventually(lambda: store.writer.trouble)
    trouble = store.writer.trouble
    store.close()

    assert "x.db was removed or replaced" in trouble
