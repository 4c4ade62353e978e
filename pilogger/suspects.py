"""Whose code ran when the process died: what kills it three times in a row is set aside.

A file beside the store has one line for each sensor and destination: `!` while we are
inside its code, how many processes in a row died there, and its name. A clean stop removes
the file. The marks are not synced, because they need to outlive the process only: after a
power cut, in another boot, they tell nothing. They are kept for the first minutes, which
is when a loop of crashes happens, and cost the card nothing afterwards. Drivers have a file
of their own, for what happens while they are loaded: there is no store then.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from pilogger.clock import Clock
from pilogger.store import beside
from pilogger.words import plural, span

log = logging.getLogger("pilogger.suspects")

CRASHES = 3
FIRST_S = 300.0
ALONE_S = 10.0  # between two suspects, so that the next crash tells which one it was
HOUR_S, DAY_S = 3600.0, 86_400.0  # a destination is tried sooner: its readings are waiting


class Suspects:
    """Remembers from one process to the next; parts are called `sensor air`, `destination hub`.

    `what` names the file. Belongs to the process that holds the store's lock.
    """

    def __init__(self, store: Path, clock: Clock, what: str = "starts") -> None:
        self._path = beside(store, what)
        self._clock = clock
        self._lock = Lock()
        self._fd = -1
        self._marks: dict[str, int] = {}  # where each part's is in the file
        self._inside: set[str] = set()
        self._watched = -FIRST_S
        self._crashes = _judge(self._path, clock.boot_id)
        now = clock.monotonic()
        self._aside = {
            part: now + (HOUR_S if part.startswith("destination ") else DAY_S)
            for part, times in self._crashes.items()
            if times >= CRASHES
        }
        for part, times in self._crashes.items():
            log.error(
                "pilogger died %s in a row while the code of %s ran%s",
                plural(times, "time"),
                part,
                ": it is set aside, the rest runs" if part in self._aside else "",
            )

    def watch(self, parts: Sequence[str]) -> None:
        """Keep marks of these parts, for some minutes from now."""
        with self._lock:
            self._watched = self._clock.monotonic()
            self._crashes = {part: n for part, n in self._crashes.items() if part in parts}
            try:
                self._write(parts)
            except OSError as error:
                log.warning("crashes are not counted: %s: %s", self._path, error.strerror)

    def _write(self, parts: Sequence[str]) -> None:
        text, self._marks = f"{self._clock.boot_id}\n", {}
        for part in parts:
            self._marks[part] = len(text)
            mark = "!" if part in self._inside else "."
            text += f"{mark} {self._crashes.get(part, 0)} {json.dumps(part)}\n"
        self._let_go()
        new = self._path.with_name(f"{self._path.name}-new")
        self._fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        os.write(self._fd, text.encode())
        os.fsync(self._fd)
        new.replace(self._path)

    def aside(self, part: str) -> str:
        """Say why a part must not run; empty when it may."""
        if part not in self._aside:
            return ""
        times = plural(self._crashes.get(part, CRASHES), "time")
        return (
            f"pilogger died {times} in a row while its code ran; "
            f"it is tried again in {span(self.again_in(part))}, or at the next reload or restart"
        )

    def again_in(self, part: str) -> float:
        """Tell in how many seconds a part that is set aside is tried again."""
        return max(1.0, self._aside.get(part, 0.0) - self._clock.monotonic())

    def delay(self, part: str) -> float:
        """Tell how many seconds late a part begins: after a crash, suspects take turns."""
        suspects = [part for part in self._crashes if part not in self._aside]
        return ALONE_S * suspects.index(part) if part in suspects else 0.0

    def release(self) -> bool:
        """Let those try again who have waited long enough; tell whether there were any.

        Their next crash sets them aside at once.
        """
        now = self._clock.monotonic()
        due = [part for part, again in self._aside.items() if again <= now]
        for part in due:
            log.warning("%s is tried again", part)
            del self._aside[part]
            self._crashes[part] = CRASHES - 1
        return bool(due)

    def forgive(self) -> None:
        """Forget every crash: a person has looked after it."""
        self._crashes.clear()
        self._aside.clear()

    @contextmanager
    def inside(self, part: str) -> Iterator[None]:
        """Mark that the code of a part runs, as long as the block lasts."""
        if self._clock.monotonic() - self._watched > FIRST_S:
            yield
            return
        self._mark(part, inside=True)
        try:
            yield
        finally:
            self._mark(part, inside=False)

    def _mark(self, part: str, *, inside: bool) -> None:
        with self._lock:
            (self._inside.add if inside else self._inside.discard)(part)
            if self._fd >= 0 and part in self._marks:
                try:
                    os.pwrite(self._fd, b"!" if inside else b".", self._marks[part])
                except OSError:
                    self._let_go()  # a full disk: better no marks than wrong ones

    def close(self) -> None:
        """Come to a clean end, which forgets everything."""
        with self._lock:
            self._let_go()
            self._path.unlink(missing_ok=True)

    def _let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def _judge(path: Path, boot_id: str) -> dict[str, int]:
    """Read what the last process left: how often each part was there when one died.

    Those that were not there this time are out of it, unless they were set aside.
    """
    try:
        boot, *lines = path.read_text().splitlines()
        rows = [line.split(" ", 2) for line in lines]
        found = [(mark, int(times), str(json.loads(part))) for mark, times, part in rows]
    except (OSError, ValueError):
        return {}
    crashed = boot == boot_id  # otherwise it was the power
    return {
        part: times + (crashed and mark == "!")
        for mark, times, part in found
        if times >= CRASHES or (crashed and mark == "!") or (times and not crashed)
    }
