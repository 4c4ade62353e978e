"""The store that this process writes: samples in, in arrival order, each with a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from sqlite3 import DatabaseError
from threading import RLock
from typing import Literal, Self

from pilogger import epoch
from pilogger.clock import Clock
from pilogger.errors import BadValue, PiloggerError, StoreBroken, StoreError
from pilogger.sample import Entry, Sample
from pilogger.store import damage
from pilogger.store.blocks import GENERATION
from pilogger.store.connection import open_reader
from pilogger.store.inspector import Inspector
from pilogger.store.journal import Write
from pilogger.store.outbox import Outbox, Policy
from pilogger.store.readers import Readers
from pilogger.store.registry import Registry
from pilogger.store.retention import USUAL, Bounds, Keeper
from pilogger.store.salvage import Salvage
from pilogger.store.sealer import Sealer
from pilogger.store.segments import Segments, Sync
from pilogger.store.twins import Twins
from pilogger.store.values import text, to_json
from pilogger.store.writer import Writer
from pilogger.store.writes import WRITES

RESERVE = 16_384
GARBLED = (DatabaseError, *damage.GARBLED)  # what a damaged file leads to
ROOM = 1 << 20  # clock segments of one file; see `pilogger.store.blocks.GENERATION`


class Store:
    """A store that this process writes; thread-safe.

    `append` returns when a sample survives kill -9; it survives a power cut at most
    `durability` seconds later. Numbers (`seq`) are never given twice: a range of them is
    reserved on the disk before the first is used, because a reading may be sent before
    it is committed.
    """

    def __init__(self, path: Path, clock: Clock, durability: float, bounds: Bounds) -> None:
        self.path = path.resolve()
        self.clock = clock
        self.fresh: list[Write] = []
        """The samples that are not committed yet."""
        self.stored = 0
        """Readings appended by this process."""
        self.still = RLock()
        """Held while an outbox takes or settles readings, and while some are evicted."""
        self._outboxes: list[Outbox] = []
        self._generation = 0
        self._turn = 0
        self._facts: dict[str, str] = {}
        self.writer = Writer(self.path, durability, self._forget)
        self.lock = self.writer.lock
        self.readers = Readers(self.writer)
        """For whoever reads while the store is open."""
        self.salvage = Salvage(self)
        try:
            self._load()
            self._reader = open_reader(self.path)
            self._twins = Twins(self._reader)
            self.sealer = Sealer(self.writer, self.path, self.segments.standing)
            self.keeper = Keeper(self, bounds)
            self.inspector = Inspector(self)
            self.tend_clock()
        except BaseException as error:
            self.writer.abandon()
            if (cause := error.__cause__) and damage.is_damage(cause):
                raise cause from None  # what a reader of ours met: for `open` to judge
            raise
        self.writer.recollect = self._recollect
        self.writer.start(self._tend)
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
        query = self.writer.connection.execute
        meta = dict(query("SELECT key, value FROM meta").fetchall())
        (last,) = query(
            "SELECT max((SELECT coalesce(max(seq), 0) FROM sample),"
            " (SELECT coalesce(max(last), 0) FROM block))"
        ).fetchone()
        self.committed: int = last
        """The newest sample that is in the file."""
        self._before: dict[str, str] = {k: v for k, v in meta.items() if isinstance(v, str)}
        self.identity: str = meta["id"]
        """Its own, since it was made; with the number of a sample it names that for ever."""
        self.salvage.load(meta)
        self._next: int = max(last + 1, meta.get("next_seq", 1), self.salvage.floor)
        if self.writer.turned_back:  # nobody knows how far they were given
            self._next = (self._next // GENERATION + 1) * GENERATION
        self._ceiling = self._next + RESERVE
        with self.writer.alone() as db:  # before the journal has a line: see `lost_its_log`
            db.execute(WRITES["reserve"], [self._ceiling])
        self.registry = Registry(query, self.writer.write)
        self._stamped = {id for (id,) in query("SELECT id FROM source WHERE stamped")}
        rows = query("SELECT * FROM segment ORDER BY id").fetchall()
        above = self.salvage.floor // GENERATION * ROOM
        self.segments = Segments(self.clock, rows, self.writer.write, self._newest, above)
        self.flush()

    def _recollect(self) -> list[Write]:
        """Tell all that is known without the file, which was damaged, for the one that follows.

        Numbers go on far above those that the old file may have.
        """
        self._next = (self._ceiling // GENERATION + 1) * GENERATION
        self._ceiling = self._next + RESERVE
        self._reader.close()
        self._reader = open_reader(self.path)
        self._twins = Twins(self._reader)
        self._twins.add(self._twins.notice(self.fresh))
        self._generation = -1
        return [
            ("reserve", self._ceiling),
            *self.salvage.begin(self._next),
            *self.registry.rows(),
            *(("stamped", id) for id in self._stamped),
            *self.segments.rows(),
            *(write for outbox in self._outboxes for write in outbox.rows(self._next)),
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
            known = len(self.fresh)
            readings = self.take(samples, once=once)
            unjournaled = self.writer.unjournaled
            new = self.fresh[known:] if unjournaled else []
        if unjournaled:
            self._commit_or_refuse(new, readings)
        self.taken(readings)
        return readings

    def enter(self, entries: Sequence[Entry], *, once: bool = False) -> int:
        """Do the same with single values of series that are known; raises what `append` does."""
        with self.writer.reading(self.writer.generation), self.numbered(len(entries)):
            readings = self.take_entries(entries, once=once)
        self.taken(readings)
        return readings

    def _commit_or_refuse(self, new: Sequence[Write], readings: int) -> None:
        """Commit what not even the journal had room for; it is not taken if that fails.

        Unless it is on its way to a destination already: then it stays.
        """
        try:
            self.writer.flush()
        except StoreBroken:
            with self.still:
                if any(outbox.has(new) for outbox in self._outboxes):
                    return
                with self.writer.without(new) as found:
                    if not found:
                        return
                    self.fresh = [write for write in self.fresh if write not in new]
                    self._twins.forget(new)
                    self.stored -= readings
            raise

    @contextmanager
    def numbered(self, count: int) -> Iterator[None]:
        """Hold the store's lock, with numbers for `count` samples at hand; for `take`."""
        while True:
            with self.lock:
                if self._next + count <= self._ceiling:
                    yield
                    return
            self._reserve(count)

    def taken(self, readings: int) -> None:
        """Let others know of what was taken, once the lock is free again."""
        if readings:
            self.wake()
        if not self.writer.durability or self.writer.unjournaled:
            with suppress(StoreBroken):  # they are taken all the same, and tried again
                self.writer.flush()

    def take(
        self, samples: Sequence[Sample], *, once: bool = False, also: Sequence[Write] = ()
    ) -> int:
        """Do what `append` does, inside `numbered`; what it is `also` to write shares its fate."""
        first = self._next
        writes = [self._row(sample, seq) for seq, sample in enumerate(samples, first)]
        kept = self._take(writes, once, also)
        readings = sum(len(samples[write[1] - first].values) for write in kept)
        self.stored += readings
        return readings

    def take_entries(
        self, entries: Sequence[Entry], *, once: bool = False, also: Sequence[Write] = ()
    ) -> int:
        """Do what `enter` does, inside `numbered`; what it is `also` to write shares its fate."""
        boot = self.clock.boot()
        segment = self.segments.at(boot)
        sources = {id: self.registry.lone(id).id for id in {entry[0] for entry in entries}}
        writes: list[Write] = [
            ("sample", seq, sources[id], segment, boot, at, f"[{text(value)}]")
            for seq, (id, at, value) in enumerate(entries, self._next)
        ]
        readings = len(self._take(writes, once, also))
        self.stored += readings
        return readings

    def _take(self, writes: list[Write], once: bool, also: Sequence[Write]) -> Sequence[Write]:
        """Take rows of samples, numbered from the next number on; return those that are new."""
        if self.keeper.refusing:
            raise StoreError(self.keeper.refusing)
        if self.salvage.floor > 1 or self._turn != self.salvage.turn:
            self._turn = self.salvage.turn
            self._twins.doubt()
        new = self._twins.leave_out(writes) if once else self._twins.notice(writes)
        stamped = {write[2] for write in new if write[5] is None} - self._stamped
        self.writer.write([*(("stamped", id) for id in stamped), *new, *also])
        self._next += len(writes)
        self.fresh += new
        self._stamped |= stamped
        self._twins.add(new)
        return new

    def _row(self, sample: Sample, seq: int) -> Write:
        source = self.registry.current(sample.bucket, sample.sensor)
        values = [sample.values.get(name) for name in source.channels]
        if len(values) - values.count(None) != len(sample.values):
            raise BadValue(
                f"{sample.sensor} has channels {source.channels}, not {[*sample.values]}"
            )
        given = None if sample.epoch is None else epoch.pack(sample.epoch)
        segment = self.segments.at(sample.boot)
        return ("sample", seq, source.id, segment, sample.boot, given, to_json(values))

    def _reserve(self, count: int) -> None:
        """Reserve numbers on the disk; waits for it, once in many thousand samples."""
        with self.lock:
            ceiling = self._next + count + RESERVE
            self.writer.write([("reserve", ceiling)])
        self.writer.flush()
        with self.lock:
            self._ceiling = max(self._ceiling, ceiling)

    def _forget(self, writes: Sequence[Write]) -> None:
        """Drop what a commit made durable from the fresh rows."""
        rows = [write for write in writes if write[0] == "sample"]
        if rows:
            del self.fresh[: len(rows)]
            self._twins.forget(rows)
            self.sealer.count(rows)
            self.committed = rows[-1][1]

    # -- history -------------------------------------------------------------------------

    def _tend(self) -> bool:
        """Do what is due; True if more is."""
        with self.writer.reading(self.writer.generation):
            self._follow()
            self.inspector.step()
            more = self.keeper.step()  # first: without room nothing else can be done
            self.tend_clock()
            return more or (not self.sealer.is_flooded() and self.sealer.step())

    def _follow(self) -> None:
        """Have everyone read the file that is there now."""
        if self._generation != self.writer.generation:
            self._generation = self.writer.generation
            self.keeper.follow()
            self.inspector.follow()
            self.sealer.follow()
            self.salvage.start()
            self.wake()

    def seal(self) -> None:
        """Do everything now that the background does in small pieces: seal what is due."""
        self.flush()
        with self.writer.reading(self.writer.generation):
            self._follow()
            while self.sealer.step():
                pass

    def inspect(self) -> None:
        """Look at everything now that the background looks at bit by bit, for what is damaged.

        Raises:
            StoreBroken: it was; to try again helps.
        """
        with self.writer.reading(self.writer.generation):
            self._follow()
            self.writer.doubted = True
            while self.inspector.step():
                pass

    def trim(self) -> None:
        """Do everything now that keeps the store within its bounds."""
        self.flush()
        with self.writer.reading(self.writer.generation):
            self._follow()
            while self.keeper.step():
                pass

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

    def _newest(self, segment: int) -> int | None:
        """Find the boot time of the last sample of a segment of an earlier process."""
        found = self._reader.execute(
            "SELECT segment, boot FROM sample WHERE segment <= ?1 ORDER BY seq DESC LIMIT 1",
            [segment],
        ).fetchone()
        fresh = found[1] if found and found[0] == segment else None
        (sealed,) = self._reader.execute(
            "SELECT max(boot_end) FROM block WHERE segment = ?", [segment]
        ).fetchone()
        return max((boot for boot in (fresh, sealed) if boot is not None), default=None)

    # -- samples out, and the end --------------------------------------------------------

    def outbox(
        self, destination: str, *, start: Literal["now", "all"] = "all", unsynced: Policy = "hold"
    ) -> Outbox:
        """Open a destination's way out; a new one begins `now`, or with `all` that is stored.

        `unsynced` is what becomes of readings whose clock was never right.
        """
        with self.still:
            outbox = Outbox(self, destination, start, unsynced)
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

    @property
    def last(self) -> int:
        """The number of the newest sample."""
        return self._next - 1

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
        self.keeper.stop()
        self.inspector.stop()
        self.sealer.stop()
        for outbox in self._outboxes:
            outbox.close()
        self._reader.close()
        self.readers.close()
        self.writer.close([("meta", "next_seq", self._next)])
