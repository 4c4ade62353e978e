"""How a logger is doing: asked from the running agent, else read from its store.

The agent answers on a Unix socket beside its store: always current, nothing written to
the card. Any user of the machine may ask; there is nothing secret in the answer. When no
agent answers, the tables tell what is waiting, and what the last one said at its end.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from pilogger import series
from pilogger.doors import Door, knock
from pilogger.store import count_pending, evicted, open_reader, salvaged, size

State = dict[str, Any]
"""What `pilogger status --json` prints; described in docs/architecture.md."""

NAME = "status"
LAST_WORDS = "status"
MOST_REASONS = 10


class StatusServer:
    """Answers everyone who connects with one JSON object, then hangs up."""

    def __init__(self, store: Path, describe: Callable[[], State]) -> None:
        self._describe = describe
        self._door = Door(store, NAME, 0o666, self._tell)

    def _tell(self, caller: socket.socket) -> None:
        caller.sendall(json.dumps(self._describe()).encode())

    def close(self) -> None:
        """Stop answering."""
        self._door.close()


def ask(store: Path) -> State | None:
    """Ask the agent that writes this store; None if nobody answers.

    Raises:
        StoreBroken: there is no such folder.
    """
    try:
        with knock(store, NAME) as caller, caller.makefile("rb") as answer:
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
