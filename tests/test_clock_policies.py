"""Readings whose clock was never right: held, sent with a mark, or dropped; exact to the last.

Spans that are held shrink as their readings leave, also through restarts and kill -9.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger.sample import Point, Sample
from pilogger.store import Order, Outbox, Policy, Store, beside
from pilogger.testing import FakeClock


def opened(path: Path, clock: FakeClock) -> Store:
    store = Store.open(path, clock)
    store.declare("n", {"": "1"})
    return store


def feed(store: Store, clock: FakeClock, first: int, count: int) -> None:
    for value in range(first, first + count):
        store.append([Sample("n", {"": value}, clock.boot())])
        clock.advance(1)


def three_boots(path: Path) -> FakeClock:
    """Make a store: 1 to 5 and 6 to 9 are of starts without NTP, 10 to 12 of one with."""
    clock = FakeClock(synced=False)
    for first, count in ((1, 5), (6, 4), (10, 3)):
        clock = clock.reboot(f"with {first}")
        clock.is_synced = first == 10
        store = opened(path, clock)
        feed(store, clock, first, count)
        store.close()
    return clock


def send(outbox: Outbox, limit: int, batches: int = 100) -> list[object]:
    values: list[object] = []
    for _ in range(batches):
        batch = outbox.take(limit)
        if batch is None:
            break
        values += [point.value for point in batch.points]
        outbox.settle(batch)
    return values


def spans(store: Store) -> list[tuple[int, int]]:
    store.flush()
    query = "SELECT first, last FROM held ORDER BY first"
    return store.writer.connection.execute(query).fetchall()


def test_held_readings_say_why_they_wait(tmp_path: Path) -> None:
    """They count as pending, and the destination's status names the setting."""
    clock = three_boots(tmp_path / "x.db")
    store = opened(tmp_path / "x.db", clock)
    outbox = store.outbox("there")

    assert send(outbox, 100) == [10, 11, 12]
    assert spans(store) == [(1, 9)]
    assert outbox.pending() == 9
    assert outbox.waiting == (
        "readings of earlier starts wait, as their clock was never right (clock.unsynced is hold)"
    )
    store.close()


def test_dropped_readings_are_set_aside_with_the_reason(tmp_path: Path) -> None:
    """They count as refused, and nothing is left to wait."""
    clock = three_boots(tmp_path / "x.db")
    store = opened(tmp_path / "x.db", clock)
    outbox = store.outbox("there", unsynced="drop")

    assert send(outbox, 4) == [10, 11, 12]
    assert (outbox.sent, outbox.refused, outbox.pending()) == (3, 9, 0)
    assert spans(store) == []
    rows = store.writer.connection.execute("SELECT seq, reason FROM set_aside").fetchall()
    assert rows == [
        (n, "its clock was never right, and clock.unsynced is drop") for n in range(1, 10)
    ]
    store.close()


def test_marked_readings_leave_before_later_ones(tmp_path: Path) -> None:
    """Oldest first, in whole samples, each with its mark."""
    clock = three_boots(tmp_path / "x.db")
    store = opened(tmp_path / "x.db", clock)
    outbox = store.outbox("there", unsynced="send-marked")
    points: list[Point] = []
    while batch := outbox.take(2):
        points += batch.points
        outbox.settle(batch)

    assert [point.value for point in points] == list(range(1, 13))
    assert [point.estimated for point in points] == [True] * 9 + [False] * 3
    assert (outbox.sent, outbox.pending(), spans(store)) == (12, 0, [])
    store.close()


def test_nothing_leaves_before_its_time_is_estimated(tmp_path: Path) -> None:
    """While this start's clock is not right either, nobody knows when the others were."""
    path = tmp_path / "x.db"
    clock = FakeClock(synced=False, boot_id="a")
    store = opened(path, clock)
    feed(store, clock, 1, 3)
    store.close()
    clock = clock.reboot("b")
    store = opened(path, clock)
    outbox = store.outbox("there", unsynced="send-marked")
    feed(store, clock, 4, 2)
    store.append([Sample("n", {"": 0}, clock.boot(), epoch="1")])
    early = send(outbox, 100)
    clock.ntp()
    store.tend_clock()

    assert early == []
    assert send(outbox, 100) == [1, 2, 3, 4, 5, 0]
    store.close()


def test_what_may_not_be_estimated_yet_says_so(tmp_path: Path) -> None:
    """Nothing but readings of an earlier start is there, and the clock is not right."""
    path = tmp_path / "x.db"
    clock = FakeClock(synced=False, boot_id="a")
    store = opened(path, clock)
    feed(store, clock, 1, 3)
    store.close()
    store = opened(path, clock.reboot("b"))
    outbox = store.outbox("there", unsynced="send-marked")

    assert send(outbox, 100) == []
    assert outbox.waiting == (
        "readings of earlier starts wait until the clock is right and their time is estimated"
    )
    assert outbox.pending() == 3
    store.close()


KILLED = """
import os, sys
from pathlib import Path
from pilogger.store import Store
from pilogger.testing import FakeClock
clock = FakeClock(boot_id="e")
store = Store.open(Path(sys.argv[1]), clock)
outbox = store.outbox("there", unsynced="send-marked")
for _ in range(int(sys.argv[2])):
    batch = outbox.take(2)
    print(*(point.value for point in batch.points))
    outbox.settle(batch)
sys.stdout.flush()
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("batches", [1, 2, 4, 5])
def test_a_killed_process_goes_on_where_it_was(tmp_path: Path, batches: int) -> None:
    """What was settled is not sent again, and nothing is passed over."""
    path = tmp_path / "x.db"
    clock = three_boots(path)
    store = opened(path, clock)
    send(store.outbox("there"), 100)
    store.close()
    command = [sys.executable, "-c", KILLED, str(path), str(batches)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    store = opened(path, FakeClock(boot_id="f"))
    outbox = store.outbox("there", unsynced="send-marked")
    pending = outbox.pending()
    rest = send(outbox, 100)

    assert killed.returncode == -9, killed.stderr
    sent = [int(value) for value in killed.stdout.split()]
    assert sent + rest == list(range(1, 10))
    assert pending == len(rest)
    assert (outbox.sent, outbox.pending()) == (12, 0)
    store.close()


def test_a_journal_from_the_past_changes_nothing(tmp_path: Path) -> None:
    """After a power cut, a file may be what it was before: nothing is held or unknown again."""
    path = tmp_path / "x.db"
    clock = FakeClock(synced=False, boot_id="a")
    store = opened(path, clock)
    feed(store, clock, 1, 5)
    store.close()
    clock = clock.reboot("b")
    store = opened(path, clock)
    outbox = store.outbox("there", unsynced="send-marked")
    store.append([Sample("n", {"": 6}, clock.boot())])
    clock.step_wall(60)
    store.tend_clock()
    outbox.take(2)
    journals = [beside(path, f"fresh-{n}") for n in (0, 1)]
    past = [journal.read_bytes() for journal in journals]
    clock.ntp()
    store.tend_clock()
    sent = send(outbox, 100)
    store.close()
    for journal, data in zip(journals, past, strict=True):
        journal.write_bytes(data)
    clock = clock.reboot("c")
    clock.ntp()
    store = opened(path, clock)
    outbox = store.outbox("there", unsynced="send-marked")

    assert any(b'"held"' in data and b'"unsynced"' in data for data in past)
    assert sent == [1, 2, 3, 4, 5, 6]
    assert spans(store) == []
    assert (send(outbox, 100), outbox.pending()) == ([], 0)
    query = "SELECT state FROM segment WHERE boot_id = 'b'"
    states = store.writer.connection.execute(query).fetchall()
    assert set(states) == {("synced",)}
    store.close()


def test_what_was_passed_over_for_live_readings_is_held_together(tmp_path: Path) -> None:
    """With `live_first`, too: in one span for many batches, and what is right goes on."""
    clock = three_boots(tmp_path / "x.db")
    store = opened(tmp_path / "x.db", clock)
    clock.advance(61)
    outbox = store.outbox("there", order="live_first")
    sent = send(outbox, 2)
    held = spans(store)
    pending = outbox.pending()
    store.close()

    assert sent == [10, 11, 12]
    assert held == [(1, 9)]
    assert pending == 9


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("feed"), st.integers(1, 6)),
            st.tuples(st.just("send"), st.integers(1, 5)),
            st.tuples(st.just("policy"), st.sampled_from(["hold", "send-marked", "drop"])),
            st.tuples(st.just("boot"), st.booleans()),
            st.sampled_from([("restart", 0), ("ntp", 0), ("flush", 0)]),
        ),
        max_size=30,
    ),
    st.sampled_from(["oldest_first", "live_first"]),
)
def test_every_reading_is_sent_or_set_aside_once(
    steps: list[tuple[str, int | str]], order: Order
) -> None:
    """Whatever boots, syncs, restarts and policies came: the counts add up, nothing is lost."""
    from tempfile import TemporaryDirectory

    sent: list[object] = []
    fed = 0
    policy: Policy = "hold"
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.db")
        clock = FakeClock(synced=False)
        store = opened(path, clock)
        outbox = store.outbox("there", order=order)
        end: list[tuple[str, int | str]] = [("ntp", 0), ("policy", "send-marked"), ("send", 9)]
        for what, argument in [*steps, *end]:
            match what, argument:
                case "feed", int(count):
                    feed(store, clock, fed, count)
                    fed += count
                case "send", int(limit):
                    sent += send(outbox, limit)
                case "flush", _:
                    store.flush()
                case "ntp", _:
                    clock.ntp()
                    store.tend_clock()
                case _:
                    store.close()
                    if what == "boot":
                        clock = clock.reboot(f"{clock.boot_id}+")
                        clock.is_synced = bool(argument)
                    if what == "policy":
                        policy = argument  # type: ignore[assignment]
                    store = opened(path, clock)
                    outbox = store.outbox("there", unsynced=policy, order=order)
            assert outbox.sent == len(sent)
            assert outbox.pending() == fed - outbox.sent - outbox.refused
        refused = store.writer.connection.execute("SELECT seq - 1 FROM set_aside").fetchall()
        store.close()

    assert sorted([*sent, *(seq for (seq,) in refused)]) == list(range(fed))
