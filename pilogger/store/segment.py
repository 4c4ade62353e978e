"""One clock segment; and the estimate for those of boots whose clock was never right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import groupby, pairwise
from sqlite3 import Connection
from typing import Literal, NamedTuple

BILLION = 1_000_000_000

State = Literal["unsynced", "synced", "estimated"]


class Segment(NamedTuple):
    """A row of `segment`; times in microseconds.

    Wall time = `offset` + boot time, plus `drift` ppb of the time since `anchor`. A drift
    of None is still being measured. `frequency` is what the kernel added to the crystal's
    pace meanwhile, in ppb; `synced_by` is who said that the clock is right.
    """

    id: int
    boot_id: str
    started: int
    offset: int
    state: State
    anchor: int
    drift: int | None
    frequency: int
    synced_by: str

    def wall(self, boot: int) -> int:
        """Turn boot time into microseconds since 1970, as `schema.WALL` does."""
        gained = (boot - self.anchor) * (self.drift or 0)
        whole = abs(gained) // BILLION  # SQLite rounds towards zero
        return self.offset + boot + (whole if gained > 0 else -whole)


def estimate(segments: Iterable[Segment], newest: Callable[[int], int | None]) -> list[Segment]:
    """Place earlier boots: by the time that they had, moved as far as is certain.

    A boot began after the one before it ended, and ended before the next began. The present
    one is the last, and known. Returns the segments that were unsynced.
    """
    boots = [_Boot(list(found), newest) for _, found in groupby(segments, lambda s: s.boot_id)]
    for before, boot in pairwise(boots):
        if not boot.known:
            boot.offset = max(boot.offset, before.end)
    for boot, after in reversed(list(pairwise(boots))):
        if not boot.known:
            boot.offset = min(boot.offset, after.offset - boot.length)
    return [
        segment._replace(offset=boot.offset, state="estimated")
        for boot in boots
        for segment in boot.segments
        if segment.state == "unsynced"
    ]


class _Boot:
    """The segments of one boot; `offset` is the wall time at which it began."""

    def __init__(self, segments: Sequence[Segment], newest: Callable[[int], int | None]) -> None:
        self.segments = segments
        self.known = segments[-1].state != "unsynced"
        self.offset = segments[-1].wall(0)  # the newest, as a person may have set the clock
        self._newest = newest

    @cached_property
    def length(self) -> int:
        """Boot time at its last sign of life; found in the file, so only if it is needed."""
        last = self.segments[-1]
        return max(self._newest(last.id) or 0, last.started)

    @property
    def end(self) -> int:
        return self.offset + self.length


def newest(db: Connection, segment: int) -> int | None:
    """Find the boot time of the last sample of a segment, fresh or sealed."""
    found = db.execute(
        "SELECT segment, boot FROM sample WHERE segment <= ?1 ORDER BY seq DESC LIMIT 1",
        [segment],
    ).fetchone()
    fresh = found[1] if found and found[0] == segment else None
    (sealed,) = db.execute(
        "SELECT max(boot_end) FROM block WHERE segment = ?", [segment]
    ).fetchone()
    return max((boot for boot in (fresh, sealed) if boot is not None), default=None)
