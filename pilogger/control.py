"""Commands that change a store: done by the logger that writes it, or here if none runs.

The logger listens on a Unix socket beside its store, which only its own user may open (and
root). A request is a line of JSON, `{"do": name, ...}`; so is its answer, `{"done": number}`
or `{"error": text}`. A caller may ask again and again.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from io import BufferedRWPair
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pilogger import epoch
from pilogger.clock import SystemClock
from pilogger.doors import Door, knock
from pilogger.errors import PiloggerError
from pilogger.sample import Sample, Value, check_text
from pilogger.store import Store

NAME = "control"
PATIENCE_S = 60.0  # for a logger whose disk is slow


class Given(NamedTuple):
    """A reading from elsewhere; `epoch` is exact number text, `unit` a UCUM code."""

    series: str
    epoch: str
    value: Value
    unit: str = "1"


class Hands(Protocol):
    """What may be asked of whoever writes a store."""

    def take(self, readings: Sequence[Given]) -> int:
        """Store readings, but for those that are there already; returns how many were new.

        Raises:
            PiloggerError: they were not all stored; the text says why.
        """
        ...

    def replay(self, destination: str, start: int, end: int) -> int:
        """Send once more what a destination has had; see `Outbox.send_again`.

        Raises:
            PiloggerError: nothing was ever sent to it, or the disk takes nothing.
        """
        ...


class Own:
    """The hands of the process that writes the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, readings: Sequence[Given]) -> int:
        store = self._store
        for series, unit in {given.series: given.unit for given in readings}.items():
            store.declare(series, {"": unit})
        now = store.clock.boot()
        samples = [Sample(given.series, {"": given.value}, now, given.epoch) for given in readings]
        new = store.append(samples, once=True)
        store.flush()
        return new

    def replay(self, destination: str, start: int, end: int) -> int:
        store = self._store
        names = store.destinations()
        if destination not in names:
            known = ", ".join(names) or "none"
            raise PiloggerError(f"this store has sent nothing to {destination}; known: {known}")
        for outbox in store.outboxes:
            if outbox.name == destination:
                return outbox.send_again(start, end)
        outbox = store.outbox(destination)
        try:
            return outbox.send_again(start, end)
        finally:
            store.forget(outbox)


class ControlServer:
    """Lends `Own` hands to the commands of the logger's user."""

    def __init__(self, store: Store) -> None:
        self._hands = Own(store)
        self._door = Door(store.path, NAME, 0o600, self._serve)

    def _serve(self, caller: socket.socket) -> None:
        caller.settimeout(PATIENCE_S)
        with caller.makefile("rwb") as lines:
            while line := lines.readline():
                lines.write(f"{json.dumps(self._answer(line))}\n".encode())
                lines.flush()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            match json.loads(line):
                case {"do": "take", "readings": [*rows]}:
                    return {"done": self._hands.take([_given(*row) for row in rows])}
                case {"do": "replay", "to": str(name), "start": int(start), "end": int(end)}:
                    return {"done": self._hands.replay(name, start, end)}
        except PiloggerError as error:
            return {"error": str(error)}
        except (ValueError, TypeError):
            pass
        return {"error": "the logger that runs does not know this command: it is another version"}

    def close(self) -> None:
        """Let nobody in any more."""
        self._door.close()


def _given(series: str, at: str, value: Value, unit: str) -> Given:
    """Check what a caller gives; the value is checked by who stores it."""
    return Given(check_text(series), epoch.text(at), value, check_text(unit))


class Lent:
    """The hands of the logger that runs, over its socket."""

    def __init__(self, lines: BufferedRWPair) -> None:
        self._lines = lines

    def take(self, readings: Sequence[Given]) -> int:
        return self._ask(do="take", readings=readings)

    def replay(self, destination: str, start: int, end: int) -> int:
        return self._ask(do="replay", to=destination, start=start, end=end)

    def _ask(self, **request: object) -> int:
        try:
            self._lines.write(f"{json.dumps(request)}\n".encode())
            self._lines.flush()
            answer = json.loads(self._lines.readline())
        except (OSError, ValueError) as error:
            raise PiloggerError(f"the logger did not answer: {error}; try again") from error
        if "error" in answer:
            raise PiloggerError(answer["error"])
        return int(answer["done"])


@contextmanager
def hands(path: Path) -> Iterator[Hands]:
    """Get at a store: through the logger that runs, else by opening it.

    Raises:
        PiloggerError: a logger runs that this user may not ask, or the store cannot be opened.
    """
    path = path.resolve()
    with ExitStack() as stack:
        try:
            caller = stack.enter_context(knock(path, NAME))
        except (FileNotFoundError, ConnectionRefusedError):  # none runs
            yield Own(stack.enter_context(closing(Store.open(path, SystemClock()))))
            return
        except PermissionError as error:
            raise PiloggerError(
                f"a logger writes {path}; only its own user may ask it, and root: try sudo"
            ) from error
        caller.settimeout(PATIENCE_S)
        yield Lent(stack.enter_context(caller.makefile("rwb")))
