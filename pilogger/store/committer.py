"""The thread of a store: commits what waits, and has everything else done that is due."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from pilogger.errors import StoreBroken

if TYPE_CHECKING:
    from pilogger.store.writer import Writer

log = logging.getLogger("pilogger.store")

TICK_S = 1.0
BREATH_S = 0.01  # between two pieces of work, for whoever waits for the processor
RETRY_S = 1.0


class Committer:
    """Commits once per durability window, and calls `tick` every second.

    While that answers that more is to do, it is called again soon.
    """

    def __init__(self, writer: Writer, tick: Callable[[], bool]) -> None:
        self._writer = writer
        self._tick = tick
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        """Go on, whatever happens: without this thread nothing would reach the disk."""
        writer = self._writer
        retry_at = 0.0
        more = False
        while True:
            left = max(retry_at, writer.due()) - time.monotonic()
            pause = BREATH_S if more else min(TICK_S, max(left, BREATH_S))
            writer.pulse.beat(pause)
            if self._stopped.wait(pause):
                writer.pulse.end()
                return
            writer.pulse.beat()
            was = writer.trouble
            if time.monotonic() >= max(retry_at, writer.due()):
                retry_at = time.monotonic() + RETRY_S
                with suppress(StoreBroken):  # told below; to make room is for `tick`
                    writer.flush()
            more = self._look()
            if writer.trouble and not was:
                log.error("%s; keeping everything and trying again", writer.trouble)
            elif was and not writer.trouble:
                log.warning("the store can be written again")

    def _look(self) -> bool:
        """Do what is due; True if more is."""
        try:
            self._writer.look_for_the_file()
            return self._tick()
        except StoreBroken:
            pass  # whoever looks next tells of it
        except Exception:
            log.exception("the store's keeper met a bug, and goes on")
        return False
