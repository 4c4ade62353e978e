"""What a damaged store still knows: each row tells by its shape which table it is from.

Small tables are gathered here. Where their own rows are gone, what is known twice helps: an
index names sources and buckets, and blocks show where their clock segment put them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pilogger.store.connection import JOURNAL, beside
from pilogger.store.journal import Write, whole_lines
from pilogger.store.pages import INDEX, INNER_INDEX, TABLE, Cell, Pages, Values, values
from pilogger.store.schema import is_sound
from pilogger.store.segment import Segment

LATELY = 1_704_067_200_000_000  # 2024, in microseconds: a clock that nobody set is behind it
EVERY = 64  # pages between two breaths
STATES = ("unsynced", "synced", "estimated")
SAMPLE, BLOCK, MESSAGE = 6, 12, 10  # columns
OLD_SEGMENT = (0, 0, 0, "")  # what stores had no column for: anchor, drift, frequency, synced_by

Id = int | None


class OldSource(NamedTuple):
    """Who gave samples; `series` is empty in a store from before series had ids."""

    bucket: Id
    sensor: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    series: tuple[int, ...]
    sealed: int = 0


class OldSeries(NamedTuple):
    """What was known of a series besides its key."""

    uid: str
    name: str
    tags: str
    attributes: str
    latest: int
    gone: int


class Header(NamedTuple):
    """The columns of a block before its data."""

    id: int
    source: int
    segment: Id
    first: int
    last: int
    boot_start: Id
    boot_end: Id
    start: int
    end: int
    samples: int
    readings: int


class Remains:
    """The store whose files lie in a folder, under the name that it had.

    `look` must be exhausted first. Samples, blocks and messages stay where they are, in the
    pages `full`, for `rows`.
    """

    def __init__(self, store: Path) -> None:
        self.pages = Pages(store)
        self.full: list[int] = []
        self.buckets: dict[int, tuple[str, str, str]] = {}
        self.series: dict[int, OldSeries] = {}
        self.sources: dict[int, OldSource] = {}
        self.segments: dict[int, Segment] = {}
        self.destinations: dict[str, tuple[int, int, int]] = {}
        self.held: set[tuple[str, int, int, str]] = set()
        self.set_aside: set[tuple[str, int, str, str]] = set()
        self.erased: list[tuple[int, int, int, int]] = []
        self.answered: set[tuple[str, str, int, str, int]] = set()
        self.messages: list[Values] = []
        """Messages that only the journal holds."""
        self.fresh: list[Values] = []
        """Samples that only the journal holds."""
        self.seen: set[int] = set()
        """The blocks that were found, whole or not."""
        self.counts: dict[int, int] = {}
        """How many readings each block had, as an index tells."""
        self.newest = 0
        """The largest number of a sample, or reserved for one, that was found."""
        self._roots: dict[str, int] = {}
        self._places: dict[int, Header] = {}
        self._journal: list[Write] = []
        self._unread = 0
        for part in JOURNAL:
            try:
                for line in whole_lines(beside(store, part)):
                    self._journal += map(tuple, line or ())
            except FileNotFoundError:
                pass
            except OSError:
                self._unread += 1

    def close(self) -> None:
        self.pages.close()

    @property
    def unread(self) -> int:
        """How many pieces of the files the disk did not give; each may have held a reading."""
        return len(self.pages.unread) + self.pages.wal.unread + self._unread

    # -- a first look --------------------------------------------------------------------

    def look(self) -> Iterator[None]:
        """Find out what there is, a few pages at a time."""
        free: set[int] = set()
        for number in range(1, self.pages.count + 1):
            free.update(self.pages.freed(self.pages.page(number)))
            if number % EVERY == 0:
                yield
        for number in range(1, self.pages.count + 1):
            if number not in free:
                self.gather(number)
            if number % EVERY == 0:
                yield
        self.replay()
        self.erased += self._tree("erased", 4)
        self.counts = {row[3]: row[2] for row in self._tree("block_seq", 4)}
        self._find_segments()

    def _tree(self, name: str, width: int) -> list[Any]:
        rows = self.pages.tree(self._roots[name]) if name in self._roots else ()
        return [tuple(row) for row in rows if len(row) == width and _all(int, row)]

    def gather(self, number: int) -> None:
        """Take in what one page holds."""
        full = False
        for cell in self.pages.cells(number, TABLE):
            row = self._row(cell)
            if not cell or not row or self._take_row(cell.rowid, row):
                full = True  # what is damaged is counted when its turn comes
        if full:
            self.full.append(number)
        for kind in (INDEX, INNER_INDEX):
            for cell in self.pages.cells(number, kind):
                if row := self.pages.values(cell):
                    self._take_entry(row)

    def _row(self, cell: Cell | None) -> Values | None:
        """Decode a row; of a block that leaves its page only the header."""
        if cell and cell.overflow:
            header = values(cell.local, cut=True)
            if header and len(header) == len(Header._fields):
                return header
        return self.pages.values(cell)

    def _take_row(self, id: int, row: Values) -> bool:
        """Take in a row of a table; True if it stays where it is."""
        match row:
            case [None, int(), int(), int(), None | int() | str(), str(data), *rest]:
                if data[:1] == "[" and len(rest) <= 1:
                    self.newest = max(self.newest, id)
                    return True
            case [None, int(), None | int(), int(), int(), _, _, int(), int(), int(), int(), *data]:
                self._place(Header(id, *row[1:11]))
                return not data or isinstance(data[0], bytes)
            case [None, str(), str(), *rest] if len(rest) == MESSAGE - 3:
                return True
            case [None, str(), int(), int(), str(state), *rest] if state in STATES:
                if len(rest) in (0, 4):
                    self.segments[id] = Segment(id, *row[1:5], *(rest or OLD_SEGMENT))
            case [None, str(account), str(key), str(name)]:
                self.buckets[id] = (account, key, name)
            case [None, None | int(), str(), str(), str(uid), str(), str(), str(), int(), int()]:
                self.series[id] = OldSeries(uid, *row[5:])
            case [None, None | int(), str(), str(), str(), *rest] if len(rest) in (0, 5):
                self._source(id, row[1:5], *rest[:2])
            case [str(), str(name), str(), int(root), str()]:
                self._roots[name] = root
        return False

    def _place(self, block: Header) -> None:
        self.newest = max(self.newest, block.last)
        self.seen.add(block.id)
        if isinstance(block.boot_start, int):
            self._places[block.id] = block

    def _source(self, id: int, row: Values, series: object = "[]", sealed: object = 0) -> None:
        bucket, sensor, *texts = row
        try:
            channels, units, ids = (json.loads(text) for text in (*texts, series))
        except (ValueError, TypeError):
            return
        lists = isinstance(channels, list) and isinstance(units, list) and isinstance(ids, list)
        if not lists or not channels or len(channels) != len(units):
            return
        if _all(str, channels + units) and _all(int, ids) and isinstance(sealed, int):
            parts = tuple(channels), tuple(units), tuple(ids)
            self.sources[id] = OldSource(bucket, sensor, *parts, sealed)

    def _take_entry(self, row: Values) -> None:
        """Take in an entry of an index, or a row of a table without rowid."""
        match row:
            case ["next_seq", int(number)]:
                self.newest = max(self.newest, number)
            case [str(name), int(seq), int(sent), int(refused)]:
                self.destinations[name] = (seq, sent, refused)
            case [str(), int(), int(), str()]:
                self.held.add((row[0], row[1], row[2], row[3]))
            case [str(), int(), str(), str()]:
                self.set_aside.add((row[0], row[1], row[2], row[3]))
            case [str(), str(), int(), str(), int()]:
                self.answered.add((row[0], row[1], row[2], row[3], row[4]))
            case [str(account), str(key), int(id)]:
                self.buckets.setdefault(id, (account, key, key))
            case [int(bucket), str(), str(), str(), *rest, int(id)] if id not in self.sources:
                self._source(id, [bucket or None, *row[1:4]], *rest)

    def replay(self) -> None:
        """Take in what the journal says; it is newer."""
        for write in self._journal:
            match write:
                case ("message", *row):
                    self.messages.append(row)
                case ("answered", *row):
                    self.answered.add((row[0], row[1], row[2], row[3], row[4]))
                case _:
                    self._replay(write)

    def _replay(self, write: Write) -> None:
        match write:
            case ("sample", *row) if len(row) == SAMPLE:
                self.fresh.append(row)
                self.newest = max(self.newest, row[0])
            case ("bucket", id, account, key, name):
                self.buckets[id] = (account, key, name)
            case ("series", id, _, _, _, uid):
                self.series.setdefault(id, OldSeries(uid, "", "[]", "{}", 0, 0))
            case ("source", id, *row):
                self._source(id, row[:4], row[4] if len(row) > 4 else "[]")
            case ("clock", id, *row):
                self.segments[id] = Segment(id, *row)
            case ("destination", name, seq, sent, refused):
                if seq >= self.destinations.get(name, (0,))[0]:
                    self.destinations[name] = (seq, sent, refused)
            case ("erase", *row):
                self.erased.append((row[0], row[1], row[2], row[3]))
            case ("set_aside", *row):
                self.set_aside.add((row[0], row[1], row[2], row[3]))
            case ("gone", id) if id in self.series:
                self.series[id] = self.series[id]._replace(gone=1)
            case ("reserve", number):
                self.newest = max(self.newest, number)

    # -- what is known twice -------------------------------------------------------------

    def _find_segments(self) -> None:
        """Let blocks tell of segments that are lost, or not what they were."""
        offsets: dict[int, Counter[int]] = defaultdict(Counter)
        for block in self._places.values():
            if block.segment is not None and block.boot_start is not None:
                known = self.segments.get(block.segment)
                right = known is not None and known.wall(block.boot_start) == block.start
                offset = block.start - block.boot_start
                offsets[block.segment][known.offset if known and right else offset] += 1
        for id, votes in offsets.items():
            known = self.segments.get(id)
            ((offset, _),) = votes.most_common(1)
            if known is None or offset != known.offset:
                boot = known.boot_id if known else f"lost-{id}"
                # Blocks are made once the clock is right; or a day later, if it never was.
                state = known.state if known else "synced" if offset > LATELY else "estimated"
                self.segments[id] = Segment(id, boot, 0, offset, state, 0, 0, 0, "")
        self._places.clear()

    # -- readings and messages -----------------------------------------------------------

    def rows(self, number: int) -> Iterator[tuple[int, Values] | None]:
        """Yield the rows of a page, each with its rowid; None for what is damaged."""
        for cell in self.pages.cells(number, TABLE):
            row = self.pages.values(cell)
            if cell is None or row is None:
                yield None
            elif len(row) == SAMPLE + 1:
                yield (cell.rowid, row[:SAMPLE]) if is_sound(cell.rowid, *row[1:]) else None
            elif len(row) in (SAMPLE, BLOCK, MESSAGE):
                yield cell.rowid, row


def _all(kind: type, found: Sequence[object]) -> bool:
    return all(isinstance(each, kind) for each in found)
