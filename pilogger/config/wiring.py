"""What of one sensor another one needs: that it is there, in the right unit, and in no circle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pilogger.channel import Channel
from pilogger.config.channels import Tell, behind
from pilogger.config.names import Trail, meant
from pilogger.config.settings import SensorSettings
from pilogger.driver import sources
from pilogger.sample import series_key
from pilogger.units import conversion

Found = Mapping[str, Channel | None]
"""Channels by name; None for one of which only the name is known."""

Steps = Mapping[tuple[str, str], list[Trail]]
"""Where each step is written, by sensor and channel."""


class _Need(NamedTuple):
    """An input of a sensor: where it is written, the channel that is named, and what is wanted."""

    sensor: str
    trail: Trail
    series: str
    wanted: Channel


class Wiring:
    """Hears of sensors one by one, and judges their wires when all are known.

    `sensors` are all of the config's, by id; one with mistakes of its own is not asked again.
    """

    def __init__(self, sensors: Iterable[str]) -> None:
        self._ids = list(sensors)
        self._channels: dict[str, Found] = {}
        self._needs: list[_Need] = []

    def add(self, sensor: SensorSettings, given: Found, steps: Steps, tell: Tell) -> None:
        """Hear what a driver gives, and tell of steps that cannot be done to it.

        What the sensor has in the end, and what it needs, is looked at in `check`.
        """
        gives = {one.name: one.formula.gives for one in sensor.derivations}
        for name in gives.keys() & given.keys():
            what = f"the driver has a channel {name} of its own"
            tell(("sensors", sensor.id, "derive", name), what)
        found: dict[str, Channel | None] = {**given, **gives}
        for name, treated in sensor.channels.items():
            if channel := found.get(name):
                found[name] = behind(channel, treated, steps[sensor.id, name], tell)
        self._channels[sensor.id] = found
        wanted = sources(sensor.driver) if sensor.wires else {}
        for name, series in sensor.wires.items():
            trail: Trail = ("sensors", sensor.id, "compensate", name)
            self._needs.append(_Need(sensor.id, trail, series, wanted[name]))
        for one in sensor.derivations:
            for name, source in one.inputs.items():
                trail = ("sensors", sensor.id, "derive", one.name, name)
                series = source if "." in source else series_key(sensor.id, source)
                self._needs.append(_Need(sensor.id, trail, series, one.wanted(name)))

    def check(self, tell: Tell) -> None:
        """Tell of every wire that leads nowhere, carries another quantity, or ends where it began.

        Its own channels are nothing that a sensor waits for.
        """
        paths: dict[str, set[str]] = {}
        for need in self._needs:
            if why := self._wrong(need):
                tell(need.trail, why)
            elif (source := need.series.partition(".")[0]) != need.sensor:
                paths.setdefault(need.sensor, set()).add(source)
            elif "compensate" in need.trail:
                tell(need.trail, "a sensor cannot be compensated by itself")
        for need in self._needs:
            source = need.series.partition(".")[0]
            if circle := next(_circles(paths, need.sensor, [source]), None):
                names = " -> ".join([need.sensor, *circle])
                tell(need.trail, f"these sensors wait for one another: {names}")
                return

    def _wrong(self, need: _Need) -> str:
        sensor, _, name = need.series.partition(".")
        if sensor not in self._ids:
            return f"there is no sensor of this name{_near(sensor, self._ids)}"
        found = self._channels.get(sensor)
        if found is None:  # it has mistakes of its own, or must not run
            return ""
        if name not in found:
            return f"{sensor} has no channel {name}{_near(name, found)}"
        channel = found[name]
        if channel is not None:
            try:
                conversion(channel.unit, need.wanted.unit)
            except ValueError:
                return f"it is measured in {channel.unit}, wanted is {need.wanted.unit}"
        return ""


def _near(name: str, known: Iterable[Any]) -> str:
    names = [str(each) for each in known]
    return meant(name, names) or (f"; there are: {', '.join(names)}" if names else "")


def _circles(paths: Mapping[str, set[str]], start: str, way: list[str]) -> Iterator[list[str]]:
    """Yield the ways on that lead back to the start."""
    if way[-1] == start:
        if len(way) > 1:
            yield way
        return
    for following in sorted(paths.get(way[-1], ())):
        if following not in way:
            yield from _circles(paths, start, [*way, following])
