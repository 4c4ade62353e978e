"""The latest value of every channel, for whoever is wired to it.

A driver that needs the temperature of another sensor gets a source: a function that returns it in
the driver's unit, or None if there is none that is fresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from pilogger.channel import Channel
from pilogger.clock import Clock
from pilogger.driver import Source
from pilogger.pipeline import fitted
from pilogger.sample import Value, series_key

FRESH_POLLS = 3
FRESH_S = 10.0  # at least: a fast sensor may be late


class Wire(NamedTuple):
    """A channel (`sensor.channel`) that is wanted by another sensor, in a unit and a range."""

    series: str
    wanted: Channel


class _Posted(NamedTuple):
    value: Value
    channel: Channel
    until: float


class Board:
    """Workers post to it and read from it, each from its own thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._posted: dict[str, _Posted] = {}

    def post(
        self,
        sensor: str,
        every: float,
        values: Mapping[str, Value],
        channels: Mapping[str, Channel],
    ) -> None:
        """Show the values of a sensor that is polled each `every` seconds, for three polls."""
        until = self._clock.monotonic() + max(FRESH_POLLS * every, FRESH_S)
        for name, value in values.items():
            self._posted[series_key(sensor, name)] = _Posted(value, channels[name], until)

    def latest(self, series: str, wanted: Channel) -> float | None:
        """Return a fresh value in the unit that is wanted; None if there is none in its range."""
        posted = self._posted.get(series)
        if posted is None or self._clock.monotonic() > posted.until:
            return None
        return fitted(posted.value, posted.channel.unit, wanted)

    def source(self, wire: Wire) -> Source:
        """Return what gives the latest value of a channel to a driver."""
        return partial(self.latest, *wire)
