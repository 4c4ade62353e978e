"""Unix sockets beside a store, for whoever asks the logger that runs: `status`, `control`."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pilogger.errors import StoreBroken
from pilogger.store import beside

log = logging.getLogger("pilogger.doors")

PATIENCE_S = 5.0
PAUSE_S = 0.2


class Door:
    """Lets callers in one after another; `serve` speaks with each, in a thread of the door.

    A logger does not need it: where there can be no socket, that is logged, and it goes on.
    """

    def __init__(
        self, store: Path, name: str, mode: int, serve: Callable[[socket.socket], None]
    ) -> None:
        self._path = beside(store, name)
        self._serve = serve
        self._stopped = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._answer, name=name, daemon=True)
        try:
            self._path.unlink(missing_ok=True)  # of a killed process: the store's lock is ours
            os.fchmod(self._socket.fileno(), mode)  # so nobody comes in before the next line
            with _short(self._path) as address:
                self._socket.bind(address)
            self._path.chmod(mode)
        except (OSError, StoreBroken) as error:
            log.warning("no command can ask this logger: %s: %s", self._path, error)
            self._socket.close()
            return
        self._socket.listen()
        self._thread.start()

    def _answer(self) -> None:
        while not self._stopped.is_set():
            try:
                caller, _ = self._socket.accept()
            except OSError:  # closed, or the process has too many files open for a while
                self._stopped.wait(PAUSE_S)
                continue
            with caller:
                try:
                    caller.settimeout(PATIENCE_S)
                    self._serve(caller)
                except OSError:
                    pass  # the caller went away
                except Exception:
                    log.exception("a caller at %s was not answered", self._path)

    def close(self) -> None:
        """Let nobody in any more."""
        self._stopped.set()
        if self._thread.is_alive():
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            with closing(self._socket), suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(PATIENCE_S)


@contextmanager
def knock(store: Path, name: str) -> Iterator[socket.socket]:
    """Call the logger that writes this store.

    Raises:
        OSError: nobody is there, or this user may not.
        StoreBroken: there is no such folder.
    """
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(PATIENCE_S)
        with _short(beside(store, name)) as address:
            caller.connect(address)
        yield caller


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a path that fits a socket address, which holds 107 bytes."""
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreBroken(f"{path.parent} cannot be opened: {error.strerror}") from error
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
