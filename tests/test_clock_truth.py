"""Whatever befalls the clock, every reading ends within half a second of the truth.

A fake clock knows the truth. Each reading here has the true moment of its poll as its
value, so that what arrives can be compared with it.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pilogger.protocols.initialstate import encode_events
from pilogger.sample import Point, Sample
from pilogger.series import History, find
from pilogger.store import Outbox, Policy, Store, open_reader
from pilogger.testing import FakeClock
from pilogger.words import moment

HOUR = 3600.0
YEAR = 365.25 * 86_400
FAR_OFF = 0.5  # seconds


class Logger:
    """A machine that polls each ten seconds, looks at its clock, and may lose its power."""

    def __init__(self, path: Path, clock: FakeClock, unsynced: Policy = "hold") -> None:
        self.clock = clock
        self._path = path
        self._unsynced = unsynced
        self.outbox: Outbox
        self.start()

    def start(self) -> None:
        self.store = Store.open(self._path, self.clock)
        self.store.declare("n", {"": "us"})
        self.outbox = self.store.outbox("there", unsynced=self._unsynced)

    def work(self, seconds: float, every: float = 10.0) -> None:
        for _ in range(round(seconds / every)):
            stamp = self.clock.boot() // 1000 * 1000
            self.store.append([Sample("n", {"": self.clock.truth}, stamp)])
            self.clock.advance(every)
            self.store.tend_clock()

    def reboot(self, **how: float) -> None:
        self.store.close()
        self.clock = self.clock.reboot(f"{self.clock.boot_id}+", **how)  # type: ignore[arg-type]
        self.start()

    def ntp(self) -> None:
        self.clock.ntp()
        self.store.tend_clock()

    def sent(self) -> list[Point]:
        """Send everything that may leave."""
        points: list[Point] = []
        while batch := self.outbox.take(500):
            points += batch.points
            self.outbox.settle(batch)
        return points


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pilogger.db"


def error(points: list[Point]) -> float:
    """Return the largest difference between an epoch and the truth, in seconds."""
    return max(abs(float(point.epoch) - int(point.value) / 1e6) for point in points)


def in_order(points: list[Point]) -> bool:
    return [point.seq for point in points] == sorted(point.seq for point in points)


@pytest.mark.fault(36)
@pytest.mark.parametrize("wrong", [-56 * YEAR, -14 * 86_400, 2 * YEAR], ids=["1970", "old", "new"])
def test_a_start_with_a_wrong_clock(path: Path, wrong: float) -> None:
    """Without a clock chip it is 1970, or what fake-hwclock saved two weeks ago."""
    clock = FakeClock(synced=False, crystal=30)
    clock.step_wall(wrong)
    logger = Logger(path, clock)
    logger.work(600)
    before = logger.sent()
    logger.ntp()
    logger.work(600)
    points = logger.sent()
    logger.store.close()

    assert before == []
    assert len(points) == 120
    assert error(points) < FAR_OFF
    assert in_order(points)


@pytest.mark.fault(37, 38)
@pytest.mark.parametrize("step", [-2 * YEAR, -HOUR, HOUR, 2 * YEAR])
def test_a_step_before_the_clock_was_right(path: Path, step: float) -> None:
    """Somebody sets the clock by hand, wrong; NTP comes later."""
    logger = Logger(path, FakeClock(synced=False))
    logger.work(300)
    logger.clock.set_wall(step)
    logger.work(300)
    logger.ntp()
    points = logger.sent()
    logger.store.close()

    assert len(points) == 60
    assert error(points) < FAR_OFF


@pytest.mark.fault(37, 38)
@pytest.mark.parametrize("step", [-2 * YEAR, -HOUR, HOUR, 2 * YEAR])
def test_a_step_after_the_clock_was_right(path: Path, step: float) -> None:
    """Boot time is not moved by it, so readings keep their right time, sent at once.

    Also through a restart of pilogger, and until NTP has set the clock right again.
    """
    logger = Logger(path, FakeClock())
    logger.work(300)
    logger.clock.set_wall(step)
    logger.work(300)
    logger.store.close()
    logger.start()
    logger.work(300)
    meanwhile = logger.sent()
    logger.ntp()
    logger.work(300)
    points = meanwhile + logger.sent()
    logger.store.close()

    assert len(meanwhile) == 90
    assert len(points) == 120
    assert error(points) < FAR_OFF


@pytest.mark.parametrize("crystal", [-100, 100])
def test_ntp_after_three_hours(path: Path, crystal: float) -> None:
    """The offset alone would be 1.08 s off; what NTP learns of the crystal takes that out."""
    logger = Logger(path, FakeClock(synced=False, crystal=crystal))
    logger.work(3 * HOUR)
    logger.ntp()
    logger.work(300)
    too_early, why = logger.sent(), logger.outbox.waiting
    logger.work(HOUR / 2)
    points = logger.sent()
    logger.store.close()

    assert too_early == []
    assert why == "the drift of the clock before it was right is being measured, for 30 min at most"
    assert len(points) == 1080 + 30 + 180
    assert error(points) < 3 * 0.05
    assert in_order(points)


def test_the_drift_is_taken_out_after_a_restart_too(path: Path) -> None:
    """Both before NTP came and while its frequency is awaited."""
    logger = Logger(path, FakeClock(synced=False, crystal=80))
    logger.work(2 * HOUR)
    logger.store.close()
    logger.start()
    logger.work(2 * HOUR)
    logger.ntp()
    logger.work(60)
    logger.store.close()
    logger.start()
    logger.work(HOUR / 2)
    points = logger.sent()
    logger.store.close()

    assert len(points) == 1440 + 6 + 180
    assert error(points) < 4 * 0.05


def test_a_pace_that_changes_before_ntp_comes(path: Path) -> None:
    """Each stretch has the drift of its own pace, and ends where the next begins."""
    logger = Logger(path, FakeClock(synced=False, crystal=100))
    logger.work(2 * HOUR)
    logger.clock.pace(-60)
    logger.work(2 * HOUR)
    logger.ntp()
    logger.work(HOUR / 2)
    points = logger.sent()
    logger.store.close()

    assert len(points) == 1440 + 180
    assert error(points) < 4 * 0.05


def test_readings_do_not_wait_for_the_drift_where_it_is_small(path: Path) -> None:
    """In 40 minutes a crystal that is 100 ppm off errs by 0.24 s."""
    logger = Logger(path, FakeClock(synced=False, crystal=100))
    logger.work(2400)
    logger.ntp()
    points = logger.sent()
    logger.store.close()

    assert len(points) == 240
    assert error(points) < 0.25


def test_a_frequency_that_never_settles_is_waited_for_half_an_hour(path: Path) -> None:
    """Then what there is must do: the readings leave."""
    logger = Logger(path, FakeClock(synced=False, crystal=100))
    logger.work(3 * HOUR)
    logger.ntp()
    waited = 0
    while not logger.sent():
        logger.clock.crystal += 5
        logger.work(120)
        waited += 120
    logger.store.close()

    assert waited == 1800


def test_three_boots_without_ntp_and_one_with(path: Path) -> None:
    """The order of boots bounds them; those that are estimated say so and wait."""
    logger = Logger(path, FakeClock(crystal=20))
    logger.work(300)
    for _ in range(3):
        logger.reboot(off=120.0, restored=1_767_225_600_000_000)
        logger.work(600)
    logger.reboot(off=120.0, restored=0)
    logger.work(300)
    held = logger.sent()
    logger.ntp()
    points = held + logger.sent()
    logger.store.close()
    marked = Logger(path, logger.clock, "send-marked")
    estimated = marked.sent()
    waiting = marked.outbox.pending()
    marked.store.close()

    assert len(points) == 30 + 30
    assert error(points) < FAR_OFF
    assert not any(point.estimated for point in points)
    assert len(estimated) == 3 * 60
    assert all(point.estimated for point in estimated)
    assert in_order(estimated)
    epochs = [float(point.epoch) for point in estimated]
    assert epochs == sorted(epochs)
    assert epochs[0] >= float(points[29].epoch)
    assert epochs[-1] <= float(points[30].epoch)
    assert error(estimated) <= 3 * (120 + 10)  # of the times off, nothing is known
    assert waiting == 0


def test_an_estimate_is_moved_only_as_far_as_the_bounds_demand(path: Path) -> None:
    """A boot whose restored time is possible keeps it; one from the future ends in time."""
    logger = Logger(path, FakeClock(), "send-marked")
    logger.work(100)
    logger.reboot(off=1000.0, restored=logger.clock.truth + 700_000_000)
    logger.work(100)
    logger.reboot(off=1000.0, restored=logger.clock.truth + 10 * 86_400_000_000)
    logger.work(100)
    logger.reboot(off=10.0)
    logger.ntp()
    points = logger.sent()
    logger.store.close()
    errors = [float(point.epoch) - int(point.value) / 1e6 for point in points]

    assert {round(error, 3) for error in errors[:10]} == {0}
    assert {round(error, 3) for error in errors[10:20]} == {-300}
    assert {round(error, 3) for error in errors[20:]} == {20}  # 10 s off, and the last 10 s polled


@pytest.mark.fault(44)
def test_a_leap_second(path: Path) -> None:
    """The kernel steps back by a second; POSIX time does the same."""
    logger = Logger(path, FakeClock())
    logger.work(60, every=1)
    logger.clock.step_wall(-1)
    logger.clock.truth -= 1_000_000
    logger.store.tend_clock()
    logger.work(60, every=1)
    points = logger.sent()
    logger.store.close()

    assert len({point.seq for point in points}) == 120
    assert error(points) < FAR_OFF


@pytest.mark.fault(43)
def test_summer_time_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs know no zones: an hour around the change is an hour."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock = FakeClock()
    clock.truth = clock._wall = 1_774_745_400_000_000  # 2026-03-29T00:50:00Z, ten minutes before
    logger = Logger(path, clock)
    logger.work(HOUR / 3)
    points = logger.sent()
    logger.store.close()

    assert [round(float(p.epoch)) for p in points] == [1_774_745_400 + 10 * n for n in range(120)]
    assert len(logger.store.segments) == 1


@pytest.mark.fault(47)
def test_a_suspend_is_counted_by_boot_time(path: Path) -> None:
    """The machine sleeps for eight hours between two polls, before its clock is right."""
    clock = FakeClock(synced=False)
    clock.step_wall(-YEAR)
    logger = Logger(path, clock)
    logger.work(300)
    logger.clock.advance(8 * HOUR)
    logger.work(300)
    logger.ntp()
    logger.work(HOUR)
    points = logger.sent()
    logger.store.close()

    assert len(points) == 60 + 360
    assert error(points) < FAR_OFF


@pytest.mark.fault(46)
def test_an_override_is_never_corrected(path: Path) -> None:
    """Its text comes out as it went in, at once, and is no estimate."""
    clock = FakeClock(synced=False)
    clock.step_wall(-56 * YEAR)
    logger = Logger(path, clock)
    given = ["0", "-1.5", "1.5e9", "32503680000", "1767225600.123456789", "1767225600123"]
    for text in given:
        logger.store.append([Sample("n", {"": 1}, clock.boot(), epoch=text)])
    points = logger.sent()
    logger.ntp()
    logger.store.close()

    assert [(point.epoch, point.estimated) for point in points] == [(it, False) for it in given]
    sent = encode_events(points).decode().strip("[]").split(",\n")
    assert sent == [f'{{"key": "n", "value": 1, "epoch": {it}}}' for it in given]


def test_sql_sees_the_same_times(path: Path) -> None:
    """The view `reading` and what is sent agree to the microsecond, drift and all."""
    logger = Logger(path, FakeClock(synced=False, crystal=73))
    logger.work(HOUR)
    logger.ntp()
    logger.work(HOUR / 2)
    points = logger.sent()
    logger.store.flush()
    with closing(open_reader(path)) as reader:
        rows = reader.execute("SELECT epoch FROM reading ORDER BY seq").fetchall()
    logger.store.close()

    assert [epoch for (epoch,) in rows] == [float(point.epoch) for point in points]


@pytest.mark.fault(45)
def test_a_time_that_the_c_library_does_not_know_is_a_number() -> None:
    """One of 32 bits knows none after 2038, and a start says of when the newest reading is."""
    assert moment(2.0**64) == "@18446744073709551616"


@pytest.mark.fault(45)
@pytest.mark.parametrize("year", [2038, 2106], ids=["31 bits", "32 bits"])
def test_the_year_in_which_seconds_need_more_bits(path: Path, year: int) -> None:
    """Fresh and sealed, sent and summed up, readings before and after have their time."""
    turn = 2**31 if year == 2038 else 2**32
    clock = FakeClock()
    clock.advance(turn - 1800 - clock.truth / 1e6)
    logger = Logger(path, clock)
    logger.work(1800, every=1)
    logger.store.seal()
    logger.work(1800, every=1)
    logger.store.seal()
    points = logger.sent()
    logger.store.close()
    with closing(open_reader(path)) as db:
        (info,) = find(db)
        times = list(History(db).read(info.id, (turn - 5) * 10**9, (turn + 5) * 10**9))
        whole = History(db).summary(info.id, 0, 2 * turn * 10**9)

    assert error(points) < FAR_OFF
    assert len(points) == 3600
    assert len(times) == 10
    assert whole is not None
    assert whole.count == 3600
