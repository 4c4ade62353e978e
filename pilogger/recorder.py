"""Carries samples from the scheduler to the store, so that no sensor waits for a disk."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence

from pilogger.errors import BadValue, StoreError
from pilogger.sample import Sample
from pilogger.store import Store

log = logging.getLogger("pilogger.recorder")

MOST = 100_000  # samples kept in memory while the disk takes nothing: an hour of 20 sensors at 1 Hz
AT_ONCE = 500
RETRY_S = 1.0


class Recorder:
    """One thread that appends; `put` may be called from any and never blocks.

    While the disk takes nothing, samples wait in memory, the newest `MOST` of them.
    """

    def __init__(self, store: Store) -> None:
        self.dropped = 0
        """Readings that memory could not hold while the disk took nothing."""
        self.refused = 0
        """Readings that no store can hold; each was logged."""
        self.trouble = ""
        self._store = store
        self._samples: deque[Sample] = deque()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    @property
    def waiting(self) -> int:
        """Samples that are not in the store yet."""
        return len(self._samples)

    def start(self) -> None:
        self._thread.start()

    def put(self, sample: Sample) -> None:
        """Take a sample; the oldest one gives way when there are too many."""
        if len(self._samples) >= MOST:
            self.dropped += len(self._samples.popleft().values)
        self._samples.append(sample)
        self._news.set()

    def stop(self, timeout: float) -> None:
        """Store what waits, for at most `timeout` seconds."""
        self._stopping.set()
        self._news.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set() or self._samples:
            self._news.wait()
            self._news.clear()
            while self._samples:
                batch = [self._samples.popleft() for _ in range(min(AT_ONCE, len(self._samples)))]
                if left := self._keep(batch):
                    self._samples.extendleft(reversed(left))
                    if self._stopping.wait(RETRY_S):
                        return

    def _keep(self, batch: Sequence[Sample]) -> Sequence[Sample]:
        """Append them; returns those that the disk did not take."""
        try:
            self._store.append(batch)
        except BadValue as error:
            if len(batch) > 1:
                return [left for sample in batch for left in self._keep([sample])]
            self.refused += len(batch[0].values)
            log.warning("%s: %s", batch[0].sensor, error)
        except StoreError as error:
            if not self.trouble:
                log.error("%s; samples wait in memory", error)  # noqa: TRY400 - one line, no trace
            self.trouble = str(error)
            return batch
        else:
            if self.trouble:
                log.warning("the store takes samples again; %d readings were lost", self.dropped)
            self.trouble = ""
        return ()
