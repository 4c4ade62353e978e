"""`order: live_first` against a model that fits on a page: whatever happens, in any order."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger.sample import Sample
from pilogger.store import Order, Store, eviction, open_reader, sealer
from pilogger.store.arrivals import Arrivals
from pilogger.store.outbox import LIVE_US
from pilogger.testing import FakeClock

NEVER_S = 1e9
LIVE_S = LIVE_US / 1e6

OUTAGE: list[tuple[str, object]] = [("poll", 9), ("flush", 0), ("pass", 121), ("poll", 3)]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("poll"), st.integers(1, 12)),
        st.tuples(st.just("send"), st.integers(1, 9)),
        st.tuples(st.just("take"), st.integers(1, 9)),
        st.tuples(st.just("pass"), st.sampled_from([1, 60, 121, 600])),
        st.tuples(st.just("evict"), st.integers(1, 3)),
        st.tuples(st.just("reload"), st.sampled_from(["live_first", "oldest_first"])),
        st.sampled_from([(what, 0) for what in ("flush", "seal", "restart", "kill", "reboot")]),
    ),
    max_size=40,
)


@pytest.fixture(autouse=True, scope="module")
def _small() -> Iterator[None]:
    """Blocks of few samples; what is evicted goes a few at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealer, "FULL", 8)
        patch.setattr(sealer, "SHORT", 4)
        patch.setattr(eviction, "BLOCKS", 1)
        patch.setattr(eviction, "ROWS", 3)
        yield


class Model:
    """Two queues of samples; a sample is its number, and an odd one has one reading of two."""

    def __init__(self) -> None:
        self.order: Order = "live_first"
        self.live: list[int] = []
        self.owed: list[int] = []
        self.taken: dict[int, float] = {}
        self.committed = 0
        self.was_live = False

    def poll(self, count: int, now: float) -> range:
        new = range(len(self.taken), len(self.taken) + count)
        self.live += new
        self.taken |= dict.fromkeys(new, now)
        return new

    def commit(self) -> None:
        self.committed = len(self.taken)

    def turn(self, now: float) -> list[int]:
        """Tell whose turn it is: the queue from which the next batch is."""
        self.was_live = self.order == "live_first" and self._is_lives_turn(now)
        return self.live if self.was_live or not self.owed else self.owed

    def _is_lives_turn(self, now: float) -> bool:
        if self.live and self.live[0] < self.committed and now - self.taken[self.live[0]] > LIVE_S:
            self.owed += [n for n in self.live if n < self.committed]
            self.live = [n for n in self.live if n >= self.committed]
        return bool(self.live) and not self.was_live

    def settle(self, batch: Collection[int]) -> None:
        self.live = [n for n in self.live if n not in batch]
        self.owed = [n for n in self.owed if n not in batch]

    def pending(self) -> int:
        return sum(2 - n % 2 for n in self.live + self.owed)


class World:
    """A store with one destination, and the model beside it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "0" / "x.db"
        self.clock = FakeClock()
        self.model = Model()
        self.arrived: Counter[int] = Counter()
        self.repeated: set[int] = set()
        self.gone: set[int] = set()
        self.sent = 0
        self.batch: list[int] = []
        self.open()

    def now(self) -> float:
        return self.clock.truth / 1e6

    def open(self) -> None:
        self.store = Store.open(self.path, self.clock, durability=NEVER_S)
        self.store.declare("air", {"t": "Cel", "h": "%"})
        self.model.commit()
        self.reload(self.model.order)

    def reload(self, order: Order) -> None:
        """Open the way out anew; what was on its way may have arrived, and goes again."""
        self.repeated |= set(self.batch)
        self.arrived.update(self.batch)
        self.batch = []
        for outbox in self.store.outboxes:
            self.store.forget(outbox)
        self.outbox = self.store.outbox("there", order=order)
        self.model.order, self.model.was_live = order, False
        self.model.commit()
        self.drop_what_went()

    def poll(self, count: int) -> None:
        boot = self.clock.boot()
        values = [
            {"t": n} if n % 2 else {"t": n, "h": 0} for n in self.model.poll(count, self.now())
        ]
        self.store.append([Sample("air", it, boot) for it in values])

    def take(self, limit: int) -> None:
        """Take a batch: the beginning of the queue whose turn it is."""
        queue = [] if self.batch else self.model.turn(self.now())
        batch = self.outbox.take(limit)
        if not self.batch:
            self.batch = (
                [int(p.value) for p in batch.points if p.series == "air.t"] if batch else []
            )
            assert self.batch == queue[: len(self.batch)]
            assert bool(self.batch) == bool(queue)
            assert sum(2 - n % 2 for n in self.batch[:-1]) < limit

    def send(self, limit: int) -> None:
        self.take(limit)
        if batch := self.outbox.take(limit):
            self.outbox.settle(batch)
            self.sent += len(batch.points)
            self.arrived.update(self.batch)
            self.model.settle(self.batch)
            self.batch = []

    def evict(self, pieces: int) -> None:
        self.flush()
        for _ in range(pieces):
            self.store.keeper._trim("size")
        self.drop_what_went()

    def drop_what_went(self) -> None:
        with closing(open_reader(self.path)) as db:
            there = {row[5][0] for row in Arrivals(db).after(0, self.store.last, 10**6)}
        there |= set(self.batch)
        self.gone |= {*self.model.live, *self.model.owed} - there
        self.model.settle(self.gone)

    def flush(self) -> None:
        self.store.flush()
        self.model.commit()

    def seal(self) -> None:
        self.store.seal()
        self.model.commit()

    def restart(self) -> None:
        self.store.close()
        self.open()

    def kill(self) -> None:
        """Go on with a copy of the files, as they are at this moment."""
        place = self.path.parent.with_name(f"{self.path.parent.name}0")
        with self.store.writer.alone():
            shutil.copytree(self.path.parent, place)
        self.store.close()
        self.path = place / self.path.name
        self.open()

    def reboot(self) -> None:
        self.store.close()
        self.clock = self.clock.reboot(f"{self.clock.boot_id}+", off=2 * LIVE_S)
        self.clock.ntp()
        self.open()

    def drain(self) -> None:
        while self.model.live or self.model.owed:
            self.send(5)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_both_streams_leave_in_order_and_the_counts_hold(steps: list[tuple[str, object]]) -> None:
    """By turns, nothing lost, and nothing twice but what was on its way at a start."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for what, argument in [*OUTAGE, *steps]:
            match what, argument:
                case "pass", int(seconds):
                    world.clock.advance(seconds)
                case (("poll" | "send" | "take" | "evict" | "reload"), _):
                    getattr(world, what)(argument)
                case _:
                    getattr(world, what)()
            assert world.outbox.pending() == world.model.pending()
            assert world.outbox.sent == world.sent
        world.drain()
        pending = world.outbox.pending()
        world.store.close()

    assert pending == 0
    assert set(world.arrived) | world.gone == set(world.model.taken)
    assert all(world.arrived[n] == 1 for n in set(world.arrived) - world.repeated)
