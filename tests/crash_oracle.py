"""What a store must be after the power failed, and whether it is.

`Promises` follows what a recorded life said; `judge` opens the store that a cut left, with plain
pilogger, and returns what is wrong with it in words. Nothing is the right answer.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from sqlite3 import DatabaseError
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import NamedTuple

from crash_life import AMPLE, NAME, readings
from crash_rig import SAID, Disk, Event, Files, record
from damage_rig import Reading, one_by_one

from pilogger.errors import StoreBroken
from pilogger.store import Store, open_reader
from pilogger.store.retention import Bounds
from pilogger.testing import FakeClock

LIFE = Path(__file__).with_name("crash_life.py")
MEMORY = Path("/dev/shm")
CORRUPT = "integrity_check fails"
LOST = "what was promised is lost"

BLOCKS = """SELECT coalesce(sum(readings), 0) FROM block JOIN source ON source.id = source
    WHERE sensor <> 'event'"""  # text has no rollups
ROLLUPS = "SELECT coalesce(sum(count), 0), EXISTS (SELECT 1 FROM stale) FROM quarter"
CURSOR = "SELECT coalesce(max(seq), 0) FROM destination WHERE name = 'there'"


class Promises:
    """What was said so far: what was given to `append`, and what is safe from what."""

    def __init__(self, had: frozenset[Reading]) -> None:
        self.possible = set(had)
        """All that may be there."""
        self.number = 0
        """The highest number that others may have seen."""
        self.sent = 0
        """The highest number that a destination took."""
        self._trying: set[Reading] = set()
        self._due = {"kill": frozenset(had), "cut": frozenset(had)}

    def hear(self, words: bytes) -> None:
        what, *numbers = json.loads(words)
        if what == "try":
            first, end, seq = numbers
            self._trying = {
                (key, seq + n - first, when, value)
                for n in range(first, end)
                for key, when, value in readings(n)
            }
            self.possible |= self._trying
        elif what == "sent":
            self.sent = max(self.sent, *numbers)
        else:
            self.number = max(self.number, *numbers)
            self._due["kill"] |= self._trying  # what was tried before that was never confirmed
            self._trying = set()
            if what == "flushed":
                self._due["cut"] = self._due["kill"]

    def due(self, after: str) -> frozenset[Reading]:
        """All that must be there after a "kill" or a "cut"."""
        return self._due[after]


class Record(NamedTuple):
    """A life: the files that it began with, the readings in them, and what it did."""

    before: Files
    had: frozenset[Reading]
    events: list[Event]


class Tally(NamedTuple):
    """How many cuts (or kills) there were, and how many of them showed what to be wrong."""

    done: int
    wrong: Counter[str]


def live(folder: Path, *arguments: object, times: int = 2) -> Record:
    """Record a life in a folder, which may hold an old store."""
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    had = frozenset[Reading]()
    if before:
        with placed(before) as copy, opened(copy / NAME) as store:
            had = frozenset(one_by_one(store))
    (folder / SAID).touch()
    events = [event for _ in range(times) for event in record(folder, LIFE, folder, *arguments)]
    return Record(before, had, events)


def cuts(life: Record, count: int, seed: str, after: str = "cut") -> Iterator[list[str]]:
    """Cut the power (or kill the process) at so many random moments; yield what is wrong then."""
    random = Random(seed)
    moments = Counter(random.choices(range(len(life.events)), k=count))
    disk, promises = Disk(life.before), Promises(life.had)
    for number, event in enumerate(life.events):
        disk.add(event)
        if event.what == "say":
            promises.hear(event.data)
        for _ in range(moments[number]):
            files = disk.after_cut(random) if after == "cut" else disk.after_kill()
            with placed(files) as folder:
                yield judge(folder / NAME, promises, after)


@contextmanager
def placed(files: Files) -> Iterator[Path]:
    """Put files into a folder, in memory where there is such a place."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        for path, data in files.items():
            file = Path(name, path)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
        yield Path(name)


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    store = Store.open(path, FakeClock(boot_id="boot-2"), bounds=Bounds(max_size=AMPLE))
    try:
        yield store
    finally:
        store.close()


def judge(path: Path, promises: Promises, after: str) -> list[str]:
    """Open the store at a path after a "kill" or a "cut", and compare."""
    try:
        with opened(path) as store:
            return list(_judge(store, promises, after))
    except (DatabaseError, StoreBroken):  # damage that is found at the start is moved aside
        return [CORRUPT]


def _judge(store: Store, promises: Promises, after: str) -> Iterator[str]:
    if list(store.path.parent.glob("*-damaged-*")):
        yield "it is taken for damaged"
    if store.writer.turned_back:
        yield "its log is called lost"
    if store.last < promises.number:
        yield "a number is given twice"
    found = list(one_by_one(store))
    there = set(found)
    if len(there) != len(found):
        yield "a reading is there twice"
    if there - promises.possible:
        yield "there is what nobody gave"
    with closing(open_reader(store.path)) as db:
        if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            yield CORRUPT
        (sealed,) = db.execute(BLOCKS).fetchone()
        rolled, stale = db.execute(ROLLUPS).fetchone()
        if sealed != rolled and not stale:
            yield "blocks and rollups differ"
        (cursor,) = db.execute(CURSOR).fetchone()
        (evicted,) = db.execute("SELECT coalesce(sum(readings), 0) FROM evicted").fetchone()
    if cursor > promises.sent:
        yield "what was not sent is settled"
    if evicted > len(promises.possible - there):
        yield "what is there counts as evicted"
    if evicted < len(promises.due(after) - there):
        yield LOST


# -- many at once ----------------------------------------------------------------------------


def run(life: Record, count: int, seed: int = 1, after: str = "cut") -> Tally:
    """Do what `cuts` does in as many processes as there are processors, and count."""
    jobs = os.cpu_count() or 1
    with TemporaryDirectory() as folder:
        path = Path(folder, "life")
        path.write_bytes(pickle.dumps(life))
        command = [sys.executable, __file__, path, after, count // jobs]
        running = [
            Popen([*map(str, command), f"{seed}.{job}"], stdout=PIPE, stderr=PIPE)
            for job in range(jobs)
        ]
        said = [process.communicate() for process in running]
    wrong = Counter[str]()
    for process, (words, errors) in zip(running, said, strict=True):
        assert not process.returncode, errors.decode()
        for complaints in json.loads(words):
            wrong.update(complaints)
    return Tally(count // jobs * jobs, wrong)


def main(path: str, after: str, count: str, seed: str) -> None:
    life: Record = pickle.loads(Path(path).read_bytes())
    sys.stdout.write(json.dumps([found for found in cuts(life, int(count), seed, after) if found]))


if __name__ == "__main__":
    main(*sys.argv[1:])
