"""What a scan gives, and the drivers that what it finds may belong to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pilogger import driver
from pilogger.bus import Kind
from pilogger.docstrings import about
from pilogger.errors import SensorError

Wait = Callable[[float], object]
Open = Callable[[Kind, Any], Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One driver: its name, its class, what it is for, the kind of its bus."""

    name: str
    cls: Any
    about: str
    kind: Kind

    @property
    def options(self) -> Mapping[str, inspect.Parameter]:
        return driver.options(self.cls)

    @property
    def can_ask(self) -> bool:
        """Whether there is a way to ask whether something is its chip."""
        return hasattr(self.cls, "identify")

    def ask(self, wait: Wait, *where: object) -> bool | None:
        """Ask whether something is its chip; None if that cannot be told, or the driver fails."""
        try:
            verdict = driver.finish(self.cls.identify(*where), wait)
        except SensorError:
            return False
        except Exception:  # a stranger's driver may raise anything
            return None
        return None if verdict is None else bool(verdict)

    @property
    def needs(self) -> list[str]:
        """The options without which it cannot be made."""
        return [name for name, option in self.options.items() if option.default is option.empty]


class Find(NamedTuple):
    """Something that answers: where, and the drivers that fit, or why there is none.

    `at` is the address of a chip, the id of a 1-wire device, nothing for a serial port. `sure` is
    whether the thing itself said so. `note` is what is known without a driver.
    """

    kind: str
    bus: int | str
    at: int | str
    fits: Sequence[Candidate] = ()
    sure: bool = False
    note: str = ""


class Trouble(NamedTuple):
    """A bus that could not be looked at, and what to do about it."""

    kind: str
    bus: int | str
    why: str


def candidates(folders: Iterable[Path] = ()) -> list[Candidate]:
    """Load every driver that has a bus; one that cannot be loaded is passed over."""
    folders = tuple(folders)
    found = []
    for name in driver.available(folders):
        with suppress(Exception):  # a stranger's module may raise anything
            cls = driver.find(name, folders)
            if kind := driver.bus_kind(cls):
                found.append(Candidate(name, cls, about(cls), kind))
    return found
