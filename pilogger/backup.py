"""A consistent copy of a store, also while it is written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from pilogger.errors import PiloggerError, StoreDamaged
from pilogger.store import open_reader
from pilogger.store.connection import snapshot
from pilogger.store.damage import sync

PAGES = 4096  # between two reports of progress


def backup(store: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> int:
    """Copy what is committed in `store` to the new file `target`; returns its size in bytes.

    The copy is whole or not there. `progress` is told the pages that are copied, and all.

    Raises:
        PiloggerError: the target is there already, or cannot be written.
        StoreBroken: there is no store, or it cannot be read.
        StoreDamaged: the store is not sound, and so the copy would not be.
    """
    if target.exists():
        raise PiloggerError(f"{target} is there already: name a new file")
    part = target.with_name(f".{target.name}.part")
    try:
        with closing(open_reader(store)) as reader:
            part.unlink(missing_ok=True)
            with closing(sqlite3.connect(part)) as copy:
                _copy(reader, copy, progress)
        os.chmod(part, 0o600)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(target)
        sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise PiloggerError(f"{target} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


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
