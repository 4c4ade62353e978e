"""Clock segments: one correction gives every earlier reading of a boot its right time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from logger_rig import eventually, held

from pilogger.errors import StoreBroken
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock


def opened(path: Path, clock: FakeClock) -> Store:
    store = Store.open(path, clock)
    store.declare("n", {"": "1"})
    return store


def poll(store: Store, clock: FakeClock, value: int) -> None:
    store.append([Sample("n", {"": value}, clock.boot())])
    clock.advance(1)


def test_readings_before_the_clock_was_right_get_their_time_later(tmp_path: Path) -> None:
    """A Pi boots in 1970; readings wait; NTP comes; all get the time of their poll."""
    clock = FakeClock(synced=False)
    clock.step_wall(-1_767_225_600)
    store = opened(tmp_path / "x.db", clock)
    outbox = store.outbox("there")
    poll(store, clock, 1)
    poll(store, clock, 2)

    assert outbox.take(10) is None
    assert outbox.waiting == "the clock has not been right since the machine started"
    assert outbox.pending() == 2

    clock.step_wall(1_767_225_600)
    clock.is_synced = True
    store.tend_clock()
    poll(store, clock, 3)
    batch = outbox.take(10)

    assert batch is not None
    assert [(p.value, p.epoch) for p in batch.points] == [
        (1, "1767225600"),
        (2, "1767225601"),
        (3, "1767225602"),
    ]
    assert outbox.waiting == ""
    store.close()


def test_a_restart_in_the_same_boot_is_corrected_too(tmp_path: Path) -> None:
    """Every process of this boot measured the same boot time."""
    clock = FakeClock(synced=False)
    store = opened(tmp_path / "x.db", clock)
    poll(store, clock, 1)
    store.close()
    store = opened(tmp_path / "x.db", clock)
    clock.step_wall(3600)
    clock.is_synced = True
    store.tend_clock()
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert batch.points[0].epoch == "1767229200"
    store.close()


def test_the_correction_survives_a_restart(tmp_path: Path) -> None:
    """It is one row in the store."""
    clock = FakeClock(synced=False)
    store = opened(tmp_path / "x.db", clock)
    poll(store, clock, 1)
    clock.step_wall(7200)
    clock.is_synced = True
    store.tend_clock()
    store.close()
    store = opened(tmp_path / "x.db", FakeClock(boot_id="boot-2"))
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert batch.points[0].epoch == "1767232800"
    store.close()


def test_an_earlier_boot_without_time_is_held_and_stops_nobody(tmp_path: Path) -> None:
    """Its readings stay stored and counted as pending; later boots are sent, overrides too."""
    path = tmp_path / "x.db"
    clock = FakeClock(synced=False)
    store = opened(path, clock)
    poll(store, clock, 1)
    store.append([Sample("n", {"": 2}, clock.boot(), epoch="1500000000")])
    poll(store, clock, 3)
    poll(store, clock, 4)
    store.close()
    clock = FakeClock(boot_id="boot-2")
    store = opened(path, clock)
    outbox = store.outbox("there")
    poll(store, clock, 5)
    sent = []
    while batch := outbox.take(1):
        sent += [point.value for point in batch.points]
        outbox.settle(batch)
    held = store.writer.connection

    assert sent == [2, 5]
    assert (outbox.sent, outbox.pending()) == (2, 3)
    store.flush()
    assert held.execute("SELECT first, last FROM held").fetchall() == [(1, 1), (3, 4)]
    store.close()
    store = opened(path, FakeClock(boot_id="boot-3"))
    again = store.outbox("there")
    assert again.take(10) is None
    assert again.pending() == 3
    store.close()


def test_a_step_of_the_clock_begins_a_new_segment(tmp_path: Path) -> None:
    """Readings before the step keep their time, readings after it have the new one."""
    clock = FakeClock()
    store = opened(tmp_path / "x.db", clock)
    poll(store, clock, 1)
    clock.step_wall(-3600)
    store.tend_clock()
    store.tend_clock()
    poll(store, clock, 2)
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert [p.epoch for p in batch.points] == ["1767225600", "1767222001"]
    assert len(store.segments) == 2
    store.close()


@pytest.mark.fault(39)
def test_small_slews_stay_in_one_segment(tmp_path: Path) -> None:
    """A disciplined clock is moved by microseconds all the time."""
    clock = FakeClock()
    store = opened(tmp_path / "x.db", clock)
    clock.step_wall(0.02)
    store.tend_clock()

    assert len(store.segments) == 1
    store.close()


def test_the_clock_may_become_right_between_two_processes(tmp_path: Path) -> None:
    """The second one begins with a right clock, and corrects what the first one measured."""
    clock = FakeClock(synced=False)
    store = opened(tmp_path / "x.db", clock)
    poll(store, clock, 1)
    store.close()
    clock.step_wall(3600)
    clock.is_synced = True
    store = opened(tmp_path / "x.db", clock)
    store.tend_clock()
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert batch.points[0].epoch == "1767229200"
    store.close()


def test_a_power_cut_right_after_the_correction_costs_no_time(tmp_path: Path) -> None:
    """Nothing is sent with a time that is not on the disk yet."""
    clock = FakeClock(synced=False)
    store = opened(tmp_path / "x.db", clock)
    poll(store, clock, 1)
    store.flush()
    clock.step_wall(3600)
    clock.is_synced = True
    store.tend_clock()
    (tmp_path / "after").mkdir()
    for name in ("x.db", "x.db-wal"):  # what the power left: no journal
        shutil.copy(tmp_path / name, tmp_path / "after" / name)
    store.close()
    store = opened(tmp_path / "after" / "x.db", FakeClock(boot_id="boot-2"))
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert batch.points[0].epoch == "1767229200"
    store.close()


def test_a_full_disk_delays_the_correction_only(tmp_path: Path) -> None:
    """The keeper of the store goes on, and no sample points to a segment that is not there."""
    clock = FakeClock(synced=False)
    store = opened(tmp_path / "x.db", clock)
    poll(store, clock, 1)
    fds, store.writer._journal._fds = store.writer._journal._fds, [-1, -1]
    clock.step_wall(3600)
    clock.is_synced = True
    with pytest.raises(StoreBroken):
        store.tend_clock()
    store.writer._journal._fds = fds
    outbox = store.outbox("there")
    eventually(lambda: outbox.take(10))
    clock.step_wall(-1800)
    fds, store.writer._journal._fds = store.writer._journal._fds, [-1, -1]
    with pytest.raises(StoreBroken):
        store.tend_clock()
    store.writer._journal._fds = fds
    poll(store, clock, 2)
    store.flush()

    assert [value for _, _, value in held(store.path)] == [1, 2]
    store.close()


def test_a_step_between_two_looks_is_not_mistaken_for_the_truth(tmp_path: Path) -> None:
    """The clock is asked whether it is right, is set by hand, and only then read."""

    class Hasty(FakeClock):
        hand = 0.0

        def synced(self) -> bool:
            was = super().synced()
            if self.hand:
                self.set_wall(self.hand)
                self.hand = 0.0
            return was

    clock = Hasty()
    store = opened(tmp_path / "x.db", clock)
    clock.hand = 3600
    store.tend_clock()
    poll(store, clock, 1)
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert batch.points[0].epoch == "1767225600"
    assert len(store.segments) == 1
    store.close()


def test_a_late_sample_belongs_to_the_segment_of_its_stamp(tmp_path: Path) -> None:
    """A sample may wait in memory while the clock is set."""
    clock = FakeClock()
    store = opened(tmp_path / "x.db", clock)
    late = Sample("n", {"": 1}, clock.boot())
    clock.advance(1)
    clock.step_wall(3600)
    store.tend_clock()
    store.append([late])
    poll(store, clock, 2)
    batch = store.outbox("there").take(10)

    assert batch is not None
    assert [p.epoch for p in batch.points] == ["1767225600", "1767229201"]
    store.close()


def test_who_says_so_and_since_when(tmp_path: Path) -> None:
    """Before the clock is right nobody does; then since the moment it became right."""
    clock = FakeClock(synced=False)
    store = opened(tmp_path / "x.db", clock)
    before = store.sync()
    clock.advance(60)
    clock.ntp()
    store.tend_clock()
    clock.advance(60)

    assert before == {"source": "", "confirmed": False, "since": None, "error": None}
    right = {"source": "ntp", "confirmed": True, "since": 1_767_225_660.0, "error": 0.01}
    assert store.sync() == right
    clock.set_wall(3600)
    store.tend_clock()
    assert store.sync() == right | {"confirmed": False, "error": None}
    store.close()
