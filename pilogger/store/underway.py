"""Readings that had to go while a request with them was under way.

From then on they count as unsent, as the process may end before an answer comes. When one does,
they leave that count, in the write with which the destination moves on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pilogger.store.batch import Batch
from pilogger.store.journal import Write

if TYPE_CHECKING:
    from pilogger.store.log import Store
    from pilogger.store.outbox import Outbox


class Gone(NamedTuple):
    """A sample that went: why, how many readings it had, and who may have it yet."""

    reason: str
    readings: int
    places: frozenset[Outbox]


class UnderWay:
    """One per store; its callers hold `Store.still`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gone: dict[int, Gone] = {}

    @property
    def readings(self) -> int:
        """How many are counted as unsent, and may arrive yet."""
        there = set(self._store.outboxes)  # who was let go of settles nothing any more
        return sum(gone.readings for gone in self._gone.values() if gone.places <= there)

    def went(self, reason: str, owed: Mapping[int, int]) -> None:
        """Hear of samples that left the store unsent: how many readings each had, by number.

        Those that some destination has not even taken are unsent for good.
        """
        hands = {outbox: outbox.at_hand for outbox in self._store.outboxes}
        for seq in owed.keys() & set().union(*hands.values()):
            places = frozenset(outbox for outbox in hands if outbox.owes(seq, seq))
            if all(seq in hands[outbox] for outbox in places):
                self._gone[seq] = Gone(reason, owed[seq], places)

    def arrived(self, place: Outbox, batch: Batch) -> Iterator[Write]:
        """Yield what takes out of the count whatever of a batch nobody else waits for."""
        back = Counter[str]()
        for _, gone in self._of(place, batch):
            if gone.places == {place}:
                back[gone.reason] += gone.readings
        for reason, readings in back.items():
            yield "arrived", place.name, reason, readings, batch.last

    def settled(self, place: Outbox, batch: Batch) -> None:
        """Hear that a destination has a batch, and that this was written."""
        for seq, gone in self._of(place, batch):
            if left := gone.places - {place}:
                self._gone[seq] = gone._replace(places=left)
            else:
                del self._gone[seq]

    def _of(self, place: Outbox, batch: Batch) -> list[tuple[int, Gone]]:
        seqs = self._gone.keys() & {point.seq for point in batch.points} if self._gone else ()
        return [(seq, self._gone[seq]) for seq in seqs if place in self._gone[seq].places]

    def forget(self) -> None:
        """Begin anew, with another file."""
        self._gone.clear()
