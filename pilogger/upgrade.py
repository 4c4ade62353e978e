"""What install.sh asks of the new version before it trusts it with a store.

    python -m pilogger.upgrade where PLACE    the path of the store
    python -m pilogger.upgrade try PLACE      a copy of the store can be brought to our format
    python -m pilogger.upgrade keep PLACE     set a copy aside, if our format is another
    python -m pilogger.upgrade restore PLACE  take that copy back; the newer store is kept
    python -m pilogger.upgrade forget PLACE   the upgrade went well: drop the copy

PLACE is a config or a store. `keep` and `restore` want a logger that has stopped. Nothing
needs more rights than the store's owner has.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pilogger.clock import SystemClock
from pilogger.config import load
from pilogger.errors import ConfigError, PiloggerError
from pilogger.store import Store, beside, open_reader
from pilogger.store.connection import Lock
from pilogger.store.schema import VERSION
from pilogger.words import size

DEFAULT = Path("/var/lib/pilogger/pilogger.db")
STAYS = ("lock", "status", "shm", "before", "newer")  # beside a store, but none of its data
SPARE = 16 << 20  # bytes that a migration may need besides the copy


def where(store: Path) -> str:
    """Tell where the store is."""
    return str(store)


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
        _room(store)
        with tempfile.TemporaryDirectory(prefix=".upgrade-", dir=store.parent) as folder:
            copy = Path(folder) / store.name
            with closing(sqlite3.connect(copy)) as target:
                reader.backup(target)
            Store.open(copy, SystemClock()).close()
    return f"a copy of {store} went from format {found} to {VERSION}"


def keep(store: Path) -> str:
    """Set a copy of the files aside if the next start will change their format."""
    if not store.exists() or _format(store) == VERSION:
        return "nothing to set aside"
    with _stopped(store):
        _room(store)
        before = beside(store, "before")
        shutil.rmtree(before, ignore_errors=True)
        before.mkdir()
        for file in _data(store):
            shutil.copy2(file, before)
    return f"the store as it is was set aside in {before}"


def restore(store: Path) -> str:
    """Take the copy back; what was written since is kept beside it."""
    before, newer = beside(store, "before"), beside(store, "newer")
    if not before.exists():
        return "the store's format did not change"
    with _stopped(store):
        given = _numbers(store)
        shutil.rmtree(newer, ignore_errors=True)
        newer.mkdir()
        for file in _data(store):
            file.rename(newer / file.name)
        beside(store, "shm").unlink(missing_ok=True)
        for file in before.iterdir():
            file.rename(store.parent / file.name)
        before.rmdir()
        # Numbers that the newer version gave may have been sent: they are not given again.
        with closing(sqlite3.connect(store)) as connection, connection:
            connection.execute(
                "UPDATE meta SET value = max(value, ?) WHERE key = 'next_seq'", (given,)
            )
    return f"the store is as before the upgrade; what was taken since is in {newer}"


def forget(store: Path) -> str:
    """Drop the copy."""
    shutil.rmtree(beside(store, "before"), ignore_errors=True)
    return "done"


def _format(store: Path) -> int:
    with closing(open_reader(store)) as reader:
        (found,) = reader.execute("PRAGMA user_version").fetchone()
        return int(found)


def _numbers(store: Path) -> int:
    with closing(open_reader(store)) as reader:
        found = reader.execute("SELECT value FROM meta WHERE key = 'next_seq'").fetchone()
        return int(found[0]) if found else 0


def _data(store: Path) -> list[Path]:
    """List the store's file and those beside it that hold readings."""
    stays = {beside(store, what) for what in STAYS}
    found = {file for file in store.parent.iterdir() if file.name.startswith(f"{store.name}-")}
    return [store, *found - stays]


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
    try:
        return load(place).store.path
    except ConfigError:  # its secrets may be for the service only
        return DEFAULT


if __name__ == "__main__":
    verbs = {"where": where, "try": rehearse, "keep": keep, "restore": restore, "forget": forget}
    try:
        print(verbs[sys.argv[1]](_store(Path(sys.argv[2]))))  # noqa: T201
    except PiloggerError as error:
        sys.exit(f"pilogger: {error}")
