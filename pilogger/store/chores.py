"""What is done with samples once they are stored: bit by bit in the background, or all now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilogger.store.log import Store


class Chores:
    """Has a store sealed, kept within its bounds and looked at for damage."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._generation = store.writer.generation

    def step(self) -> bool:
        """Do what is due; True if more is."""
        store = self._store
        with store.writer.reading(store.writer.generation):
            self._follow()
            store.inspector.step()
            more = store.keeper.step()  # first: without room nothing else can be done
            store.tend_clock()
            return more or (not store.sealer.is_flooded() and store.sealer.step())

    def all(self, step: Callable[[], bool]) -> None:
        """Do everything now that the background does in small pieces.

        Raises:
            StoreBroken: the file was damaged; to try again helps.
        """
        writer = self._store.writer
        with writer.reading(writer.generation):
            self._follow()
            while step():
                pass

    def _follow(self) -> None:
        """Have everyone read the file that is there now."""
        store = self._store
        if self._generation != store.writer.generation:
            self._generation = store.writer.generation
            store.keeper.follow()
            store.inspector.follow()
            store.sealer.follow()
            store.salvage.start()
            store.wake()

    def stop(self) -> None:
        """Do nothing any more; may be called twice."""
        self._store.keeper.stop()
        self._store.inspector.stop()
        self._store.sealer.stop()
