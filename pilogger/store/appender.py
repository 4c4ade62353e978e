"""Samples in: each gets a number, and is known from memory until it is committed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from sqlite3 import Connection
from typing import TYPE_CHECKING, NamedTuple

from pilogger import epoch
from pilogger.errors import BadValue, StoreBroken, StoreError
from pilogger.sample import Entry, Sample
from pilogger.store.journal import Write
from pilogger.store.numbers import Numbers
from pilogger.store.twins import Twins
from pilogger.store.values import text, to_json

if TYPE_CHECKING:
    from pilogger.store.log import Store


class Taken(NamedTuple):
    """How many readings were new; what of them only memory holds, as the disk is full."""

    readings: int
    unsafe: Sequence[Write]


class Appender:
    """Takes samples for a store; `db` is a reader of it, `newest` the last number in it.

    What takes is called while `numbers` are held; `confirm` afterwards.
    """

    def __init__(self, store: Store, db: Connection, numbers: Numbers, newest: int) -> None:
        self.fresh: list[Write] = []
        """The samples that are not committed yet."""
        self.stored = 0
        """Readings that were taken."""
        self.committed = newest
        """The newest sample that is in the file."""
        self._store = store
        self.numbers = numbers
        self._twins = Twins(db)
        self._turn = 0
        self._stamped = {id for (id,) in db.execute("SELECT id FROM source WHERE stamped")}

    # -- from the writer -----------------------------------------------------------------

    def forget(self, writes: Sequence[Write]) -> None:
        """Drop what a commit made durable from the fresh rows."""
        rows = [write for write in writes if write[0] == "sample"]
        if rows:
            del self.fresh[: len(rows)]
            self._twins.forget(rows)
            self._store.sealer.count(rows)
            self.committed = rows[-1][1]

    def recollect(self, db: Connection) -> list[Write]:
        """Read another file from now on; tell what it must know, besides the fresh rows."""
        self._twins = Twins(db)
        self._twins.add(self._twins.notice(self.fresh))
        return [("stamped", id) for id in self._stamped]

    # -- samples -------------------------------------------------------------------------

    def take(self, samples: Sequence[Sample], *, once: bool = False) -> Taken:
        """Take samples of declared sensors."""
        first = self.numbers.next
        rows = [self._row(sample, seq) for seq, sample in enumerate(samples, first)]
        new, unsafe = self._take(rows, once)
        return self._count(sum(len(samples[row[1] - first].values) for row in new), unsafe)

    def take_entries(
        self,
        entries: Sequence[Entry],
        *,
        once: bool = False,
        before: Sequence[Write] = (),
        also: Sequence[Write] = (),
    ) -> Taken:
        """Take single values of known series.

        What it is `also` to write shares their fate; what goes `before` them is never taken back.
        """
        store = self._store
        boot = store.clock.boot()
        segment = store.segments.at(boot)
        sources = {id: store.registry.lone(id).id for id in {entry[0] for entry in entries}}
        rows: list[Write] = [
            ("sample", seq, sources[id], segment, boot, at, f"[{text(value)}]")
            for seq, (id, at, value) in enumerate(entries, self.numbers.next)
        ]
        new, unsafe = self._take(rows, once, before, also)
        return self._count(len(new), unsafe)

    def confirm(self, taken: Taken) -> int:
        """Tell others of what was taken, once the lock is free again; returns how much it is.

        What not even the journal had room for is committed, or taken back.

        Raises:
            StoreBroken: it was taken back.
        """
        if taken.unsafe:
            self._commit_or_take_back(taken)
        elif not self._store.writer.durability:
            with suppress(StoreBroken):  # they are taken all the same, and tried again
                self._store.flush()
        if taken.readings:
            self._store.wake()
        return taken.readings

    def _count(self, readings: int, unsafe: Sequence[Write]) -> Taken:
        self.stored += readings
        return Taken(readings, unsafe)

    def _row(self, sample: Sample, seq: int) -> Write:
        source = self._store.registry.current(sample.bucket, sample.sensor)
        values = [sample.values.get(name) for name in source.channels]
        if len(values) - values.count(None) != len(sample.values):
            raise BadValue(
                f"{sample.sensor} has channels {source.channels}, not {[*sample.values]}"
            )
        given = None if sample.epoch is None else epoch.pack(sample.epoch)
        segment = self._store.segments.at(sample.boot)
        return ("sample", seq, source.id, segment, sample.boot, given, to_json(values))

    def _take(
        self,
        rows: list[Write],
        once: bool,
        before: Sequence[Write] = (),
        also: Sequence[Write] = (),
    ) -> tuple[Sequence[Write], Sequence[Write]]:
        """Take rows, numbered from the next number on; return the new ones, and what is unsafe."""
        store = self._store
        if store.keeper.refusing:
            raise StoreError(store.keeper.refusing)
        if store.salvage.floor > 1 or self._turn != store.salvage.turn:
            self._turn = store.salvage.turn
            self._twins.doubt()
        new = self._twins.leave_out(rows) if once else self._twins.notice(rows)
        stamped = {row[2] for row in new if row[5] is None} - self._stamped
        store.writer.write([*(("stamped", id) for id in stamped), *before, *new, *also])
        self.numbers.next += len(rows)
        self.fresh += new
        self._stamped |= stamped
        self._twins.add(new)
        return new, [*new, *also] if store.writer.unjournaled else ()

    def _commit_or_take_back(self, taken: Taken) -> None:
        """Commit what only memory holds; it is not taken if that fails.

        Unless it is on its way to a destination already: then it stays.
        """
        store = self._store
        try:
            store.flush()
        except StoreBroken:
            rows = [write for write in taken.unsafe if write[0] == "sample"]
            with store.still:
                if any(outbox.has(rows) for outbox in store.outboxes):
                    return
                with store.writer.without(taken.unsafe) as found:
                    if not found:
                        return
                    self.fresh = [row for row in self.fresh if row not in rows]
                    self._twins.forget(rows)
                    self.stored -= taken.readings
            raise
