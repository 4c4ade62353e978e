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

from crash_life import AMPLE, DAMAGED, NAME, readings
from crash_rig import SAID, Disk, Event, Files, record
from damage_rig import Reading, drain, look_through, one_by_one

from pilogger.errors import StoreBroken
from pilogger.store import Store, open_reader, salvage
from pilogger.store.damage import DONE
from pilogger.store.retention import Bounds
from pilogger.testing import FakeClock

LIFE = Path(__file__).with_name("crash_life.py")
MEMORY = Path("/dev/shm")
CORRUPT = "integrity_check fails"
LOST = "what was promised is lost"
CALLED_LOST = "its log is called lost"

BLOCKS = """SELECT coalesce(sum(readings), 0) FROM block JOIN source ON source.id = source
    WHERE sensor <> 'event'"""  # text has no rollups
ROLLUPS = "SELECT coalesce(sum(count), 0), EXISTS (SELECT 1 FROM stale) FROM quarter"
PATIENCE_S = 60


class Whole(NamedTuple):
    """What comes back of a damaged store if nothing else happens to it."""

    readings: frozenset[Reading]
    again: frozenset[int]
    """The numbers of what is sent once more, as it is not known any more that it was."""
    kept: bool
    """Whether its folder is kept, as something is lost."""


class Promises:
    """What was said so far: what was given to `append`, and what is safe from what.

    `whole` is what comes back of a store that is damaged, if it is.
    """

    def __init__(self, had: frozenset[Reading], whole: Whole | None = None) -> None:
        self.possible = set(had)
        """All that may be there."""
        self.number = 0
        """The highest number that others may have seen."""
        self.sent: set[int] = set()
        """The numbers of what a destination took, or may have."""
        self.damaged = False
        self._whole = whole
        self._trying: set[Reading] = set()
        self._due = {"kill": frozenset(had), "cut": frozenset(had)}
        self._settled = {"kill": frozenset[int](), "cut": frozenset[int]()}

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
            self.sent.update(numbers)
        elif what == "settled":
            self._settled["kill"] |= {*numbers}
        elif what == DAMAGED:
            self.damaged = True
            if self._whole:
                left = self._whole.readings
                self._due = {after: due & left for after, due in self._due.items()}
        else:
            self.number = max(self.number, *numbers)
            self._due["kill"] |= self._trying  # what was tried before that was never confirmed
            self._trying = set()
            if what == "flushed":
                self._due["cut"], self._settled["cut"] = self._due["kill"], self._settled["kill"]

    def due(self, after: str) -> frozenset[Reading]:
        """All that must be there after a "kill" or a "cut"."""
        return self._due[after]

    @property
    def kept(self) -> bool:
        """Whether the folder of a damaged store is there for ever."""
        return self.damaged and self._whole is not None and self._whole.kept

    def settled(self, after: str) -> frozenset[int]:
        """The numbers of what must not be sent once more."""
        return self._settled[after] - (self._whole.again if self._whole else frozenset())


class Record(NamedTuple):
    """A life: the files that it began with, the readings in them, and what it did."""

    before: Files
    had: frozenset[Reading]
    events: list[Event]
    whole: Whole | None = None


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
    lives = [record(folder, LIFE, folder, *arguments) for _ in range(times)]
    return Record(before, had, [event for life in lives for event in life])


def cuts(life: Record, count: int, seed: str, after: str = "cut") -> Iterator[list[str]]:
    """Cut the power (or kill the process) at so many random moments; yield what is wrong then."""
    random = Random(seed)
    moments = Counter(random.choices(range(len(life.events)), k=count))
    disk = Disk(life.before, random if after == "cut" else None)
    promises = Promises(life.had, life.whole)
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
            folder = file if path.endswith("/") else file.parent
            folder.mkdir(exist_ok=True)
            if file != folder:
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
            wrong = list(_judge(store, promises, after))
    except (DatabaseError, StoreBroken):  # damage that is found at the start is moved aside
        return [CORRUPT]
    return wrong + list(_left_over(path, promises))


def _judge(store: Store, promises: Promises, after: str) -> Iterator[str]:
    if store.writer.turned_back:
        yield CALLED_LOST
    if store.last < promises.number:
        yield "a number is given twice"
    if promises.damaged:
        look_through(store)
    if not store.salvage.join(PATIENCE_S):
        yield "saving what was damaged does not end"
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
        reasons = dict(db.execute("SELECT reason, readings FROM evicted"))
    evicted = sum(readings for reason, readings in reasons.items() if reason != "damaged")
    if evicted > len(promises.possible - there):
        yield "what is there counts as evicted"
    if evicted < len(promises.due(after) - there):
        yield LOST
    owed = [point.seq for point in drain(store)]
    if promises.settled(after) & {*owed}:
        yield "what was settled is sent again"
    if {reading[1] for reading in there} - promises.sent - {*owed}:
        yield "what was not sent is settled"


def _left_over(path: Path, promises: Promises) -> Iterator[str]:
    """Look for what a store that is whole has not, and for folders that are half of something."""
    folders = [folder for folder in path.parent.iterdir() if folder.is_dir()]
    if folders and not promises.damaged:
        yield "it is taken for damaged"
    elif folders and folders != [path.with_name(f"{path.name}-damaged-1")] * promises.kept:
        yield "a folder is left over"
    for folder in folders:
        if not (folder / NAME).exists() or "lost" not in (folder / DONE).read_text():
            yield "a folder is left half done"


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
    salvage.BREATH_S = 0
    life: Record = pickle.loads(Path(path).read_bytes())
    sys.stdout.write(json.dumps([found for found in cuts(life, int(count), seed, after) if found]))


if __name__ == "__main__":
    main(*sys.argv[1:])
