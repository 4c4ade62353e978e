"""Stores to be damaged, ways to damage them, and what should be left of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

from pilogger import epoch
from pilogger.sample import Point, Sample, Value
from pilogger.store import Store, open_reader
from pilogger.store.arrivals import Arrivals
from pilogger.store.block import unpack
from pilogger.store.pages import TABLE, Pages
from pilogger.testing import FakeClock

CARD = 4096  # bytes that a card loses together
NAME = "x.db"
EVERYTHING = 1 << 62

Reading = tuple[str, int, str, Value]
"""A series, the number of its sample, its epoch as exact text, its value."""


def declare(store: Store) -> None:
    store.declare("air", {"temperature": "Cel", "humidity": "%"})
    store.declare("door", {"closed": "1"})
    store.declare("event", {"": "1"})


def fill(store: Store, clock: FakeClock, polls: int, random: Random) -> None:
    """Poll for some hours, with events that have epochs of their own."""
    samples = []
    for number in range(polls):
        clock.advance(1)
        boot = clock.boot()
        temperature = round(20 + random.random(), 2)
        humidity = random.randrange(30, 60)
        samples.append(Sample("air", {"temperature": temperature, "humidity": humidity}, boot))
        if number % 7 == 0:
            samples.append(Sample("door", {"closed": random.random() < 0.5}, boot))
        if number % 3 == 0:
            at = f"{1_700_000_000 + random.randrange(10**7)}"
            samples.append(Sample("event", {"": f"event {random.randrange(100)}"}, boot, at))
    store.append(samples)


def make(folder: Path, *, killed: bool, seed: int = 1, pieces: int = 5) -> set[Reading]:
    """Make a store with history, fresh rows and half of it delivered; return what is in it."""
    random = Random(seed)
    live = folder / "live"
    clock = FakeClock()
    store = Store.open(live / NAME, clock, durability=3600)
    declare(store)
    for _ in range(pieces):
        fill(store, clock, 1500, random)
        store.seal()
    outbox = store.outbox("there")
    for _ in range(2 * pieces):
        if batch := outbox.take(1000):
            outbox.settle(batch)
    store.flush()
    fill(store, clock, 50, random)  # these are in the journal only
    if killed:
        copy(live, folder)
    found = everything(store)
    store.close()
    if not killed:
        copy(live, folder)
    shutil.rmtree(live)
    return found


def copy(live: Path, folder: Path) -> None:
    for file in live.glob(f"{NAME}*"):
        shutil.copy(file, folder)


def everything(store: Store) -> set[Reading]:
    """Read all that a store has, without a word to its outboxes."""
    return set(one_by_one(store))


def one_by_one(store: Store) -> Iterator[Reading]:
    """Read the same in the order of arrival; what is there twice comes twice."""
    store.flush()
    with closing(open_reader(store.path)) as db:
        for seq, source_id, segment, boot, given, values in Arrivals(db).after(
            0, EVERYTHING, 10**9
        ):
            source = store.registry.sources[source_id]
            if given is None:
                when = epoch.from_us(store.segments[segment].wall(boot))
            else:
                when = epoch.unpack(given)
            for key, value in zip(source.series, values, strict=True):
                if value is not None:
                    yield key, seq, when, value


def of(points: list[Point]) -> set[Reading]:
    return {(point.series, point.seq, point.epoch, point.value) for point in points}


def drain(store: Store, name: str = "there") -> list[Point]:
    outbox = store.outbox(name)
    points: list[Point] = []
    while batch := outbox.take(1000):
        points += batch.points
        outbox.settle(batch)
    return points


def look_through(store: Store) -> None:
    """Do for the whole file now what the background does bit by bit; damage shows by that."""
    for _ in range(9):
        try:
            store.inspect()
            store.seal()
            with store.writer.reading(store.writer.generation):
                everything(store)
        except Exception:  # the store has heard of it, and does something about it
            continue
        return
    raise AssertionError("it cannot be read")


# -- ways to damage --------------------------------------------------------------------------


class Harm(NamedTuple):
    """Bytes of the database that are not what they were: from `start` up to `end`."""

    start: int
    end: int


def flip(path: Path, at: int, random: Random) -> Harm:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ random.randrange(1, 256)]))
    return Harm(at, at + 1)


def overwrite(path: Path, at: int, data: bytes) -> Harm:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
    return Harm(at, at + len(data))


def page_size(path: Path) -> int:
    with path.open("rb") as file:
        return int.from_bytes(file.read(18)[16:], "big")


def flip_head(path: Path, random: Random) -> list[Harm]:
    return [flip(path, random.randrange(100), random)]


def flip_schema(path: Path, random: Random) -> list[Harm]:
    return [flip(path, random.randrange(100, page_size(path)), random) for _ in range(5)]


def flip_some(path: Path, random: Random) -> list[Harm]:
    size = path.stat().st_size
    return [flip(path, random.randrange(size), random) for _ in range(random.choice((1, 3, 10)))]


def flip_page_heads(path: Path, random: Random) -> list[Harm]:
    size = page_size(path)
    pages = path.stat().st_size // size
    return [
        flip(path, random.randrange(pages) * size + random.randrange(12), random) for _ in range(3)
    ]


def zero_page(path: Path, random: Random) -> list[Harm]:
    page = random.randrange(path.stat().st_size // CARD)
    return [overwrite(path, page * CARD, bytes(CARD))]


def zero_first(path: Path, random: Random) -> list[Harm]:
    return [overwrite(path, 0, bytes(CARD))]


def scribble_page(path: Path, random: Random) -> list[Harm]:
    page = random.randrange(path.stat().st_size // CARD)
    return [overwrite(path, page * CARD, random.randbytes(CARD))]


def truncate(path: Path, random: Random) -> list[Harm]:
    size = path.stat().st_size
    left = random.randrange(CARD, size)
    with path.open("r+b") as file:
        file.truncate(left)
    return [Harm(left, size)]


HARMS: list[Callable[[Path, Random], list[Harm]]] = [
    flip_head,
    flip_schema,
    flip_some,
    flip_page_heads,
    zero_page,
    zero_first,
    scribble_page,
    truncate,
]


def break_table(store: Store, table: str, log: str = "TRUNCATE") -> None:
    """Have the card forget the root page of a table, below the feet of who uses it.

    `log` is how the log is emptied before.
    """
    connection = store.writer.connection
    connection.execute(f"PRAGMA wal_checkpoint({log})").fetchall()
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?", [table]
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    with store.path.open("r+b") as file:
        os.pwrite(file.fileno(), b"\xff" * size, (page - 1) * size)
    connection.execute("PRAGMA cache_size = 0")  # what it knows by heart hides the damage
    connection.execute("PRAGMA shrink_memory")


# -- what should be left ---------------------------------------------------------------------


def places(path: Path) -> Iterator[tuple[int, list[Harm]]]:
    """Yield the number of each sample of a closed, undamaged store, and where its bytes are."""
    pages = Pages(path)
    free = {n for number in range(1, pages.count + 1) for n in pages.freed(pages.page(number))}
    for number in range(1, pages.count + 1):
        page = pages.page(number)
        for cell in pages.cells(number, TABLE) if number not in free else ():
            row = pages.values(cell)
            if cell is None or row is None or len(row) not in (7, 12):
                continue
            at = (number - 1) * pages.size + page.index(cell.local)
            spans = [Harm(at - 12, at + len(cell.local) + 4)]
            left, more = cell.length - len(cell.local), cell.overflow
            while more:
                start = (more - 1) * pages.size
                spans.append(Harm(start, start + 4 + min(left, pages.size - 4)))
                left -= pages.size - 4
                more = int.from_bytes(pages.page(more)[:4], "big") if left > 0 else 0
            for seq in unpack(row[11]).seqs if len(row) == 12 else [cell.rowid]:
                yield seq, spans
    pages.close()


def is_hit(spans: list[Harm], harms: list[Harm]) -> bool:
    return any(a.start < b.end and b.start < a.end for a in spans for b in harms)
