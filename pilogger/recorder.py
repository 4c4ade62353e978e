"""Carries samples from the scheduler to the store, so that no sensor waits for a disk."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from math import inf
from time import monotonic, sleep
from typing import NamedTuple

from pilogger.errors import BadValue, StoreError
from pilogger.pulse import Pulse
from pilogger.sample import Sample
from pilogger.store import Store

log = logging.getLogger("pilogger.recorder")

MOST = 100_000  # samples kept in memory while the disk takes nothing: an hour of 20 sensors at 1 Hz
AT_ONCE = 500
RETRY_S = 1.0
SOON_S = 0.01


class Declaration(NamedTuple):
    """The channels that a sensor's next samples have, each with its unit."""

    sensor: str
    units: Mapping[str, str]


class Recorder:
    """One thread that appends; what gives it something may be called from any and never blocks.

    While the disk takes nothing, samples wait in memory, the newest `MOST` of them.
    """

    def __init__(self, store: Store) -> None:
        self.dropped = 0
        """Readings that memory could not hold while the disk took nothing."""
        self.refused = 0
        """Readings that no store can hold; each was logged."""
        self.trouble = ""
        self.pulse = Pulse("recorder")
        self._store = store
        self._line: deque[Sample | Declaration] = deque()
        self._facts: dict[str, str] = {}
        self._carrying = threading.Lock()  # held while samples are neither here nor there
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    @property
    def waiting(self) -> int:
        """Samples that are not in the store yet."""
        return len(self._line)

    def start(self) -> None:
        self._thread.start()

    def declare(self, sensor: str, units: Mapping[str, str]) -> None:
        """Tell the store, in its turn, which channels the sensor's next samples have."""
        self._line.append(Declaration(sensor, units))
        self._news.set()

    def remember(self, key: str, text: str) -> None:
        """Take a fact for the store; only the newest of each key, ahead of samples that wait."""
        self._facts[key] = text
        self._news.set()

    def put(self, sample: Sample) -> None:
        """Take a sample; the oldest one gives way when there are too many."""
        if len(self._line) >= MOST:
            self._drop_oldest()
        self._line.append(sample)
        self._news.set()

    def _drop_oldest(self) -> None:
        """Drop the oldest sample; declarations stay, as later samples need them."""
        item = self._line.popleft()
        if isinstance(item, Declaration):
            self._drop_oldest()
            self._line.appendleft(item)
        else:
            self.dropped += len(item.values)

    def drain(self, timeout: float) -> bool:
        """Wait until all that was put before is in the store; False after `timeout` seconds."""
        until = monotonic() + timeout
        while (left := until - monotonic()) > 0:
            if self._carrying.acquire(timeout=left):
                done = not (self._line or self._facts)
                self._carrying.release()
                if done:
                    return True
            sleep(SOON_S)
        return False

    def stop(self, timeout: float) -> None:
        """Store what waits, for at most `timeout` seconds."""
        self._stopping.set()
        self._news.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set() or self._line or self._facts:
            self.pulse.beat(inf)
            self._news.wait()
            self._news.clear()
            while self._line or self._facts:
                self.pulse.beat()
                if not self._carry() and self._stopping.wait(RETRY_S):
                    self.pulse.end()
                    return
        self.pulse.end()

    def _carry(self) -> bool:
        """Carry something to the store; False if the disk did not take all of it."""
        with self._carrying:
            if not self._keep_facts():
                return False
            left = self._keep(self._next()) if self._line else ()
            self._line.extendleft(reversed(left))
        return not left

    def _keep_facts(self) -> bool:
        """Store the facts; False if the disk did not take one."""
        while self._facts:
            key, text = self._facts.popitem()
            try:
                self._store.remember(key, text)
            except StoreError as error:
                self._facts.setdefault(key, text)  # unless there is a newer one
                self._note(error)
                return False
        return True

    def _next(self) -> list[Sample] | Declaration:
        """Take what can be stored at once: some samples, or the declaration before them."""
        samples: list[Sample] = []
        while self._line and len(samples) < AT_ONCE:
            item = self._line.popleft()
            if isinstance(item, Sample):
                samples.append(item)
            elif samples:
                self._line.appendleft(item)
                break
            else:
                return item
        return samples

    def _keep(self, what: Sequence[Sample] | Declaration) -> Sequence[Sample | Declaration]:
        """Store it; returns what the disk did not take."""
        try:
            if isinstance(what, Declaration):
                self._store.declare(*what)
            else:
                self._store.append(what)
        except BadValue as error:
            if isinstance(what, Declaration) or len(what) == 1:
                self._refuse(what, error)
            else:
                return [left for sample in what for left in self._keep([sample])]
        except StoreError as error:
            self._note(error)
            return [what] if isinstance(what, Declaration) else what
        else:
            if self.trouble:
                log.warning("the store takes samples again; %d readings were lost", self.dropped)
            self.trouble = ""
        return ()

    def _note(self, error: StoreError) -> None:
        if not self.trouble:
            log.error("%s; samples wait in memory", error)
        self.trouble = str(error)

    def _refuse(self, what: Sequence[Sample] | Declaration, error: BadValue) -> None:
        if isinstance(what, Declaration):
            log.warning("%s: %s", what.sensor, error)
        else:
            self.refused += len(what[0].values)
            log.warning("%s: %s", what[0].sensor, error)
