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


class Kind(NamedTuple):
    """A kind of bus: its name, which one is meant if nobody says, and how to open it."""

    name: str
    default: int | str
    open: Callable[[Any], Any]


def kind_of(annotation: type) -> Kind:
    """Find the kind of bus that a driver's `bus` annotation names."""
    kind = getattr(sys.modules[annotation.__module__], "KIND", None)
    if not isinstance(kind, Kind):
        raise TypeError(f"{annotation.__module__} is no bus module: it has no KIND")
    return kind
