"""Every error of pilogger, sorted by what the catcher should do.

    PiloggerError
    ├── ConfigError       the file describes no logger            -> say every mistake, stop
    ├── BadValue          no store and no wire can hold this      -> refuse it, keep the rest
    ├── SensorError
    │   ├── NoAnswer      unplugged, unpowered, bus stuck         -> try again, start anew, back off
    │   ├── BadReading    checksum, impossible value, a lie       -> leave a gap, count it
    │   ├── NotReady      warming up: a gap, but no fault         -> leave a gap
    │   └── WrongChip     another chip lives at this address      -> say so, ask again slowly
    └── StoreError
        ├── StoreLocked   another process writes this file        -> stop, name the other
        ├── StoreNewer    written by a newer pilogger             -> stop, leave the file alone
        ├── StoreBroken   cannot be opened, written or trusted    -> stop loudly, keep the file
        └── StoreDamaged  a part of it is not what was written    -> leave that part out, say so

What a destination answers is no error: see `pilogger.destinations`.
"""

from __future__ import annotations

from typing import NamedTuple


class PiloggerError(Exception):
    """Base of all; its text is a sentence for a person."""


class Mistake(NamedTuple):
    """One thing that is wrong in a config; line and column count from 1, 0 where there are none."""

    file: str
    line: int
    column: int
    path: str
    what: str

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        where = f"{self.file}{place}: "
        return where + (f"{self.path}: {self.what}" if self.path else self.what)


class ConfigError(PiloggerError):
    """A config that cannot be used; `mistakes` holds all of them, in file order."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(str(mistake) for mistake in mistakes))


class BadValue(PiloggerError, ValueError):
    """A value, key or epoch that JSON or SQLite cannot hold; only itself is refused."""


class SensorError(PiloggerError):
    """A poll that gave no reading."""


class NoAnswer(SensorError):
    """Nothing answered: unplugged, unpowered, or the bus is stuck."""


class BadReading(SensorError):
    """An answer that cannot be true: checksum, range, a missing channel."""


class NotReady(SensorError):
    """The chip is warming up or has nothing new yet."""


class WrongChip(SensorError):
    """Something answered, but it is another chip than the one configured."""


class StoreError(PiloggerError):
    """The store cannot do what was asked; nothing was changed."""


class StoreLocked(StoreError):
    """Another process writes this store."""


class StoreNewer(StoreError):
    """The store was written by a newer pilogger."""


class StoreBroken(StoreError):
    """The file cannot be opened, written or trusted."""


class StoreDamaged(StoreError):
    """A part of the file is not what was written there; the rest is."""
