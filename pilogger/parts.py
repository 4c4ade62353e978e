"""The parts that run: a sensor or a destination comes, changes and goes without the others.

What the settings name is compared with what runs. A sensor that is the same keeps its
grid, its counters and its driver, also when others of its bus change; a destination that is
the same keeps its uploader. What killed the process too often is left out (`Suspects`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

from pilogger.channel import units
from pilogger.clock import Clock
from pilogger.config import DestinationSettings, SensorSettings, Settings
from pilogger.destinations import Identified
from pilogger.driver import sources
from pilogger.recorder import Recorder
from pilogger.scheduler import PREFIX, Memory, Probe, Scheduler, SensorState, Wire
from pilogger.store import Policy, Store
from pilogger.suspects import Suspects
from pilogger.uploader import Uploader

LET_GO_S = 2.0  # for what is under way when a part is changed
ASIDE: Literal["set aside"] = "set aside"


class Parts:
    """The scheduler's sensors and the uploaders, as `arrange` was told."""

    def __init__(self, store: Store, recorder: Recorder, clock: Clock) -> None:
        self.suspects = Suspects(store.path, clock)
        self.scheduler = Scheduler(
            (),
            recorder.put,
            lambda sensor, channels: recorder.declare(sensor, units(channels)),
            clock,
            Memory(clock, store.facts(PREFIX), recorder.remember),
        )
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._began = clock.monotonic()
        self._probes: dict[str, tuple[SensorSettings, Probe]] = {}
        self._senders: dict[str, tuple[DestinationSettings, Uploader]] = {}

    @property
    def uploaders(self) -> list[Uploader]:
        """One for each destination; that of one that is set aside does not run."""
        return [uploader for _, uploader in self._senders.values()]

    def network_came(self) -> None:
        """Let those try again at once who had no answer from anybody; any thread may say so."""
        for _, uploader in list(self._senders.values()):
            uploader.network_came()

    def arrange(self, settings: Settings) -> None:
        """Make what runs what the settings say; destinations first, so that readings can go on.

        Where it fails on the way, the same call again does the rest.

        Raises:
            StoreError: the disk did not take what a new destination has to remember.
        """
        sensors = {f"sensor {sensor.id}": sensor for sensor in settings.sensors}
        places = {f"destination {place.name}": place for place in settings.destinations}
        self.suspects.watch([*sensors, *places])
        self._dismiss(settings.destinations)
        for name, place in places.items():  # one that is made stays, whatever the next comes to
            self._senders[name] = self._sender(name, place, settings.clock.unsynced)
        self._senders = {name: self._senders[name] for name in places}
        self._probes = {name: self._probe(name, sensor) for name, sensor in sensors.items()}
        self.scheduler.change(
            [probe for name, (it, probe) in self._probes.items() if not self._aside(name, it)],
            between=partial(self._recorder.drain, LET_GO_S),  # the channels of a sensor may change
        )

    def _dismiss(self, places: tuple[DestinationSettings, ...]) -> None:
        """End the uploaders of destinations that are other ones now, or gone."""
        gone = {name: it for name, (place, it) in self._senders.items() if place not in places}
        for uploader in gone.values():
            uploader.ask_to_stop()
        for name, uploader in gone.items():
            uploader.stop(LET_GO_S)
            self._store.forget(uploader.outbox)
            del self._senders[name]

    def _sender(
        self, name: str, place: DestinationSettings, unsynced: Policy
    ) -> tuple[DestinationSettings, Uploader]:
        known = self._senders.get(name)
        if known and known[0] == place:
            uploader = known[1]
        else:
            destination = place.build()
            if isinstance(destination, Identified):
                destination.identify(self._store.identity)
            uploader = Uploader(
                destination,
                self._store.outbox(
                    place.name, start=place.start, unsynced=unsynced, order=place.order
                ),
                self._clock,
                place.name,
                inside=partial(self.suspects.inside, name),
            )
        if not self.suspects.aside(name):
            uploader.start(self.suspects.delay(name))
        return place, uploader

    def _probe(self, name: str, sensor: SensorSettings) -> tuple[SensorSettings, Probe]:
        known = self._probes.get(name)
        if known and known[0] == sensor:
            return known
        return sensor, probe(sensor, self.suspects.delay(name), partial(self.suspects.inside, name))

    # -- how they are doing ----------------------------------------------------------------

    def sensors(self) -> list[dict[str, Any]]:
        """Tell of every sensor, in the order of the settings."""
        running = {sensor.id: sensor for sensor in self.scheduler.state()}
        states = (
            self._left_out(sensor.id, why)
            if (why := self._aside(name, sensor))
            else running.get(sensor.id)  # none for a moment, while it is changed
            for name, (sensor, _) in self._probes.items()
        )
        return [asdict(state) for state in states if state]

    def _aside(self, name: str, sensor: SensorSettings) -> str:
        return sensor.aside or self.suspects.aside(name)

    def _left_out(self, id: str, why: str) -> SensorState:
        return SensorState(
            id=id,
            status=ASIDE,
            since=self._clock.monotonic() - self._began,
            samples=0,
            readings=0,
            failures={},
            skipped=0,
            retried=0,
            error=why,
            values={},
            age=None,
            lateness=None,
        )

    def destinations(self) -> list[dict[str, Any]]:
        """Tell of every destination, in the order of the settings."""
        return [self._destination(name, it) for name, (_, it) in self._senders.items()]

    def _destination(self, name: str, uploader: Uploader) -> dict[str, Any]:
        state = asdict(uploader.state())
        if why := self.suspects.aside(name):
            state |= {
                "outcome": ASIDE,
                "why": why,
                "lasting": self._clock.monotonic() - self._began,
                "retry_in": self.suspects.again_in(name),
            }
        return state


def probe(
    sensor: SensorSettings,
    delay: float = 0.0,
    inside: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Probe:
    """Say to the scheduler what the settings say of a sensor."""
    wanted = sources(sensor.driver) if sensor.wires else {}
    return Probe(
        id=sensor.id,
        build=sensor.build,
        every=sensor.every,
        kind=sensor.kind,
        bus=sensor.bus,
        deadline=sensor.deadline,
        raw=sensor.raw,
        treatments=sensor.channels,
        derivations=sensor.derivations,
        wires={name: Wire(series, wanted[name]) for name, series in sensor.wires.items()},
        delay=delay,
        inside=inside,
    )
