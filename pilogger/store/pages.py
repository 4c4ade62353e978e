"""What a damaged SQLite file still holds: its pages, each on its own, without the trees.

A tree leads nowhere once a page of it is damaged, and where the first page is, SQLite opens
nothing at all. But every page that is not free says what it is, and its rows say how long
they are (https://www.sqlite.org/fileformat2.html). What cannot be is left out.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pilogger.store.wal import Wal

TABLE, INDEX, INNER_INDEX, INNER_TABLE = 13, 10, 2, 5
LEAF_HEAD, INNER_HEAD = 8, 12  # bytes
USUAL = (1024, 4096)  # bytes of a page
FRONT = 1 << 20  # bytes of a file that tell which size it is
WIDTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)  # bytes of the numbers that a record holds, by its types
FLOAT, ZERO, ONE, BLOB = 7, 8, 9, 12
SHORTEST = 6  # bytes that a row takes of a page, with its place in the head
LONGEST = 1 << 26  # bytes of a row
TRIES = 3  # of a sector that a card does not give at once

Values = list[Any]


class Cell(NamedTuple):
    """A row as it lies in a page: its rowid (0 in an index), and what is here of its record.

    It ends at `end` in its page; a record of `length` bytes goes on in the page `overflow`.
    """

    rowid: int
    local: bytes
    length: int
    overflow: int
    end: int


class Pages:
    """The file at a path, together with its write-ahead log."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.wal = Wal(path.with_name(f"{path.name}-wal"))
        self.unread: set[int] = set()
        """The pages that the disk did not give."""
        self.size = self._page_size()
        self.unread.clear()  # that was by pages of any size
        self.count = max(-(-os.fstat(self._fd).st_size // self.size), *self.wal.pages, 0, 0)

    def close(self) -> None:
        os.close(self._fd)

    def _page_size(self) -> int:
        """Take its log's word for it, or its head's, if that is right about how many there are.

        Else it is the size that makes the most sense of the file.
        """
        if self.wal.pages:
            return self.wal.page_size
        head = self._bytes(0, 100)
        said, count = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
        if said in USUAL and said * count == os.fstat(self._fd).st_size:
            return said
        sizes = {said, *USUAL} & {512 << n for n in range(7)}
        return max(sorted(sizes), key=self._rows)

    def _rows(self, size: int) -> int:
        """Count what the front of the file has in rows, if its pages had this size."""
        self.size = size
        cells = (cell for n in range(2, FRONT // size) for cell in self.cells(n, TABLE))
        return sum(self.values(cell) is not None for cell in cells)

    def _bytes(self, at: int, length: int) -> bytes:
        for _ in range(TRIES):
            with suppress(OSError):  # a bad sector
                return os.pread(self._fd, length, at)
        self.unread.add(at // length + 1)
        return b""

    def page(self, number: int) -> bytes:
        """Return a page; empty where there is none that can be read."""
        found = self.wal.pages.get(number)
        if found is None:
            found = self._bytes((number - 1) * self.size, self.size)
        return found.ljust(self.size, b"\0") if found else b""  # the last may be cut short

    def freed(self, page: bytes) -> list[int]:
        """Return the free pages that this one lists, if it lists any."""
        following, count = struct.unpack_from(">II", page) if len(page) == self.size else (0, 0)
        if following > self.count or not 0 < count <= self.size // 4 - 2:
            return []
        found = list(struct.unpack_from(f">{count}I", page, 8))
        fits = min(found) > 1 and max(found) <= self.count and len({*found}) == count
        return found if fits else []

    def cells(self, number: int, kind: int) -> Iterator[Cell | None]:
        """Yield the rows of a page, if it is of that kind; None for each that makes no sense."""
        page = self.page(number)
        at = 100 if number == 1 else 0
        if len(page) < self.size:
            return
        unknown = page[at] not in (0, TABLE, INDEX, INNER_INDEX, INNER_TABLE)
        if page[at] != kind and not (kind == TABLE and unknown):  # most pages are leaves of tables
            return
        start = at + (LEAF_HEAD if kind in (TABLE, INDEX) else INNER_HEAD)
        count, first = struct.unpack_from(">HH", page, at + 3)
        most = (self.size - start) // SHORTEST
        found = {}
        for place in struct.unpack_from(f">{min(count, most)}H", page, start):
            if cell := self._cell(page, kind, place, start):
                found[place] = cell
        if len(found) < count:  # rows lie one behind the other: some are found by that
            found = dict(self._in_a_row(page, kind, first, start, found))
        yield from found.values()
        if count <= most:  # else it is damaged, too
            yield from [None] * (count - len(found))

    def _in_a_row(
        self, page: bytes, kind: int, at: int, start: int, known: dict[int, Cell]
    ) -> Iterator[tuple[int, Cell]]:
        """Yield rows by where they lie, from `at` on; where one is none, go on at a known one."""
        yield from known.items()
        places = sorted(known)
        while at < self.size:
            cell = known.get(at) or self._cell(page, kind, at, start)
            if cell and values(cell.local, cut=cell.overflow > 0):
                if at not in known:
                    yield at, cell
                at = cell.end
            else:
                at = next((place for place in places if place > at), self.size)

    def _cell(self, page: bytes, kind: int, at: int, start: int) -> Cell | None:
        try:
            return self._read_cell(page, kind, at) if at >= start else None
        except (ValueError, IndexError, struct.error):
            return None

    def _read_cell(self, page: bytes, kind: int, at: int) -> Cell:
        if kind == INNER_INDEX:
            at += 4
        length, at = varint(page, at)
        rowid = 0
        if kind == TABLE:
            rowid, at = varint(page, at)
        if length > LONGEST:
            raise ValueError("no row is that long")
        here = self._local(length, kind)
        local = page[at : at + here]
        if len(local) < here:
            raise ValueError("a row never leaves its page like that")
        if here == length:
            return Cell(rowid, local, length, 0, at + here)
        overflow = int.from_bytes(page[at + here : at + here + 4], "big")
        return Cell(rowid, local, length, overflow, at + here + 4)

    def values(self, cell: Cell | None) -> Values | None:
        """Decode a row wherever it goes on; None if it is damaged."""
        if cell is None:
            return None
        record, number = cell.local, cell.overflow
        while number and len(record) < cell.length:
            page = self.page(number)
            if len(page) < self.size:
                return None
            record += page[4:]
            number = int.from_bytes(page[:4], "big")
        return values(record[: cell.length])

    def _local(self, length: int, kind: int) -> int:
        """Tell how much of a record is in its page, by section 1.6 of the format."""
        most = self.size - 35 if kind == TABLE else (self.size - 12) * 64 // 255 - 23
        if length <= most:
            return length
        least = (self.size - 12) * 32 // 255 - 23
        here = least + (length - least) % (self.size - 4)
        return here if here <= most else least

    def tree(self, root: int) -> Iterator[Values]:
        """Yield the rows of an index, or table without rowid, as far as its tree leads."""
        todo, seen = [root], set[int]()
        while todo:
            number = todo.pop()
            page = self.page(number)
            if number in seen or len(page) < self.size:
                continue
            seen.add(number)
            if page[0] == INNER_INDEX:
                count = int.from_bytes(page[3:5], "big")
                places = page[INNER_HEAD : INNER_HEAD + 2 * count]
                for (place,) in struct.iter_unpack(">H", places[: len(places) // 2 * 2]):
                    todo.append(int.from_bytes(page[place : place + 4], "big"))
                todo.append(int.from_bytes(page[8:12], "big"))
            for kind in (INDEX, INNER_INDEX):
                for cell in self.cells(number, kind):
                    if found := self.values(cell):
                        yield found


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of 1 to 9 bytes; returns it and where it ends."""
    found = 0
    for n in range(at, at + 8):
        byte = data[n]
        found = found << 7 | byte & 0x7F
        if byte < 0x80:
            return found, n + 1
    found = found << 8 | data[at + 8]
    return found - (1 << 64) if found >> 63 else found, at + 9


def values(record: bytes, *, cut: bool = False) -> Values | None:
    """Decode a record; None if it is none. A `cut` one gives the values that are there."""
    try:
        end, at = varint(record, 0)
        types = []
        while at < end:
            type_, at = varint(record, at)
            types.append(type_)
        if at != end:
            return None
        found: Values = []
        for type_ in types:
            if type_ < 0 or type_ in (10, 11):
                return None
            width = WIDTHS[type_] if type_ < BLOB else (type_ - BLOB) // 2
            data = record[at : at + width]
            if len(data) < width:
                return found if cut else None
            found.append(_value(type_, data))
            at += width
    except (ValueError, IndexError, struct.error):
        return None
    return found if cut or at == len(record) else None


def _value(type_: int, data: bytes) -> object:
    if type_ == 0:
        return None
    if type_ in (ZERO, ONE):
        return type_ - ZERO
    if type_ == FLOAT:
        return struct.unpack(">d", data)[0]
    if type_ < BLOB:
        return int.from_bytes(data, "big", signed=True)
    return data.decode() if type_ % 2 else data
