"""The sample log: samples in, in arrival order, each with a number of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pilogger import epoch
from pilogger.clock import Clock
from pilogger.errors import BadValue, StoreBroken
from pilogger.sample import Sample, Value, check_text, check_value, series_key
from pilogger.store.connection import open_reader
from pilogger.store.journal import Write
from pilogger.store.outbox import Outbox, Policy
from pilogger.store.segments import Segments, Sync
from pilogger.store.writer import Writer

RESERVE = 16_384

encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


Key = tuple[int, int | str | None, str]
"""What makes an overridden sample the same one: its source, epoch and values."""


class Source(NamedTuple):
    """Who gives samples: the channels of one sensor and the keys of their series."""

    id: int
    channels: tuple[str, ...]
    series: tuple[str, ...]
    bucket: int | None


class Store:
    """A store that this process writes; thread-safe.

    `append` returns when a sample survives kill -9; it survives a power cut at most
    `durability` seconds later. Numbers (`seq`) are never given twice: a range of them is
    reserved on the disk before the first is used, because a reading may be sent before
    it is committed.
    """

    def __init__(self, path: Path, clock: Clock, durability: float) -> None:
        self.path = path.resolve()
        self.clock = clock
        self.fresh: list[Write] = []
        self.stored = 0
        """Readings appended by this process."""
        self._keys: set[Key] = set()
        self._outboxes: list[Outbox] = []
        self.writer = Writer(self.path, durability, self._forget)
        self.lock = self.writer.lock
        try:
            self._load()
            self._reader = open_reader(self.path)
            self.tend_clock()
        except BaseException:
            self.writer.close([("meta", "next_seq", self._next)])
            raise
        self.writer.start(self.tend_clock)

    @classmethod
    def open(cls, path: Path, clock: Clock, *, durability: float = 10.0) -> Self:
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
        return cls(path, clock, durability)

    def _load(self) -> None:
        query = self.writer.connection.execute
        meta = dict(query("SELECT key, value FROM meta").fetchall())
        (last,) = query("SELECT coalesce(max(seq), 0) FROM sample").fetchone()
        self.committed: int = last
        """The newest sample that is in the file."""
        self._next: int = max(last + 1, meta.get("next_seq", 1))
        self._ceiling = self._next
        self.buckets = {
            (account, key): (id, name)
            for id, account, key, name in query("SELECT id, account, key, name FROM bucket")
        }
        self.sources: dict[int, Source] = {}
        self._current: dict[tuple[int | None, str], Source] = {}
        self._known: dict[tuple[object, ...], Source] = {}
        for id, bucket, sensor, names, units in query("SELECT * FROM source ORDER BY id"):
            self._remember(id, bucket, sensor, tuple(json.loads(names)), units)
        rows = query("SELECT * FROM segment ORDER BY id").fetchall()
        self.segments = Segments(self.clock, rows, self.writer.write, self._newest)
        self._reserve(0)

    # -- who gives samples ---------------------------------------------------------------

    def bucket(self, account: str, key: str, name: str) -> tuple[int, bool]:
        """Return the bucket's id and whether it is new; a known one takes the new name."""
        with self.lock:
            id, old = self.buckets.get((account, key), (len(self.buckets) + 1, None))
            if name != old:
                check_text(account + key + name)
                self.writer.write([("bucket", id, account, key, name)])
                self.buckets[account, key] = (id, name)
            return id, old is None

    def declare(self, sensor: str, units: Mapping[str, str], bucket: int | None = None) -> None:
        """Say which channels a sensor has, in order, each with its UCUM unit."""
        names, texts = tuple(units), encode(list(units.values()))
        with self.lock:
            source = self._known.get((bucket, sensor, names, texts))
            if source is None:
                check_text(sensor + "".join(names))
                id = len(self.sources) + 1
                self.writer.write([("source", id, bucket, sensor, encode(list(names)), texts)])
                source = self._remember(id, bucket, sensor, names, texts)
            self._current[bucket, sensor] = source

    def _remember(
        self, id: int, bucket: int | None, sensor: str, names: tuple[str, ...], units: str
    ) -> Source:
        source = Source(id, names, tuple(series_key(sensor, name) for name in names), bucket)
        self.sources[id] = self._known[bucket, sensor, names, units] = source
        self._current[bucket, sensor] = source
        return source

    # -- samples in ----------------------------------------------------------------------

    def append(self, samples: Sequence[Sample], *, once: bool = False) -> int:
        """Store samples of declared sensors; returns how many readings were new.

        With `once`, a sample whose epoch override and values are already there is left out.

        Whoever must know that they are on the disk calls `flush` then.

        Raises:
            BadValue: a value cannot be held; no sample of this call was taken.
            StoreBroken: the disk took nothing; no sample of this call was taken.
        """
        while True:
            with self.lock:
                if self._next + len(samples) <= self._ceiling:
                    readings = self._append(samples, once)
                    break
            self._reserve(len(samples))
        if readings:
            self._wake()
        if not self.writer.durability:
            with suppress(StoreBroken):  # they are taken all the same, and tried again
                self.writer.flush()
        return readings

    def _append(self, samples: Sequence[Sample], once: bool) -> int:
        writes = [self._row(sample, seq) for seq, sample in enumerate(samples, self._next)]
        if once:
            seen: set[Key] = set()
            writes = [write for write in writes if self._is_new(_key(write), seen)]
        self.writer.write(writes)
        first, self._next = self._next, self._next + len(samples)
        self.fresh += writes
        self._keys.update(_key(write) for write in writes if write[5] is not None)
        readings = sum(len(samples[write[1] - first].values) for write in writes)
        self.stored += readings
        return readings

    def _row(self, sample: Sample, seq: int) -> Write:
        source = self._current.get((sample.bucket, sample.sensor))
        if source is None:
            raise BadValue(f"{sample.sensor} was never declared to the store")
        values = [sample.values.get(name) for name in source.channels]
        if len(values) - values.count(None) != len(sample.values):
            raise BadValue(
                f"{sample.sensor} has channels {source.channels}, not {[*sample.values]}"
            )
        given = None if sample.epoch is None else epoch.pack(sample.epoch)
        segment = self.segments.at(sample.boot)
        return ("sample", seq, source.id, segment, sample.boot, given, _json(values))

    def _is_new(self, key: Key, seen: set[Key]) -> bool:
        if key[1] is None:
            return True
        if key in seen or key in self._keys:
            return False
        seen.add(key)
        found = self._reader.execute(
            "SELECT 1 FROM sample WHERE source = ? AND epoch = ? AND data = ?", key
        )
        return found.fetchone() is None

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
            if self._keys:
                self._keys.difference_update(map(_key, rows))
            self.committed = rows[-1][1]

    # -- the clock -----------------------------------------------------------------------

    def tend_clock(self) -> None:
        """Follow the clock, and correct what is known better now; see `Segments.tend`."""
        with self.lock:
            better = self.segments.tend()
        if better:
            self.writer.flush()  # no longer than that can a power cut take it back
            self._wake()

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
            "SELECT segment, boot FROM sample WHERE segment <= ? ORDER BY seq DESC LIMIT 1",
            [segment],
        ).fetchone()
        return found[1] if found and found[0] == segment else None

    # -- samples out, and the end --------------------------------------------------------

    def outbox(
        self, destination: str, *, start: Literal["now", "all"] = "all", unsynced: Policy = "hold"
    ) -> Outbox:
        """Open a destination's way out; a new one begins `now`, or with `all` that is stored.

        `unsynced` is what becomes of readings whose clock was never right.
        """
        outbox = Outbox(self, destination, start, unsynced)
        self._outboxes.append(outbox)
        return outbox

    def forget(self, outbox: Outbox) -> None:
        """Let go of an outbox that nobody uses any more; its destination's cursor stays."""
        self._outboxes.remove(outbox)
        outbox.close()

    def _wake(self) -> None:
        for outbox in tuple(self._outboxes):
            outbox.wake()

    @property
    def last(self) -> int:
        """The number of the newest sample."""
        return self._next - 1

    def remember(self, key: str, value: str) -> None:
        """Keep a single fact in the table `meta`."""
        self.writer.write([("meta", key, value)])

    def flush(self) -> None:
        """Commit now; StoreBroken if the disk refuses (nothing is lost by that)."""
        self.writer.flush()

    def close(self) -> None:
        """Commit everything and let go of the file; may be called twice."""
        # Readers first: the last connection to close is the one that may tidy the log away.
        for outbox in self._outboxes:
            outbox.close()
        self._reader.close()
        self.writer.close([("meta", "next_seq", self._next)])


def _json(values: Sequence[Value | None]) -> str:
    """Write values as a JSON array; most are floats, and need not go the general way."""
    texts = [
        repr(value)
        if type(value) is float and isfinite(value)
        else encode(value if value is None else check_value(value))
        for value in values
    ]
    return f"[{','.join(texts)}]"


def _key(write: Write) -> Key:
    return (write[2], write[5], write[6])
