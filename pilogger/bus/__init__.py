"""The seams to hardware: one module per kind of bus.

A bus module defines `Bus`, the verbs a driver may use, and `KIND`, which tells the core
how to open a real one: the result has a `close()`, and where there is none, opening or
the first use raises NoAnswer with the remedy. A driver asks for a bus by annotating its
parameter `bus`; the core opens one of each and gives it to all drivers on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple


def _itself(name: int | str) -> int | str:
    return name


def _whole(bus: Any, _name: int | str) -> Any:
    return bus


class Kind(NamedTuple):
    """A kind of bus: its name, which one is meant if nobody says, and how to open it.

    Some buses have branches. `trunk` tells which bus has to be opened for a name, and raises
    ValueError for what is no name; `branch` gives what the name means on that open bus.
    """

    name: str
    default: int | str
    open: Callable[[Any], Any]
    trunk: Callable[[Any], int | str] = _itself
    branch: Callable[[Any, Any], Any] = _whole


def kind_of(annotation: type) -> Kind:
    """Find the kind of bus that a driver's `bus` annotation names."""
    kind = getattr(sys.modules[annotation.__module__], "KIND", None)
    if not isinstance(kind, Kind):
        raise TypeError(f"{annotation.__module__} is no bus module: it has no KIND")
    return kind
