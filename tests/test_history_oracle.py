"""Whatever was written in whatever order: history is what a list of all readings says it is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from logger_rig import entries

from pilogger import epoch
from pilogger.errors import BadValue
from pilogger.sample import Point, Sample, Value
from pilogger.series import History, find, history
from pilogger.stats import Stats
from pilogger.store import Store, moments, open_reader, rollups, sealer
from pilogger.store.blocks import Blocks
from pilogger.store.moments import Moments
from pilogger.store.points import Points
from pilogger.store.rollups import TIERS
from pilogger.store.sealer import PATIENCE_S
from pilogger.testing import FakeClock

SECOND = 1_000_000_000
NEVER_S = 1e9  # commits come from the test
NOW = 1_767_225_600
NEVER, ALWAYS = -epoch.FAR, epoch.FAR + 1

VALUES = st.one_of(
    st.floats(-100, 100).map(lambda value: round(value, 2)),
    st.sampled_from([1e9 + 0.001, 1e9 - 0.001, -0.0, 5e-324, 1e300]),
    st.integers(-5, 5),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.sampled_from(["", "on", "München"]),
)
NUMBERS = st.one_of(st.integers(-9, 9), st.floats(-100, 100).map(lambda value: round(value, 2)))
EPOCHS = st.one_of(
    st.integers(-4, 4).map(lambda n: str(NOW + 1200 * n)),
    st.integers(-1, 1).map(lambda n: epoch.unpack(NOW * SECOND + n)),
    st.integers(-200_000, 200_000).map(lambda n: str(NOW + n)),
    st.sampled_from(["0", "-5", "1.7672256e9", "32503680000", "1767225600123", "-99999999999"]),
    st.just(f"{NOW}.1234567891"),
)
FEW_EPOCHS = st.lists(EPOCHS, min_size=1, max_size=6)
SERIES = st.sampled_from(["air.a", "air.b", "event", "tally", "tally", "made"])


class Entry(NamedTuple):
    """One reading that was written; `place` is its epoch, or its segment and boot time."""

    seq: int
    series: str
    place: int | tuple[int, int]
    value: Value


class Model:
    """All readings in a list, and what becomes of them."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.erased: set[tuple[int, str]] = set()
        self.latest: set[str] = set()

    def read(self, store: Store, series: str, start: int, end: int) -> list[tuple[int, Value]]:
        found = [
            (self.time(store, entry), entry.seq, entry.value)
            for entry in self.entries
            if entry.series == series and (entry.seq, series) not in self.erased
        ]
        found = sorted((m for m in found if start <= m[0] < end), key=lambda m: m[:2])
        if series in self.latest:
            found = list({m[0]: m for m in found}.values())
        return [(t, value) for t, _, value in found]

    def time(self, store: Store, entry: Entry) -> int:
        if isinstance(entry.place, int):
            return entry.place
        segment, boot = entry.place
        return store.segments[segment].wall(boot) * 1000

    def erase(self, store: Store, series: str, start: int, end: int) -> None:
        self.erased |= {
            (entry.seq, series)
            for entry in self.entries
            if entry.series == series and start <= self.time(store, entry) < end
        }


def rolled(found: Sequence[tuple[int, Value]], edges: Sequence[int]) -> Iterator[tuple[int, Stats]]:
    """Roll up readings by going through all of them."""
    for start, end in pairwise(edges):
        values = [v for t, v in found if start <= t < end and not isinstance(v, str)]
        if values:
            yield start, Stats.of(values)


def same(found: Stats, right: Stats) -> bool:
    """Whether they agree: what is whole exactly, the rest but for what rounding may do."""
    largest = max(abs(right.low), abs(right.high))
    off = 16 * sys.float_info.epsilon * largest * right.count
    m2 = pytest.approx(right.m2, rel=1e-9, abs=off * (off + sqrt(right.m2)))
    return (
        found[0] == right[0]
        and found[2:4] == right[2:4]
        and found.total == pytest.approx(right.total, rel=1e-12, abs=off)
        and found.m2 == m2
    )


class Oracle(RuleBasedStateMachine):
    """A store, and a list that knows better."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        for module, name, small in (
            (sealer, "FULL", 4),
            (sealer, "SHORT", 2),
            (moments, "BLOCKS", 2),
            (history, "PERIODS", 3),
        ):
            self.patch.setattr(module, name, small)
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name, "0", "x.db")
        self.clock = FakeClock(synced=False)
        self.clock.step_wall(-5000)
        self.model = Model()
        self.sent: list[Point] = []
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.path, self.clock, durability=NEVER_S)
        self.store.declare("air", {"a": "Cel", "b": "1"})
        for key in ("event", "tally"):
            self.store.declare(key, {"": "1"})
        self.points = Points(self.store)
        if self.points.create("made") is not None:
            self.model.latest.add("made")
        self.outbox = self.store.outbox("there", unsynced="send-marked")
        self.db = open_reader(self.path)
        self.history = History(self.db)

    def close(self) -> None:
        self.db.close()
        self.store.close()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            try:
                self.synchronise()
                self.clock.advance(1800)  # no longer than that is drift measured
                self.synchronise()
                self.seal()
                self.check_tables()
                self.check_sent()
            finally:
                self.close()
                self.patch.undo()
                self.folder.cleanup()

    # -- what happens --------------------------------------------------------------------

    @rule(polls=st.lists(st.tuples(VALUES, st.none() | VALUES), min_size=1, max_size=8),
          late=st.integers(0, 3), by=st.integers(1, 400))  # fmt: skip
    def poll(self, polls: list[tuple[Value, Value | None]], late: int, by: int) -> None:
        samples = []
        for a, b in polls:
            self.clock.advance(by / 10)
            values = {"a": a} if b is None else {"a": a, "b": b}
            samples.append(Sample("air", values, self.clock.boot() - late * 1000))
        self.append(samples)

    @rule(key=st.sampled_from(["event", "tally"]), epochs=FEW_EPOCHS, value=VALUES)
    def append_events(self, key: str, epochs: list[str], value: Value) -> None:
        self.append([Sample(key, {"": value}, self.clock.boot(), text) for text in epochs])

    def append(self, samples: Sequence[Sample]) -> None:
        first = self.store.last + 1
        assert self.store.append(samples) == sum(len(sample.values) for sample in samples)
        self.note(samples, first)

    def note(self, samples: Sequence[Sample], first: int) -> None:
        for seq, sample in enumerate(samples, first):
            place: int | tuple[int, int] = (self.store.segments.at(sample.boot), sample.boot)
            if sample.epoch is not None:
                place = epoch.nanoseconds(epoch.pack(sample.epoch))
            for channel, value in sample.values.items():
                key = f"{sample.sensor}.{channel}" if channel else sample.sensor
                self.model.entries.append(Entry(seq, key, place, value))

    @rule(key=SERIES, epochs=FEW_EPOCHS, values=st.lists(VALUES, min_size=6, max_size=6))
    def write(self, key: str, epochs: list[str], values: list[Value]) -> None:
        samples = [
            Sample(key, {"": value}, self.clock.boot(), text)
            for text, value in zip(epochs, values, strict=False)
        ]
        self.store.declare(key, {"": "1"})
        first = self.store.last + 1
        self.points.write(entries(self.store, samples))
        self.model.latest.add(key)
        self.note(samples, first)

    @rule(key=st.sampled_from(["tally", "made"]), epochs=FEW_EPOCHS, by=NUMBERS)
    def increment(self, key: str, epochs: list[str], by: float) -> None:
        places = [epoch.nanoseconds(epoch.pack(text)) for text in epochs]
        there = dict(self.model.read(self.store, key, NEVER, ALWAYS))
        samples = [Sample(key, {"": by}, self.clock.boot(), text) for text in epochs]
        sums: list[Value] = []
        for place in places:
            old = there.get(place)
            if isinstance(old, bool | str) or not fits(new := by if old is None else old + by):
                with pytest.raises(BadValue):
                    self.points.increment(entries(self.store, samples))
                return
            there[place] = new
            sums.append(new)
        first = self.store.last + 1
        self.points.increment(entries(self.store, samples))
        self.model.latest.add(key)
        self.note(
            [Sample(key, {"": total}, 0, text) for text, total in zip(epochs, sums, strict=True)],
            first,
        )

    @rule(key=st.sampled_from(["event", "tally", "made"]), ends=st.tuples(EPOCHS, EPOCHS))
    def erase(self, key: str, ends: tuple[str, str]) -> None:
        first, last = sorted(epoch.nanoseconds(epoch.pack(text)) for text in ends)
        [series] = self.ids([key])
        if -(2**63) < first < last < 2**63:
            self.points.erase(series, first, last)
            self.model.erase(self.store, key, first, last)

    @rule(key=SERIES, chance=st.integers(0, 3))
    def erase_all(self, key: str, chance: int) -> None:
        if chance == 0:
            self.points.erase(self.ids([key])[0])
            self.model.erase(self.store, key, NEVER, ALWAYS)

    @rule(key=st.sampled_from(["event", "made"]), chance=st.integers(0, 3))
    def remove(self, key: str, chance: int) -> None:
        if chance == 0:
            self.points.remove(self.ids([key])[0])
            self.model.erase(self.store, key, NEVER, ALWAYS)
            self.model.latest.discard(key)
            self.store.declare(key, {"": "1"})

    @rule()
    def seal(self) -> None:
        self.store.seal()
        self.check()

    @rule(steps=st.integers(1, 3))
    def seal_some(self, steps: int) -> None:
        self.store.flush()
        for _ in range(steps):
            self.store.sealer.step()
        self.check()

    @rule()
    def seal_all(self) -> None:
        """Seal what fills no block, and what has no right clock, as after a day."""
        self.patch.setattr(sealer, "PATIENCE_S", -1.0)
        self.store.seal()
        self.patch.setattr(sealer, "PATIENCE_S", PATIENCE_S)
        self.check()

    @rule()
    def synchronise(self) -> None:
        self.clock.ntp()
        self.store.tend_clock()
        self.check()

    @rule(off=st.integers(1, 500_000), restored=st.sampled_from([None, 0, NOW * 1_000_000]))
    def reboot(self, off: int, restored: int | None) -> None:
        self.close()
        name = f"boot-{self.clock.truth}"
        self.clock = self.clock.reboot(name, off=off, restored=restored)
        self.open()
        self.check()

    @rule()
    def kill(self) -> None:
        """Go on with a copy of the files, as they are at this moment."""
        place = self.path.parent.with_name(f"{self.path.parent.name}0")
        with self.store.writer.alone():
            shutil.copytree(self.path.parent, place)
        self.close()
        self.path = place / self.path.name
        self.open()
        self.check()

    @rule(limit=st.integers(1, 30))
    def deliver(self, limit: int) -> None:
        while batch := self.outbox.take(limit):
            self.sent += batch.points
            self.outbox.settle(batch)

    @precondition(lambda self: self.model.entries)
    @rule(key=SERIES, picks=st.lists(st.integers(0, 10**6), min_size=2, max_size=9, unique=True))
    def roll_up(self, key: str, picks: list[int]) -> None:
        """Roll up by edges that lie at readings, near them, and on whole periods."""
        self.store.flush()
        times = [self.model.time(self.store, entry) for entry in self.model.entries]
        edges = set()
        for pick in picks:
            at = times[pick % len(times)]
            near = (at, at + 1, at + pick * SECOND, NEVER, ALWAYS)
            whole = [at // (length * SECOND) * length * SECOND for length in TIERS.values()]
            edges.add([*near, *whole][pick // 7 % 8])
        self.check_rollup(key, sorted(edges))

    # -- what is found -------------------------------------------------------------------

    def ids(self, keys: Iterable[str]) -> list[int]:
        self.store.flush()
        known = {info.key: info.id for info in find(self.db)}
        return [known[key] for key in keys]

    def check(self) -> None:
        self.store.flush()
        for key in ("air.a", "air.b", "event", "tally", "made"):
            [series] = self.ids([key])
            found = [(t, v) for t, _, v in self.history.read(series, NEVER, ALWAYS)]
            right = self.model.read(self.store, key, NEVER, ALWAYS)
            assert repr(found) == repr(right), key
            day = 86_400 * SECOND
            begin = (NOW // 86_400 - 2) * day
            self.check_rollup(key, [NEVER, *range(begin, begin + 5 * day, day // 2), ALWAYS])

    def check_rollup(self, key: str, edges: list[int]) -> None:
        [series] = self.ids([key])
        found = list(self.history.rollup(series, edges))
        right = list(rolled(self.model.read(self.store, key, NEVER, ALWAYS), edges))
        assert [start for start, _ in found] == [start for start, _ in right]
        for (start, ours), (_, theirs) in zip(found, right, strict=True):
            assert same(ours, theirs), (key, edges, start, ours, theirs)

    def check_tables(self) -> None:
        """The rollup tables are what a computation from the sealed readings gives."""
        assert not self.db.execute("SELECT * FROM stale").fetchall()
        for info in find(self.db):
            sealed = Moments.of(self.db, Blocks(self.db), info.id)
            if sealed.erased:  # waits until the last of its samples are sealed
                continue
            readings = [(t, v) for t, _, v in sealed.between(NEVER, ALWAYS)]
            for tier, length in TIERS.items():
                rows = self.db.execute(
                    f"SELECT start, count, sum, min, max, m2 FROM {tier} WHERE series = ?"
                    " ORDER BY start",
                    [info.id],
                ).fetchall()
                starts = {t // SECOND // length * length for t, v in readings if in_years(t)}
                edges = sorted(s * SECOND for start in starts for s in (start, start + length))
                right = list(rolled(readings, edges))
                assert [row[0] * SECOND for row in rows] == [start for start, _ in right]
                for (_, *row), (_, theirs) in zip(rows, right, strict=True):
                    assert same(Stats(*row), theirs), (info.key, tier, row, theirs)

    def check_sent(self) -> None:
        """Each reading that was not erased was delivered once; one series' in its order."""
        self.deliver(100)
        seen = [(point.seq, point.series) for point in self.sent]
        assert len(set(seen)) == len(seen)
        values = {(point.seq, point.series): point.value for point in self.sent}
        for entry in self.model.entries:
            place = (entry.seq, entry.series)
            if place not in self.model.erased:
                assert repr(values[place]) == repr(entry.value)
        events = [seq for seq, series in seen if series == "event"]
        assert events == sorted(events)


def fits(value: float) -> bool:
    return isinstance(value, float) or -(2**63) <= value < 2**63


def in_years(t: int) -> bool:
    return rollups.FIRST * SECOND <= t < rollups.END * SECOND


TestOracle = Oracle.TestCase
TestOracle.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, derandomize=True
)
