"""A consistent copy of a store, also while it is written; of a hub's, with its accounts."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from pilogger.errors import PiloggerError, StoreDamaged
from pilogger.store import beside, open_reader
from pilogger.store.connection import snapshot, sync

PAGES = 4096  # between two reports of progress
ACCOUNTS = "accounts"  # of a hub: a file beside its store


def backup(store: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> int:
    """Copy what is committed in `store` to the new file `target`; returns its size in bytes.

    Where there are accounts of a hub beside the store, they come beside the copy: read after
    it, so that whoever's data it holds has an account. The copies are whole or not there, and
    for their owner only. `progress` is told the pages that are copied, and all.

    Raises:
        PiloggerError: the target is there already, or cannot be written; the accounts cannot
            be read.
        StoreBroken: there is no store, or it cannot be read.
        StoreDamaged: the store is not sound, and so the copy would not be.
    """
    of_hub = beside(target, ACCOUNTS)
    for path in (target, of_hub):
        if path.exists():
            raise PiloggerError(f"{path} is there already: name a new file")
    parts: dict[Path, Path] = {}  # what is written, by what it will be
    try:
        with closing(open_reader(store)) as reader:
            parts[target] = _begin(target)
            with closing(sqlite3.connect(parts[target])) as copy:
                _copy(reader, copy, progress)
        if (accounts := _accounts(store)) is not None:
            parts[of_hub] = _begin(of_hub)
            parts[of_hub].write_bytes(accounts)
        for part in parts.values():
            with part.open("rb") as file:
                os.fsync(file.fileno())
        for path, part in reversed(parts.items()):  # once the store is there, all is
            part.rename(path)
            sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise PiloggerError(f"{target} cannot be written: {error}") from error
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return target.stat().st_size


def _begin(target: Path) -> Path:
    """Make the file that will be `target`, empty and for its owner only."""
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return part


def _accounts(store: Path) -> bytes | None:
    """Read the accounts; they are replaced whole, so these are those of one moment."""
    path = beside(store, ACCOUNTS)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PiloggerError(f"{path} cannot be read: {error.strerror}") from error


def _copy(
    reader: sqlite3.Connection,
    copy: sqlite3.Connection,
    progress: Callable[[int, int], None] | None,
) -> None:
    def report(_: int, left: int, total: int) -> None:
        if progress:
            progress(total - left, total)

    with snapshot(reader):  # else each commit of the logger would begin the copy anew
        reader.execute("SELECT 1 FROM meta LIMIT 1")
        reader.backup(copy, pages=PAGES, progress=report)
    # One file, which whoever finds it can read, without the two of a write-ahead log.
    copy.execute("PRAGMA journal_mode = DELETE")
    (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreDamaged(f"the store is damaged ({found}): pilogger salvages it when it starts")
