"""A store that is damaged: how that shows, and how it gets out of the way.

It is moved whole into a folder beside it, `pilogger.db-damaged-1`, the database last, so that a
move that was cut short is finished by the next start. Nothing is moved that was never a store:
a file that somebody named by mistake shows none of our traces. A folder that is needed no more
gets another name before it is deleted, so that a half of it is not taken for such a move.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

from pilogger.errors import StoreBroken
from pilogger.store.blocks import GENERATION
from pilogger.store.connection import JOURNAL, Lock, beside, sync
from pilogger.store.remains import Remains
from pilogger.store.wal import Wal

log = logging.getLogger("pilogger.store")

DAMAGE = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
    sqlite3.SQLITE_IOERR_DATA,
}
NONSENSE = {
    sqlite3.SQLITE_OK,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_CONSTRAINT,
}
"""What is said of a damaged schema, or of text that is none, while a store is opened."""

GARBLED = (ValueError, TypeError, LookupError, AttributeError)
"""What else comes of values that nobody wrote, while a store is opened."""

MAGIC = b"SQLite format 3\0"
TRACES = (b"m001_tables", b"CREATE TABLE set_aside (", b"CREATE VIEW reading", b"sample_epoch")
BEGUN = b'CREATE TABLE "_sqlite_migrations"'  # the first of all; alone, it is a store to be
NEWEST = 1000  # formats that a pilogger may ever know
LOOKED_AT = 1 << 20  # bytes at the front of a file: its tables were made first
ENDS = 64  # pages at the end of a file: its newest samples
PARTS = ("wal", "shm", "journal", *JOURNAL)
DONE = "salvaged.txt"


def is_damage(error: BaseException | None, *, opening: bool = False) -> bool:
    """Tell whether SQLite met something that it did not write."""
    if not isinstance(error, sqlite3.DatabaseError):
        return opening and isinstance(error, GARBLED)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return {code, code & 0xFF} & DAMAGE != set() or (opening and code & 0xFF in NONSENSE)


def corrupt(what: str) -> sqlite3.DatabaseError:
    """Make the error that SQLite would raise if it had seen it."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def looks_damaged(path: Path) -> str:
    """Say what is wrong with a store that SQLite might open all the same; '' for nothing.

    Call it before the file is opened: to close it again would let go of SQLite's locks.
    """
    if _size(beside(path, "journal")):
        return ""  # the power failed while it was made: SQLite takes that back
    head = _front(path, 100)
    if len(head) < 100:
        return "its head is missing" if head else ""
    schema, encoding, ours = (int.from_bytes(head[at : at + 4], "big") for at in (44, 56, 60))
    if (
        not head.startswith(MAGIC)
        or not {*head[18:20]} <= {1, 2}
        or head[20:24] != b"\0\x40\x20\x20"
        or schema > 4
        or encoding > 1
        or ours > NEWEST
    ):
        return "its head is not what was written"
    return "its write-ahead log is damaged" if Wal(beside(path, "wal")).damaged else ""


def lost_its_log(path: Path) -> bool:
    """Tell whether the write-ahead log of a store that was killed is gone; before it is opened."""
    journaled = any(_size(beside(path, part)) for part in JOURNAL)
    return path.exists() and journaled and not beside(path, "wal").exists()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def was_store(path: Path) -> bool:
    """Tell whether a file is, or was, a store: by what is in it, or what a store left beside it.

    What is in it may be in its log only: the power can fail while that is moved to its place.
    """
    fronts = [_front(path, LOOKED_AT), _front(beside(path, "wal"), LOOKED_AT)]
    if any(trace in front for front in fronts for trace in TRACES):
        return True
    if any(beside(path, part).exists() for part in JOURNAL):
        return True
    return bool(re.search(rb"\nstore [0-9a-f]{32}( [0-9]+)?\n", _front(beside(path, "lock"), 100)))


def is_foreign(path: Path) -> bool:
    """Tell whether a file is the database of another program."""
    front = _front(path, LOOKED_AT)
    tables = front.count(b"CREATE TABLE") - front.count(BEGUN)
    return front.startswith(MAGIC) and tables > 0 and not was_store(path)


def _front(path: Path, length: int) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.read(length)
    return b""


def _folders(path: Path) -> list[tuple[int, Path]]:
    found = []
    for folder in path.parent.glob(f"{path.name}-damaged-*"):
        number = folder.name.rpartition("-")[2]
        if number.isdecimal() and folder.is_dir():
            found.append((int(number), folder))
    return sorted(found)


def wrecks(path: Path) -> list[Path]:
    """Return the moved stores, by where their database lies, that are to be salvaged yet."""
    stores = [folder / path.name for _, folder in _folders(path) if not (folder / DONE).exists()]
    return [store for store in stores if store.exists()]


def condemn(path: Path, why: str) -> None:
    """Move a store aside that was opened and could not be read.

    Raises:
        StoreBroken: the disk refused.
    """
    lock = Lock(path)
    try:
        move_aside(path, why)
    except OSError as error:
        raise StoreBroken(f"{path} cannot be moved: {error}") from error
    finally:
        lock.release()


def finish_move(path: Path) -> None:
    """Do the rest of a move, and of a folder's deletion, that was cut short.

    Raises:
        OSError: the disk refused.
    """
    for rest in path.parent.glob(f"{path.name}-salvaged-*"):
        shutil.rmtree(rest, ignore_errors=True)
    for folder in _begun(path):
        _move(path, folder)
    for _, folder in _folders(path):
        with suppress(OSError):
            folder.rmdir()  # if it is empty: nothing was moved there


def _begun(path: Path) -> list[Path]:
    """Find where a move was begun, and the database did not get there."""
    return [
        folder
        for _, folder in _folders(path)
        if any(os.path.lexists(folder / beside(path, part).name) for part in PARTS)
        and not (folder / path.name).exists()
        and not (folder / DONE).exists()
    ]


def move_aside(path: Path, why: str) -> Path:
    """Move a store out of the way, with all that belongs to it; returns the folder.

    Raises:
        OSError: the disk refused; what was moved stays moved, and the next call goes on.
    """
    if begun := _begun(path):
        folder = begun[-1]
    else:
        number = max((number for number, _ in _folders(path)), default=0) + 1
        folder = beside(path, f"damaged-{number}")
        folder.mkdir(mode=0o755)
    _move(path, folder)
    log.error(
        "%s is damaged (%s): it was moved to %s, and a new one is begun;"
        " what can be saved of it comes back in the background",
        path,
        why,
        folder,
    )
    return folder


def _move(path: Path, folder: Path) -> None:
    for part in PARTS:
        file = beside(path, part)
        with suppress(FileNotFoundError):
            if part in JOURNAL:
                _settle(file)
        with suppress(FileNotFoundError):
            file.rename(folder / file.name)
    sync(folder)  # only then may the last one follow
    with suppress(FileNotFoundError):
        path.rename(folder / path.name)
    sync(folder)
    sync(path.parent)


def _settle(journal: Path) -> None:
    """Bring a journal onto the disk, as no commit will do it any more."""
    if not journal.is_symlink():
        sync(journal)
        return
    target, copy = journal.resolve(), journal.with_name(f"{journal.name}.part")
    try:
        copy.write_bytes(target.read_bytes())
        sync(copy)
    except OSError:  # a full disk, perhaps: while the machine runs, the link will do
        copy.unlink(missing_ok=True)
    else:
        copy.replace(journal)
        target.unlink()


def first_number(wreck: Path) -> int:
    """Return a number of samples that a moved store never gave; found at a glance."""
    remains = Remains(wreck)
    try:
        pages = remains.pages
        first = range(1, min(pages.count, LOOKED_AT // pages.size) + 1)
        last = range(max(1, pages.count - ENDS), pages.count + 1)
        for number in {*first, *last, *pages.wal.pages}:
            remains.gather(number)
        remains.replay()
        newest = remains.newest
    finally:
        remains.close()
    return (min(newest, 1 << 52) // GENERATION + 1) * GENERATION


def finish(wreck: Path, words: str, *, keep: bool) -> None:
    """Delete what was saved whole; leave a note beside what was not.

    Raises:
        OSError: the disk refused; to be done again.
    """
    folder = wreck.parent
    if keep:
        note = folder / f"{DONE}.part"
        note.write_text(words + "\n")
        sync(note)
        note.rename(folder / DONE)
        sync(folder)
    else:
        rest = folder.with_name("-salvaged-".join(folder.name.rsplit("-damaged-", 1)))
        folder.rename(rest)
        sync(rest.parent)
        shutil.rmtree(rest)
