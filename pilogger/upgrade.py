"""A store on its way to a newer version: tried on a copy, set aside, taken back.

    python -m pilogger.upgrade try PLACE      a copy of the store can be brought to our format
    python -m pilogger.upgrade keep PLACE     set a copy aside, if our format is another
    python -m pilogger.upgrade restore PLACE  take that copy back; the newer store is kept
    python -m pilogger.upgrade forget PLACE   the upgrade went well: drop the copy

`pilogger.versions` asks this of the new version. PLACE is a config or a store. `keep` and
`restore` want a logger that has stopped; each can be killed at any moment and done again.
Nothing needs more rights than the store's owner has.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pilogger.clock import SystemClock
from pilogger.config import store_path
from pilogger.errors import PiloggerError
from pilogger.store import Store, beside, open_reader
from pilogger.store.connection import Lock
from pilogger.store.schema import VERSION
from pilogger.words import size

STAYS = ("lock", "status", "shm", "part", "before", "back", "out", "newer")
"""Beside a store, but none of its data."""
MARKS = ("starts", "drivers")  # see Suspects
LEAP = 1 << 20  # numbers that are left out where nobody can tell which were given
TRIAL = ".upgrade-"
SPARE = 16 << 20  # bytes that a migration may need besides the copy


def rehearse(store: Path) -> str:
    """Open a copy of the store, which brings it to our format; returns what was found.

    Raises:
        PiloggerError: it cannot be opened, or there is no room for a copy.
    """
    if not store.exists():
        return f"there is no store at {store} yet"
    with closing(open_reader(store)) as reader:
        (found,) = reader.execute("PRAGMA user_version").fetchone()
        if found == VERSION:
            return f"{store} has this version's format"
        for left in store.parent.glob(f"{TRIAL}*"):  # by one that was killed
            shutil.rmtree(left, ignore_errors=True)
        _room(store)
        with tempfile.TemporaryDirectory(prefix=TRIAL, dir=store.parent) as folder:
            copy = Path(folder) / store.name
            with closing(sqlite3.connect(copy)) as target:
                reader.backup(target)
            Store.open(copy, SystemClock()).close()
    return f"a copy of {store} went from format {found} to {VERSION}"


def keep(store: Path) -> str:
    """Set a copy of the files aside if the next start will change their format."""
    before, part = beside(store, "before"), beside(store, "part")
    for left in (before, part):  # by an upgrade that went well, or did not come so far
        shutil.rmtree(left, ignore_errors=True)
    if not store.exists() or _format(store) == VERSION:
        return "nothing to set aside"
    with _stopped(store):
        _room(store)
        part.mkdir()
        for file in _data(store):
            shutil.copy2(file, part)
        os.sync()
        part.rename(before)
    return f"the store as it is was set aside in {before}"


def restore(store: Path) -> str:
    """Take the copy back; what was written since is kept beside it.

    First all that is there goes out, then the copy comes back. Its folder has another name
    from the one to the other, so that what was broken off goes on where it was.
    """
    before, back, out = (beside(store, what) for what in ("before", "back", "out"))
    for marks in MARKS:  # what the newer version died of is not the fault of the old one's parts
        beside(store, marks).unlink(missing_ok=True)
    if not any(folder.exists() for folder in (before, back, out)):
        return "the store's format did not change"
    with _stopped(store):
        if before.exists():
            out.mkdir(exist_ok=True)
            for file in _data(store):
                file.rename(out / file.name)
            beside(store, "shm").unlink(missing_ok=True)
            os.sync()
            before.rename(back)
        if back.exists():
            for file in back.iterdir():
                file.rename(store.parent / file.name)
            os.sync()
            back.rmdir()
        _leap(store, _numbers(out / store.name))
        newer = beside(store, "newer")
        shutil.rmtree(newer, ignore_errors=True)
        out.rename(newer)
    return f"the store is as before the upgrade; what was taken since is in {newer}"


def forget(store: Path) -> str:
    """Drop the copy."""
    before = beside(store, "before")
    if not before.exists():
        return "no copy to drop"
    shutil.rmtree(before, ignore_errors=True)
    return f"{before} is dropped"


def _format(store: Path) -> int:
    with closing(open_reader(store)) as reader:
        (found,) = reader.execute("PRAGMA user_version").fetchone()
        return int(found)


def _numbers(store: Path) -> int:
    """Return the first number that a store has not given; a guess if it cannot be read."""
    try:
        with closing(open_reader(store)) as reader:
            found = reader.execute("SELECT value FROM meta WHERE key = 'next_seq'").fetchone()
    except (PiloggerError, sqlite3.Error):
        return 0
    return int(found[0]) if found else 0


def _leap(store: Path, given: int) -> None:
    """Give no number again that the newer version gave: its readings may have been sent."""
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(
            "UPDATE meta SET value = max(value + ?, ?) WHERE key = 'next_seq'",
            (0 if given else LEAP, given),
        )


def _data(store: Path) -> list[Path]:
    """List the store's file and those beside it that hold readings."""
    stays = {beside(store, what) for what in STAYS}
    found = {file for file in store.parent.iterdir() if file.name.startswith(f"{store.name}-")}
    return [file for file in (store, *found - stays) if file.exists()]


def _room(store: Path) -> None:
    need = sum(file.stat().st_size for file in _data(store)) + SPARE
    if (free := shutil.disk_usage(store.parent).free) < need:
        raise PiloggerError(
            f"a copy of {store} needs {size(need)}, and {size(free)} are free in {store.parent}"
        )


@contextmanager
def _stopped(store: Path) -> Iterator[None]:
    lock = Lock(store)
    try:
        yield
    finally:
        lock.release()


def _store(place: Path) -> Path:
    if place.suffix not in {".yaml", ".yml"}:
        return place
    return store_path(place)


if __name__ == "__main__":
    verbs = {"try": rehearse, "keep": keep, "restore": restore, "forget": forget}
    try:
        print(verbs[sys.argv[1]](_store(Path(sys.argv[2]))))  # noqa: T201
    except PiloggerError as error:
        sys.exit(f"pilogger: {error}")
