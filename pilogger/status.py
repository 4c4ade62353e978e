"""How a logger is doing: asked from the running agent, else read from its store.

The agent answers on a Unix socket beside its store: always current, nothing written to
the card. Any user of the machine may ask; there is nothing secret in the answer. When no
agent answers, the tables tell what is waiting, and what the last one said at its end.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from pilogger import series
from pilogger.errors import StoreBroken
from pilogger.store import beside, count_pending, evicted, open_reader, salvaged, size

log = logging.getLogger("pilogger.status")

State = dict[str, Any]
"""What `pilogger status --json` prints; described in docs/architecture.md."""

ASK_S = 5.0
PAUSE_S = 0.2
LAST_WORDS = "status"
MOST_REASONS = 10


class StatusServer:
    """Answers everyone who connects with one JSON object, then hangs up.

    A logger does not need it: where there can be no socket, that is logged, and it goes on.
    """

    def __init__(self, store: Path, describe: Callable[[], State]) -> None:
        self._path = beside(store, "status")
        self._describe = describe
        self._stopped = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._answer, name="status", daemon=True)
        try:
            self._path.unlink(missing_ok=True)  # of a killed process: the store's lock is ours
            with _short(self._path) as address:
                self._socket.bind(address)
            self._path.chmod(0o666)
        except (OSError, StoreBroken) as error:
            log.warning("`pilogger status` cannot ask this logger: %s: %s", self._path, error)
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
                    caller.settimeout(ASK_S)
                    caller.sendall(json.dumps(self._describe()).encode())
                except OSError:
                    pass  # the caller went away
                except Exception:
                    log.exception("the status could not be told")

    def close(self) -> None:
        """Stop answering."""
        self._stopped.set()
        if self._thread.is_alive():
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            with closing(self._socket), suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(ASK_S)


def ask(store: Path) -> State | None:
    """Ask the agent that writes this store; None if nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as caller, _short(beside(store, "status")) as address:
            caller.settimeout(ASK_S)
            caller.connect(address)
            with caller.makefile("rb") as answer:
                state: State = json.load(answer)
    except (OSError, ValueError):
        return None
    return state


def read(store: Path) -> State:
    """Tell what a store says of a logger that is not running.

    Raises:
        StoreBroken: there is no store, or it cannot be read.
    """
    with closing(open_reader(store)) as reader:
        row = reader.execute("SELECT value FROM meta WHERE key = ?", [LAST_WORDS]).fetchone()
        last: State = json.loads(row[0]) if row else {}
        before = {place["name"]: place for place in last.get("destinations", ())}
        places = reader.execute("SELECT name, seq, sent, refused FROM destination").fetchall()
        destinations = [
            {
                "name": name,
                "sent": sent,
                "refused": refused,
                "pending": count_pending(reader, name, seq),
                "held": before.get(name, {}).get("held", ""),
                "at_stop": before.get(name, {}).get("why", ""),
                "reasons": [
                    f"{key} ({times} times): {reason}"
                    for times, key, reason in reader.execute(REASONS, [name, MOST_REASONS])
                ],
            }
            for name, seq, sent, refused in places
        ]
        readings = series.count(reader)
        gone = evicted(reader)
        back = salvaged(reader, store)
    return {
        **last,
        "running": False,
        "store": {
            **last.get("store", {}),
            **disk(store),
            "readings": readings,
            "evicted": gone,
            "salvaged": back,
        },
        "destinations": destinations,
    }


REASONS = """
SELECT count(*), series, reason FROM set_aside WHERE destination = ?
GROUP BY series, reason ORDER BY max(seq) DESC LIMIT ?
"""


def disk(store: Path) -> State:
    """Measure the store's files and what is left of the disk, in bytes."""
    found: State = {"path": str(store), "size": size(store), "free": 0}
    with suppress(OSError):  # somebody removed the folder
        found["free"] = shutil.disk_usage(store.parent).free
    return found


def find(store: Path) -> State:
    """Tell how the logger of this store is doing, running or not.

    Raises:
        StoreBroken: nobody answers, and there is no store that can be read.
    """
    store = store.resolve()
    return ask(store) or read(store)


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
