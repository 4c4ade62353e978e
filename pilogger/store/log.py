"""The store that this process writes: samples in, in arrival order, each with a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from sqlite3 import DatabaseError
from threading import RLock
from typing import Literal, Self

from pilogger.clock import Clock
from pilogger.errors import PiloggerError, StoreBroken
from pilogger.sample import Entry, Sample
from pilogger.store import damage
from pilogger.store.appender import Appender
from pilogger.store.blocks import GENERATION
from pilogger.store.chores import Chores
from pilogger.store.connection import open_reader
from pilogger.store.inspector import Inspector
from pilogger.store.journal import Write
from pilogger.store.numbers import Numbers
from pilogger.store.outbox import Order, Outbox
from pilogger.store.owed import Policy
from pilogger.store.readers import Readers
from pilogger.store.registry import Registry
from pilogger.store.retention import USUAL, Bounds, Keeper
from pilogger.store.salvage import Salvage
from pilogger.store.sealer import Sealer
from pilogger.store.segment import newest
from pilogger.store.segments import Segments, Sync
from pilogger.store.writer import Writer

GARBLED = (DatabaseError, *damage.GARBLED)  # what a damaged file leads to
ROOM = 1 << 20  # clock segments of one file; see `pilogger.store.blocks.GENERATION`


class Store:
    """A store that this process writes; thread-safe.

    `append` returns when a sample survives kill -9; it survives a power cut at most
    `durability` seconds later. Its number (`seq`) is never given twice.
    """

    def __init__(self, path: Path, clock: Clock, durability: float, bounds: Bounds) -> None:
        self.path = path.resolve()
        self.clock = clock
        self.still = RLock()
        """Held while an outbox takes or settles readings, and while some are evicted."""
        self._outboxes: list[Outbox] = []
        self._facts: dict[str, str] = {}
        self.writer = Writer(self.path, durability, self._forget)
        self.lock = self.writer.lock
        self.readers = Readers(self.writer)
        """For whoever reads while the store is open."""
        self.salvage = Salvage(self)
        try:
            self._load()
            self.sealer = Sealer(self.writer, self.path, self.segments.standing)
            self.keeper = Keeper(self, bounds)
            self.inspector = Inspector(self)
            self._chores = Chores(self)
            self.tend_clock()
        except BaseException as error:
            self.writer.abandon()
            if (cause := error.__cause__) and damage.is_damage(cause):
                raise cause from None  # what a reader of ours met: for `open` to judge
            raise
        self.writer.recollect = self._recollect
        self.writer.start(self._chores.step)
        self.salvage.start()

    @classmethod
    def open(
        cls, path: Path, clock: Clock, *, durability: float = 10.0, bounds: Bounds = USUAL
    ) -> Self:
        """Open or make the store; `durability` in seconds, 0 commits every append.

        Raises:
            StoreLocked: another process writes it.
            StoreNewer: a newer pilogger wrote it.
            StoreBroken: it cannot be opened or written; the text says what to do.
        """
        try:
            path.resolve().parent.mkdir(parents=True, exist_ok=True)
        except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to one another
            raise StoreBroken(f"{path.parent} cannot be made: {error}") from error
        try:
            return cls(path, clock, durability, bounds)
        except PiloggerError:
            raise
        except GARBLED as error:
            if not damage.is_damage(error, opening=True):
                raise StoreBroken(f"{path} cannot be read: {error}") from error
            damage.condemn(path.resolve(), str(error))
        try:
            return cls(path, clock, durability, bounds)
        except GARBLED as error:
            raise StoreBroken(f"{path} cannot be read: {error}") from error

    def _load(self) -> None:
        self._reader = open_reader(self.path)
        query = self._reader.execute
        meta = dict(query("SELECT key, value FROM meta").fetchall())
        (last,) = query(
            "SELECT max((SELECT coalesce(max(seq), 0) FROM sample),"
            " (SELECT coalesce(max(last), 0) FROM block))"
        ).fetchone()
        self._before: dict[str, str] = {k: v for k, v in meta.items() if isinstance(v, str)}
        self.identity: str = meta["id"]
        """Its own, since it was made; with the number of a sample it names that for ever."""
        self.salvage.load(meta)
        first = max(last + 1, meta.get("next_seq", 1), self.salvage.floor)
        if self.writer.turned_back:  # nobody knows how far they were given
            first = (first // GENERATION + 1) * GENERATION
        self._numbers = Numbers(self.writer, first)
        self.registry = Registry(query, self.writer.write)
        self.appender = Appender(self, self._reader, self._numbers, last)
        rows = query("SELECT * FROM segment ORDER BY id").fetchall()
        above = self.salvage.floor // GENERATION * ROOM
        self.segments = Segments(
            self.clock, rows, self.writer.write, lambda id: newest(self._reader, id), above
        )
        self.flush()

    def _recollect(self) -> list[Write]:
        """Tell all that is known without the file, which was damaged, for the one that follows.

        Numbers go on far above those that the old file may have.
        """
        reserved = self._numbers.leap()
        self._reader.close()
        self._reader = open_reader(self.path)
        return [
            reserved,
            *self.salvage.begin(self._numbers.next),
            *self.registry.rows(),
            *self.appender.recollect(self._reader),
            *self.segments.rows(),
            *(write for outbox in self._outboxes for write in outbox.rows(self._numbers.next)),
            *(("meta", key, value) for key, value in self._facts.copy().items()),
        ]

    # -- who gives samples ---------------------------------------------------------------

    @property
    def buckets(self) -> Mapping[tuple[str, str], tuple[int, str]]:
        """The id and the name of each bucket, by account and key."""
        return self.registry.buckets

    def bucket(self, account: str, key: str, name: str) -> tuple[int, bool]:
        """Return the bucket's id and whether it is new; a known one takes the new name."""
        with self.lock:
            return self.registry.bucket(account, key, name)

    def declare(self, sensor: str, units: Mapping[str, str], bucket: int | None = None) -> None:
        """Say which channels a sensor has, in order, each with its UCUM unit."""
        with self.lock:
            self.registry.declare(sensor, units, bucket)

    # -- samples in ----------------------------------------------------------------------

    def append(self, samples: Sequence[Sample], *, once: bool = False) -> int:
        """Store samples of declared sensors; returns how many readings were new.

        With `once`, a sample whose epoch override and values are already there is left out.

        Whoever must know that they are on the disk calls `flush` then.

        Raises:
            BadValue: a value cannot be held; no sample of this call was taken.
            StoreBroken: the disk took nothing; no sample of this call was taken.
            StoreError: the store is full, and to stop then is what its owner chose.
        """
        with self.writer.reading(self.writer.generation), self.numbered(len(samples)):
            taken = self.appender.take(samples, once=once)
        return self.appender.confirm(taken)

    def enter(self, entries: Sequence[Entry], *, once: bool = False) -> int:
        """Do the same with single values of series that are known; raises what `append` does."""
        with self.writer.reading(self.writer.generation), self.numbered(len(entries)):
            taken = self.appender.take_entries(entries, once=once)
        return self.appender.confirm(taken)

    def numbered(self, count: int) -> AbstractContextManager[None]:
        """Hold the store's lock, with numbers for `count` samples at hand; for the appender."""
        return self._numbers.held(count)

    def _forget(self, writes: Sequence[Write]) -> None:
        self.appender.forget(writes)

    @property
    def stored(self) -> int:
        """Readings appended by this process."""
        return self.appender.stored

    @property
    def last(self) -> int:
        """The number of the newest sample."""
        return self._numbers.next - 1

    # -- history -------------------------------------------------------------------------

    def seal(self) -> None:
        """Do everything now that the background does in small pieces: seal what is due."""
        self.flush()
        self._chores.all(self.sealer.step)

    def inspect(self) -> None:
        """Look at everything now that the background looks at bit by bit, for what is damaged.

        Raises:
            StoreBroken: it was; to try again helps.
        """
        self.writer.doubted = True
        self._chores.all(self.inspector.step)

    def trim(self) -> None:
        """Do everything now that keeps the store within its bounds."""
        self.flush()
        self._chores.all(self.keeper.step)

    # -- the clock -----------------------------------------------------------------------

    def tend_clock(self) -> None:
        """Follow the clock, and correct what is known better now; see `Segments.tend`."""
        with self.lock:
            better = self.segments.tend()
        if better:
            self.writer.flush()  # no longer than that can a power cut take it back
            self.wake()

    def tell_time(self, offset: int) -> None:
        """Hear wall time minus boot time, in microseconds, for while the clock is not right."""
        with self.lock:
            self.segments.tell(offset)
        self.tend_clock()

    def sync(self) -> Sync:
        """Tell how well the clock is known."""
        with self.lock:
            return self.segments.sync()

    # -- samples out, and the end --------------------------------------------------------

    def outbox(
        self,
        destination: str,
        *,
        start: Literal["now", "all"] = "all",
        unsynced: Policy = "hold",
        order: Order = "oldest_first",
    ) -> Outbox:
        """Open a destination's way out; a new one begins `now`, or with `all` that is stored.

        `unsynced` is what becomes of readings whose clock was never right, `order` what leaves
        first when much has waited.
        """
        with self.still:
            outbox = Outbox(self, destination, start, unsynced, order)
            self._outboxes.append(outbox)
        return outbox

    def destinations(self) -> list[str]:
        """Name the destinations that there ever were."""
        rows = self._reader.execute("SELECT name FROM destination ORDER BY name")
        return [name for (name,) in rows]

    @property
    def outboxes(self) -> tuple[Outbox, ...]:
        """Those that are open: what they have not settled is not evicted by age."""
        return tuple(self._outboxes)

    def forget(self, outbox: Outbox) -> None:
        """Let go of an outbox that nobody uses any more; its destination's cursor stays."""
        self._outboxes.remove(outbox)
        outbox.close()

    def wake(self) -> None:
        """Tell every outbox that there may be something new."""
        for outbox in self.outboxes:
            outbox.wake()

    def remember(self, key: str, value: str) -> None:
        """Keep a single fact in the table `meta`."""
        self.writer.write([("meta", key, value)])
        self._facts[key] = value

    def facts(self, prefix: str) -> dict[str, str]:
        """Tell the facts whose keys begin so: those from before the start, and newer ones."""
        before = {key: value for key, value in self._before.items() if key.startswith(prefix)}
        self._facts = before | self._facts
        return {key: value for key, value in self._facts.items() if key.startswith(prefix)}

    def flush(self) -> None:
        """Commit now; StoreBroken if the disk refuses (nothing is lost by that)."""
        self.writer.flush()

    def close(self) -> None:
        """Commit everything and let go of the file; may be called twice."""
        # Readers first: the last connection to close is the one that may tidy the log away.
        self.salvage.stop()
        self._chores.stop()
        for outbox in self._outboxes:
            outbox.close()
        self._reader.close()
        self.readers.close()
        self.writer.close([("meta", "next_seq", self._numbers.next)])
