"""The composition root of `pilogger run`: the one place that knows all parts.

drivers -> Scheduler -> Recorder -> Store -> Outbox -> Uploader -> destinations
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Self

from pilogger import __version__
from pilogger.channel import units
from pilogger.clock import Clock, SystemClock
from pilogger.config import SensorSettings, Settings
from pilogger.errors import PiloggerError, StoreError
from pilogger.recorder import Recorder
from pilogger.sample import Sample, Value
from pilogger.scheduler import Probe, Scheduler, Tuning
from pilogger.status import LAST_WORDS, State, StatusServer, disk
from pilogger.stopping import StopSignal
from pilogger.store import Store
from pilogger.uploader import Uploader
from pilogger.words import plural

log = logging.getLogger("pilogger")

LOOK_S = 0.05


class Agent:
    """A whole logger; made stopped, `start` and `stop` once.

    As a context manager it is started and stopped.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock or SystemClock(settings.clock.trust)
        self.store = Store.open(
            settings.store.path, self._clock, durability=settings.store.durability
        )
        self.recorder = Recorder(self.store)
        self.scheduler = Scheduler(
            [_probe(sensor) for sensor in settings.sensors],
            self.recorder.put,
            lambda sensor, channels: self.recorder.declare(sensor, units(channels)),
            self._clock,
        )
        self.uploaders = [
            Uploader(
                place.build(),
                self.store.outbox(place.name, start=place.start),
                self._clock,
                place.name,
            )
            for place in settings.destinations
        ]
        self._started = self._clock.wall()
        self._failure: StoreError | None = None
        self.complete = False
        """Whether all that was taken is in the store, and closed; known after the stop."""
        self._status = StatusServer(self.store.path, self.state)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start from the end of the line, so that nothing is taken that cannot go on."""
        sensors, places = len(self.settings.sensors), len(self.uploaders)
        what = f"{plural(sensors, 'sensor')} to {self.store.path}"
        log.info("logging %s, for %s", what, plural(places, "destination"))
        for uploader in self.uploaders:
            uploader.start()
        self.recorder.start()
        self.scheduler.start()

    def stop(self, drain: float = 0.0) -> None:
        """Stop polling, store everything, let go; within 5 seconds and the drain.

        `drain` is how many seconds the uploaders get to finish; without it nobody waits
        for the network, and what was not sent is sent by the next start.
        """
        self.scheduler.stop(1.5)
        self.recorder.stop(1.0)
        if drain:
            for uploader in self.uploaders:
                uploader.drain(drain)
        for uploader in self.uploaders:
            uploader.ask_to_stop()
        until = monotonic() + 0.5
        for uploader in self.uploaders:
            uploader.stop(max(0.0, until - monotonic()))
        self._status.close()
        if self.recorder.waiting:
            why = self.recorder.trouble or "the disk is slow"
            log.error("%d samples could not be stored: %s", self.recorder.waiting, why)
        self._close_store()

    def _close_store(self) -> None:
        """Commit the rest, if the disk is quick; else it is in the journal for the next start."""
        closing = Thread(target=self._finish, name="close", daemon=True)
        closing.start()
        closing.join(1.5)
        if closing.is_alive():
            log.warning("the disk is slow: the next start will commit what the journal holds")
        elif self._failure:
            raise self._failure

    def _finish(self) -> None:
        try:
            try:
                self.store.remember(LAST_WORDS, json.dumps(self.state() | {"running": False}))
            finally:
                self.store.close()
        except StoreError as error:
            self._failure = error
        else:
            self.complete = not (self.recorder.waiting or self.store.writer.trouble)

    def state(self) -> State:
        """Tell how everything is doing, as `pilogger status --json` prints it."""
        return {
            "pilogger": __version__,
            "device": self.settings.device,
            "running": True,
            "process": os.getpid(),
            "started": self._started / 1e6,
            "asked": self._clock.wall() / 1e6,
            "taken": self.scheduler.taken,
            "sensors": [asdict(sensor) for sensor in self.scheduler.state()],
            "store": {
                **disk(self.store.path),
                "stored": self.store.stored,
                "durability": self.settings.store.durability,
                "waiting": self.recorder.waiting,
                "dropped": self.recorder.dropped,
                "refused": self.recorder.refused,
                "trouble": self.store.writer.trouble or self.recorder.trouble,
            },
            "clock": self.store.segment.state,
            "destinations": [asdict(uploader.state()) for uploader in self.uploaders],
        }


def _probe(sensor: SensorSettings) -> Probe:
    tunings = {name: Tuning(c.offset, c.raw) for name, c in sensor.channels.items()}
    return Probe(
        id=sensor.id,
        build=sensor.build,
        every=sensor.every,
        kind=sensor.kind,
        bus=sensor.bus,
        deadline=sensor.deadline,
        raw=sensor.raw,
        tunings=tunings,
    )


def read_once(settings: Settings, sensor: str) -> tuple[Mapping[str, Value], Mapping[str, str]]:
    """Take one sample of a configured sensor, as the agent would; values and their units.

    Raises:
        PiloggerError: there is no such sensor, or it gave no reading; the text says why.
    """
    found = [one for one in settings.sensors if one.id == sensor]
    if not found:
        known = ", ".join(one.id for one in settings.sensors) or "none"
        raise PiloggerError(f"no sensor is called {sensor!r}; the config has {known}")
    samples: SimpleQueue[Sample] = SimpleQueue()
    units_: dict[str, str] = {}
    scheduler = Scheduler(
        [_probe(found[0])], samples.put, lambda _, channels: units_.update(units(channels))
    )
    scheduler.start()
    try:
        while True:
            (state,) = scheduler.state()
            if state.error:
                raise PiloggerError(f"{sensor}: {state.error}")
            with suppress(Empty):
                return samples.get(timeout=LOOK_S).values, units_
    finally:
        scheduler.stop()


def run(settings: Settings) -> None:
    """Log until SIGTERM or SIGINT.

    Raises:
        StoreError: the store cannot be opened.
    """
    stop = StopSignal()
    with Agent(settings) as agent:
        stop.wait()
        log.info("stopping")
    if agent.complete:
        log.info("stopped; everything is stored")
