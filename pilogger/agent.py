"""The composition root of `pilogger run`: the one place that knows all parts.

drivers -> Scheduler -> Recorder -> Store -> Outbox -> Uploader -> destinations
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import Self

from pilogger import __version__
from pilogger.channel import units
from pilogger.clock import Clock, SystemClock
from pilogger.config import Settings
from pilogger.control import ControlServer
from pilogger.errors import PiloggerError, StoreBroken, StoreError
from pilogger.httpdate import DateAsker
from pilogger.kernel import StepWatcher
from pilogger.links import LinkWatcher
from pilogger.parts import Parts, probe
from pilogger.pulse import Pulse
from pilogger.recorder import Recorder
from pilogger.sample import Sample, Value
from pilogger.scheduler import Scheduler
from pilogger.status import LAST_WORDS, State, StatusServer, disk
from pilogger.store import Bounds, Store
from pilogger.words import plural

log = logging.getLogger("pilogger")

LOOK_S = 0.05
ROOM_S = 3.0  # for what waits in memory, once the store takes readings again


class Agent:
    """A whole logger; made stopped, `start` and `stop` once, `reload` in between.

    As a context manager it is started and stopped.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock or SystemClock(settings.clock.trust)
        self.store = Store.open(
            settings.store.path,
            self._clock,
            durability=settings.store.durability,
            bounds=_bounds(settings)._replace(keep=None),
        )
        self.recorder = Recorder(self.store)
        self.parts = Parts(self.store, self.recorder, self._clock)
        self.scheduler = self.parts.scheduler
        self._started = self._clock.wall()
        self._failure: StoreError | None = None
        self.behind = ""
        """Why the parts are not yet what the settings say; empty if they are."""
        self.complete = False
        """Whether all that was taken is in the store, and closed; known after the stop."""
        self._steps = StepWatcher(self.store.tend_clock)
        self._links = LinkWatcher(self.parts.network_came)
        url = settings.clock.http_date
        self._date = DateAsker(url, self._clock, self.store.tell_time) if url else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pulses(self) -> list[Pulse]:
        """The signs of life of the threads without which nothing is logged."""
        return [*self.scheduler.pulses, self.recorder.pulse, self.store.writer.pulse]

    def start(self) -> None:
        """Start from the end of the line, so that nothing is taken that cannot go on."""
        what = f"{plural(len(self.settings.sensors), 'sensor')} to {self.store.path}"
        places = plural(len(self.settings.destinations), "destination")
        log.info("logging %s, for %s", what, places)
        self.recorder.start()
        self.parts.arrange(self.settings)
        self.store.keeper.limit(_bounds(self.settings))
        self.scheduler.start()
        self._status = StatusServer(self.store.path, self.state)
        self._control = ControlServer(self.store)
        self._steps.start()
        self._links.start()
        if self._date:
            self._date.start()

    def reload(self, settings: Settings) -> str:
        """Go on with other settings; what is the same in them goes on undisturbed.

        What the disk does not let happen at once, `tend` brings about. Returns a sentence
        about what waits for a restart; empty if nothing does.

        Raises:
            StoreBroken: the disk takes nothing, and what waits in memory must come first.
        """
        before = self.store.keeper.bounds
        if self.store.keeper.refusing:  # more room may be what the new settings are about
            self.store.keeper.limit(_bounds(settings))
            self.store.keeper.step()
            self.recorder.drain(ROOM_S)
        if trouble := self.recorder.trouble:
            self.store.keeper.limit(before)
            raise StoreBroken(f"{trouble}: the config is not changed while samples wait in memory")
        path, clock = self.settings.store.path, self.settings.clock
        waits = [
            name
            for name, differs in (
                ("store.path", settings.store.path != path),
                ("clock", settings.clock != clock),
            )
            if differs
        ]
        settings = replace(settings, store=replace(settings.store, path=path), clock=clock)
        self.parts.suspects.forgive()
        self.store.writer.durability = settings.store.durability
        self.settings = settings
        self._arrange()
        return f"the new {' and '.join(waits)} will hold after a restart" if waits else ""

    def tend(self) -> None:
        """Do what is due now and then: parts that were set aside, or failed to come, try again."""
        if self.parts.suspects.release() or self.behind:
            self._arrange()

    def _arrange(self) -> None:
        """Let parts come and go; nothing is too old while nobody knows who waits for it."""
        before = self.behind
        bounds = _bounds(self.settings)
        self.store.keeper.limit(bounds._replace(keep=None))
        try:
            self.parts.arrange(self.settings)
        except StoreError as error:
            self.behind = str(error)
            if not before:
                log.error("the config is not all in force yet: %s", error)  # noqa: TRY400
        else:
            self.store.keeper.limit(bounds)
            self.behind = ""
            if before:
                log.warning("all of the config is in force now")

    def stop(self, drain: float = 0.0) -> None:
        """Stop polling, store everything, let go; within 5 seconds and the drain.

        `drain` is how many seconds the uploaders get to finish; without it nobody waits
        for the network, and what was not sent is sent by the next start.
        """
        self.scheduler.stop(1.5)
        self.recorder.stop(1.0)
        uploaders = self.parts.uploaders
        if drain:
            for uploader in uploaders:
                uploader.drain(drain)
        for uploader in uploaders:
            uploader.ask_to_stop()
        until = monotonic() + 0.5
        for uploader in uploaders:
            uploader.stop(max(0.0, until - monotonic()))
        self._control.close()
        self._status.close()
        self._steps.stop()
        self._links.stop()
        if self._date:
            self._date.stop()
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
                self.parts.suspects.close()
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
            "sensors": self.parts.sensors(),
            "store": {
                **disk(self.store.path),
                "stored": self.store.stored,
                "durability": self.settings.store.durability,
                **self.store.keeper.state(),
                "salvaged": self.store.salvage.state(),
                "waiting": self.recorder.waiting,
                "dropped": self.recorder.dropped,
                "refused": self.recorder.refused,
                "trouble": self.store.writer.trouble
                or self.store.keeper.refusing
                or self.recorder.trouble,
            },
            "clock": self.store.segments.present.state,
            "sync": self.store.sync(),
            "destinations": self.parts.destinations(),
        }


def _bounds(settings: Settings) -> Bounds:
    kept = settings.store
    return Bounds(kept.keep, kept.max_size, kept.when_full, kept.min_free)


def read_once(settings: Settings, sensor: str) -> tuple[Mapping[str, Value], Mapping[str, str]]:
    """Take one sample of a configured sensor, as the agent would; values and their units.

    Sensors that it is wired to are read before.

    Raises:
        PiloggerError: there is no such sensor, or it gave no reading; the text says why.
    """
    found = settings.sensor(sensor)
    samples: SimpleQueue[Sample] = SimpleQueue()
    units_: dict[str, dict[str, str]] = {}
    helpers = [probe(one) for one in settings.sensors if one.id in found.needs - {sensor}]
    scheduler = Scheduler(
        helpers, samples.put, lambda id, channels: units_.update({id: units(channels)})
    )
    scheduler.start()
    try:
        while not all(state.samples or state.error for state in scheduler.state()):
            sleep(LOOK_S)
        scheduler.change([*helpers, probe(found)])
        while True:
            with suppress(Empty):
                if (sample := samples.get(timeout=LOOK_S)).sensor == sensor:
                    return sample.values, units_[sensor]
            state = scheduler.state()[-1]
            if state.error and not state.samples:
                raise PiloggerError(f"{sensor}: {state.error}")
    finally:
        scheduler.stop()
