"""One process among others: who opens which file, what a fork leaves behind, the end.

Nothing crosses a fork: no file, no connection, no thread. The child opens a file of its own at
its first call, and never again one that its parent had open, as SQLite would take the parent's
locks for its own.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from pilogger.errors import StoreBroken, StoreError

if TYPE_CHECKING:
    from pilogger.spool.client import Spool
    from pilogger.spool.sender import Sender

GRACE_S = 2.0  # at the end of a program, while the server answers

spools: set[Spool] = set()
"""Those that are open."""

senders: list[Sender] = []
"""Those that hold a file open."""

inherited: set[Path] = set()
"""The files that a parent of this process had open when it forked."""

_quiet = RLock()


@contextmanager
def unforked() -> Iterator[None]:
    """Keep other threads from forking, and from opening files, for a while."""
    with _quiet:
        yield


@contextmanager
def gate(folder: Path) -> Iterator[None]:
    """Let one thread of one process at a time open or remove the files of a folder.

    Without it, a file that is opened here could be the one that is removed there.

    Raises:
        StoreBroken: nothing can be kept there.
    """
    with unforked():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(folder / "gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreBroken(
                f"{folder} cannot be written ({error.strerror}): set XDG_STATE_HOME, or store="
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _before_fork() -> None:
    _quiet.acquire()
    for sender in senders:
        sender.hold()


def _in_parent() -> None:
    for sender in senders:
        sender.let_go()
    _quiet.release()


def _in_child() -> None:
    global _quiet  # noqa: PLW0603
    _quiet = RLock()
    for sender in senders:
        sender.leave()
        inherited.add(sender.store.path)
    # Never freed, not even at the end of this process: that would close the parent's files.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(senders[:]))
    senders.clear()
    for spool in spools:
        spool.begin_anew()
    spools.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)


@atexit.register
def close_all() -> None:
    """Let go of everything, after a short grace; what is left is for the next start."""
    until = time.monotonic() + GRACE_S
    for spool in list(spools):
        with suppress(StoreError):  # then it is in the journal
            spool.close(max(0.0, until - time.monotonic()))


def close_with_process() -> None:
    """Have `close_all` called in a child of multiprocessing too, which knows no atexit."""
    util = sys.modules.get("multiprocessing.util")
    if util and sys.modules["multiprocessing"].parent_process():
        util.Finalize(None, close_all, exitpriority=0)
