"""From when to when there are readings."""

from __future__ import annotations

from sqlite3 import Connection

from pilogger.store.blocks import ENDLESS, MICRO, Blocks
from pilogger.store.moments import Moments


def bounds(db: Connection, series: int) -> tuple[int, int]:
    """Return the earliest and the latest epoch of a series, about; (0, 0) if it has none."""
    moments = Moments(db, Blocks(db), series, latest=False)
    sealed = moments.next_after(-ENDLESS)
    fresh = [t for t, _, _ in moments.fresh(-ENDLESS, ENDLESS)]
    ends = [*fresh[:1], *fresh[-1:]]
    if sealed is not None:
        ends += [sealed, moments.newest * MICRO]
    return (min(ends), max(ends)) if ends else (0, 0)
