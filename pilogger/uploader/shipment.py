"""A batch on its way out, in parts: what was accepted never goes again.

A part that is refused is halved until the guilty reading stands alone, which takes about
log2(n) refusals for each; the good ones around it arrive in their order. The readings of one
sample stay together while they can, as for some destinations they are one record.
"""

from __future__ import annotations

from pilogger.sample import Point
from pilogger.store import Batch, SetAside

Part = tuple[Point, ...]


class Shipment:
    """What is left of a batch, oldest first."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.set_aside: list[SetAside] = []
        self._parts = [batch.points] if batch.points else []

    def next(self, limit: int) -> Part:
        """Return the part to send now, of at most `limit` readings; () when all is done.

        The same part comes again until it is accepted or refused.
        """
        if not self._parts:
            return ()
        while len(self._parts[-1]) > limit:
            self._halve()
        return self._parts[-1]

    def accepted(self) -> None:
        """The part that was next has arrived."""
        self._parts.pop()

    def refused(self, reason: str) -> None:
        """Something in it will never be taken: look closer, or set it aside."""
        if len(self._parts[-1]) > 1:
            self._halve()
        else:
            (point,) = self._parts.pop()
            self.set_aside.append(SetAside(point, reason))

    def _halve(self) -> None:
        part = self._parts.pop()
        middle = _between_samples(part) or len(part) // 2
        self._parts += [part[middle:], part[:middle]]


def _between_samples(part: Part) -> int:
    """Find the place between two samples that is next to the middle; 0 if there is one only."""
    first = last = len(part) // 2
    seq = part[first].seq
    while first and part[first - 1].seq == seq:
        first -= 1
    while last < len(part) and part[last].seq == seq:
        last += 1
    return first or last % len(part)
