"""The moments at which a sensor is due: start + n * every, and nothing else."""

from __future__ import annotations

import math


class Grid:
    """A row of slots on the monotonic clock; a slot is served once, late, or never.

    Each due time is computed from the start, so no delay ever adds up. A slot that is late
    by a whole interval is not served: the next one is due already.
    """

    def __init__(self, start: float, every: float) -> None:
        self.start = start
        self.every = every
        self.slot = -1
        """The slot that was served last."""
        self._next = 0

    def at(self, slot: int) -> float:
        """When a slot is due, in seconds of the monotonic clock."""
        return self.start + slot * self.every

    @property
    def due(self) -> float:
        """When the next slot is due."""
        return self.at(self._next)

    def take(self, now: float) -> int:
        """Serve the newest slot that is due; return how many were skipped for it."""
        newest = int((now - self.start) / self.every)
        if self.at(newest + 1) <= now:  # the division was rounded down
            newest += 1
        elif self.at(newest) > now:  # or up
            newest -= 1
        self.slot = max(newest, self._next)
        skipped = self.slot - self._next
        self._next = self.slot + 1
        return skipped

    def hold_off(self, slots: int) -> None:
        """Make the next slot the one that is `slots` after the last; at least 1."""
        self._next = self.slot + slots

    def hold_until(self, moment: float) -> None:
        """Make the next slot the first that is not due before a moment."""
        self._next = max(self._next, math.ceil((moment - self.start) / self.every))
