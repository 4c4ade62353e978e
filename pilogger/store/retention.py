"""Keeps a store within its bounds: by age, by size, and by what is left of the disk.

Every second the keeper looks how much room there is. Where it is short, the oldest readings
go, by arrival, which needs no clock; or the store takes no more, as its owner chose. By age
they go only while the clock is right. The file does not get smaller by that: free pages are
used again, so that it does not grow.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from sqlite3 import Connection
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pilogger.errors import StoreBroken
from pilogger.store import ballast, rollups
from pilogger.store.connection import JOURNAL, LARGEST_LOG, beside, open_reader
from pilogger.store.eviction import Eviction
from pilogger.store.underway import UnderWay

if TYPE_CHECKING:
    from pilogger.store.log import Store

log = logging.getLogger("pilogger.store")

SLACK = 1_000_000  # bytes that one piece of work may need
MOST_PRESSED = 5  # times that the disk was full
FRACTION = 20  # of the disk: min_free is no more
AGE_EVERY_S = 60.0
TELL_EVERY_S = 86_400.0
MICROS = 1_000_000

WhenFull = Literal["drop_oldest", "thin", "stop"]

Reason = Literal["age", "size", "space"]
"""Why readings had to go: `keep`, `max_size`, or the disk."""

WORDS = {
    "age": "are older than store.keep",
    "size": "are beyond store.max_size",
    "space": "had to make room on the disk (store.min_free)",
}
STOPPED = {
    "size": ("it is as large as it may be", "store.max_size"),
    "space": ("the disk has no more to spare", "store.min_free"),
}
PARTS = ("wal", *JOURNAL, "ballast")


class Bounds(NamedTuple):
    """What a store may be: `keep` in seconds, `max_size` and `min_free` in bytes.

    `remedy` tells a person what to do where nothing more is taken and no config says so.
    """

    keep: float | None = None
    max_size: int | None = None
    when_full: WhenFull = "drop_oldest"
    min_free: int = 100_000_000
    remedy: str = ""


USUAL = Bounds()


class Room(NamedTuple):
    """What a store takes and what there is, in bytes.

    `used` and `spare` are the pages of its file, `beside` is what its other files take.
    """

    used: int
    spare: int
    beside: int
    disk: ballast.Disk


class Keeper:
    """One per store; `step` is called by one thread, before anything else is done."""

    def __init__(self, store: Store, bounds: Bounds) -> None:
        self.bounds = bounds
        self.refusing = ""
        """Why no readings are taken; empty while they are."""
        self.under_way = UnderWay(store)
        self._store = store
        self._reader = open_reader(store.path)
        self._closed = False
        self._pressed = 0
        self._look_at_age = monotonic()
        self._gone: Counter[Reason] = Counter()
        self._told: dict[Reason, float] = {}

    def step(self) -> bool:
        """Do one piece of what is due; True if more may be.

        Raises:
            StoreBroken: the disk refused; nothing was changed.
        """
        with self._store.sealer.guard:
            if self._closed:
                return False
            if self._store.writer.full or self._store.writer.unjournaled:
                self._relieve()
            reason = self._short(self._measure())
            stops = self.bounds.when_full == "stop"
            self._refuse(reason if stops else None)
            more = (reason is not None and not stops and self._trim(reason)) or self._trim_by_age()
            if self._pressed and self._store.writer.trouble:
                with suppress(StoreBroken):
                    self._store.flush()
        if not more:
            ballast.lay(self._store.path, self.bounds.max_size)
            self._tell()
        return more

    def follow(self) -> None:
        """Go on with a new file."""
        with self._store.sealer.guard:
            self._reader.close()
            self._reader = open_reader(self._store.path)
            with self._store.still:
                self.under_way.forget()

    def limit(self, bounds: Bounds) -> None:
        """Keep the store within other bounds; what is under way is finished first."""
        with self._store.sealer.guard:
            self.bounds = bounds

    def stop(self) -> None:
        """Let go of the file; a piece that is under way is finished first."""
        with self._store.sealer.guard:
            self._closed = True
            self._reader.close()

    # -- how much room there is ----------------------------------------------------------

    def _measure(self) -> Room:
        def ask(what: str) -> int:
            (found,) = self._reader.execute(f"PRAGMA {what}").fetchone()
            return int(found)

        page, path = ask("page_size"), self._store.path
        spare = ask("freelist_count") * page
        used = ask("page_count") * page - spare
        # A long reader makes the log grow, and to evict something would only make it grow more.
        excess = max(0, _bytes(beside(path, "wal")) - LARGEST_LOG)
        return Room(used, spare, _beside(path) - excess, ballast.disk(path))

    def _short(self, room: Room) -> Reason | None:
        """Tell which bound is reached, if one is.

        A store that is a trifle gives up nothing for the sake of others, until the disk has
        been full.
        """
        bounds, disk = self.bounds, room.disk
        floor = min(bounds.min_free, disk.size // FRACTION)
        slack = min(SLACK, disk.trifle) << max(0, self._pressed - 1)
        if self.refusing:
            slack *= 2  # or readings would be refused and taken by turns
        if bounds.max_size and room.used + room.beside + slack > bounds.max_size:
            return "size"
        if disk.free >= max(floor, 2 * disk.trifle):
            self._pressed = 0
        low = disk.free < floor and room.used > disk.trifle
        return "space" if (low or self._pressed) and room.spare < slack else None

    def _refuse(self, reason: Reason | None) -> None:
        if reason is None:
            self.refusing = ""
            return
        why, option = STOPPED[reason]
        remedy = self.bounds.remedy or f"{option} and store.when_full say so"
        self.refusing = f"{self._store.path} takes no more: {why}; {remedy}"

    def _relieve(self) -> None:
        """The disk is full: make room for what has to be written before anything can go.

        If that was not enough, there will be twice as much the next time.
        """
        writer = self._store.writer
        if not writer.full and self._pressed:
            return  # the journal has no room, but commits have
        writer.full = False
        self._pressed = min(self._pressed + 1, MOST_PRESSED)
        if room := ballast.throw_off(self._store.path):
            log.error("the disk is full: %s gets %d bytes of its ballast", self._store.path, room)
        writer.checkpoint()

    # -- what goes -----------------------------------------------------------------------

    def _trim(self, reason: Reason) -> bool:
        thin = self.bounds.when_full == "thin"
        if thin and self._mended():  # what is left must be right, as it stays for ever
            return True
        return self._evict(
            reason,
            lambda it: it.oldest_blocks() or (thin and it.oldest_rollups()) or it.oldest_rows(),
        )

    def _trim_by_age(self) -> bool:
        """Take out what is too old, if it is known what time it is."""
        segments = self._store.segments
        present = segments.present
        if self.bounds.keep is None or monotonic() < self._look_at_age:
            return False
        if segments.standing(present.id) == "right":
            clock = self._store.clock
            cutoff = present.wall(clock.boot()) - round(self.bounds.keep * MICROS)
            if self.bounds.when_full == "thin" and self._mended():
                return True
            for source in tuple(self._store.registry.sources):
                if self._evict("age", lambda it: it.aged(source, cutoff, clock.boot_id)):  # noqa: B023
                    return True
            if self._evict("age", lambda it: it.aged_rows(cutoff, clock.boot_id)):
                return True
        self._look_at_age = monotonic() + AGE_EVERY_S
        return False

    def _mended(self) -> bool:
        with self._store.writer.alone() as db:
            return rollups.mend(db)

    def _evict(self, reason: Reason, what: Callable[[Eviction], bool]) -> bool:
        """Take out a piece while no destination takes or settles anything."""
        store = self._store
        with store.still:
            outboxes = store.outboxes
            with store.writer.alone() as db:
                eviction = Eviction(db, outboxes, reason, thin=self.bounds.when_full == "thin")
                found = what(eviction)
            piece = eviction.piece
            store.sealer.discount(piece.fresh)
            self.under_way.went(reason, piece.owed)
            for outbox in outboxes:
                outbox.lose(piece.owed)
        self._gone[reason] += piece.readings
        return found

    # -- what is told --------------------------------------------------------------------

    def _tell(self) -> None:
        """Log what went, once a run, and once a day while it goes on."""
        for reason, readings in self._gone.items():
            if readings and monotonic() >= self._told.get(reason, 0.0):
                level = logging.INFO if reason == "age" else logging.WARNING
                log.log(level, "%d readings went: they %s", readings, WORDS[reason])
                self._gone[reason] = 0
                self._told[reason] = monotonic() + TELL_EVERY_S

    def state(self) -> dict[str, Any]:
        """Tell the bounds, what had to go, and who holds nothing back; for `pilogger status`."""
        names = {outbox.name for outbox in self._store.outboxes}
        found: dict[str, Any] = {**self.bounds._asdict(), "evicted": {}, "removed": []}
        del found["remedy"]
        with suppress(StoreBroken), closing(open_reader(self._store.path)) as db:
            found["evicted"] = evicted(db)
            known = db.execute("SELECT name FROM destination ORDER BY name")
            found["removed"] = [name for (name,) in known if name not in names]
        return found


def evicted(db: Connection) -> dict[str, dict[str, int]]:
    """Read how many readings had to go, and how many of them some destination had not had."""
    rows = db.execute("SELECT reason, readings, unsent FROM evicted ORDER BY reason")
    return {reason: {"readings": readings, "unsent": unsent} for reason, readings, unsent in rows}


def size(path: Path) -> int:
    """Tell what a store takes on the disk, all its files together, in bytes."""
    return _bytes(path) + _beside(path)


def _beside(path: Path) -> int:
    return sum(_bytes(beside(path, part)) for part in PARTS)


def _bytes(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
