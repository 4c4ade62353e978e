"""What is made of a driver's values: treated channel by channel, and others derived from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import NamedTuple

from pilogger.channel import Channel
from pilogger.errors import BadReading, BadValue
from pilogger.pipeline import Chain, Derivation, Treatment, fitted
from pilogger.sample import Value, check_value
from pilogger.scheduler.probe import Probe

Latest = Callable[[str, Channel], float | None]
"""Gives the latest value of another sensor's channel (`sensor.channel`), as it is wanted."""


class Refined(NamedTuple):
    """The values of one reading: those to keep, all that there are, and why others are not."""

    kept: dict[str, Value]
    seen: dict[str, Value]
    refused: list[BadReading]


class Refinery:
    """The chains and derivations of one sensor; takes readings from any thread."""

    def __init__(self, channels: Mapping[str, Channel], probe: Probe, latest: Latest) -> None:
        gives = {one.name: one.formula.gives for one in probe.derivations}
        self._chains = {
            name: Chain(_treatment(probe, name), channel)
            for name, channel in {**channels, **gives}.items()
        }
        self._derivations = probe.derivations
        self._latest = latest
        self._own = f"{probe.id}."
        self._lock = Lock()
        self.channels = {name: chain.channel for name, chain in self._chains.items()}
        """What its values are, by name."""

    def refine(self, values: Mapping[str, Value], boot: int) -> Refined:
        """Treat the values of this boot time (microseconds), and derive others.

        Raises:
            BadReading: none is left, because they are not valid.
        """
        refined = Refined({}, {}, [])
        with self._lock:
            for name, value in values.items():
                self._take(refined, name, value, boot)
            for one in self._derivations:
                if (found := self._derive(one, refined.seen)) is not None:
                    self._take(refined, one.name, found, boot)
        if not refined.seen:
            raise refined.refused[0]
        return refined

    def _take(self, refined: Refined, name: str, value: Value, boot: int) -> None:
        try:
            treated, kept = self._chains[name].take(value, boot)
            refined.seen[name] = check_value(treated)
        except (BadReading, BadValue) as error:
            refined.refused.append(BadReading(f"{name or 'the value'} is {error}"))
            return
        if kept:
            refined.kept[name] = treated

    def _derive(self, one: Derivation, seen: Mapping[str, Value]) -> float | None:
        def get(name: str, wanted: Channel) -> float | None:
            name = name.removeprefix(self._own)
            if "." in name:
                return self._latest(name, wanted)
            return fitted(seen.get(name), self.channels[name].unit, wanted)

        return one.value(get)


def _treatment(probe: Probe, name: str) -> Treatment:
    given = probe.treatments.get(name, Treatment())
    return Treatment(given.steps, raw=given.raw or probe.raw)
