"""The data set of `make bench-store`: the same years of the same station for everybody.

20 channels at 1 Hz as 7 sensors. Most are decimals, as drivers give them: a level that walks
at random, pulled back to its mean, and the chip's noise of one to a few steps. The four of
`shake` are an accelerometer's, noise around a constant: in `DECIMAL` rounded to their step,
in `MIXED` with every bit of the double, whose noise nothing compresses.
Polls are late by 0 to 2 whole milliseconds. It all comes from a seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from random import Random
from typing import NamedTuple

from pilogger.sample import Sample, Value
from pilogger.store import Store
from pilogger.testing import FakeClock

HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY

PULL = 1e-5  # per second, towards the mean: walks stay for years where they belong
LATE_MS = 3  # a poll is late by less
SECOND = 1_000_000


class Decimal(NamedTuple):
    """A quantity that walks: steps and noise are standard deviations, in its unit."""

    unit: str
    mean: float
    walk: float
    noise: float
    places: int

    def values(self, random: Random) -> Iterator[Value]:
        gauss, scale, away = random.gauss, 10**self.places, 0.0
        while True:
            away += gauss(0, self.walk) - away * PULL
            yield round((self.mean + away + gauss(0, self.noise)) * scale) / scale


class Double(NamedTuple):
    """A quantity that stands still and trembles, with every bit that a double has."""

    unit: str
    mean: float
    noise: float

    def values(self, random: Random) -> Iterator[Value]:
        while True:
            yield random.gauss(self.mean, self.noise)


class Pulses(NamedTuple):
    """A counter: up to six more each second."""

    unit: str = "1"

    def values(self, random: Random) -> Iterator[Value]:
        total = 0
        while True:
            yield total
            total += int(7 * random.random() ** 2)


class Switch(NamedTuple):
    """A contact that changes about every ten minutes."""

    unit: str = "1"

    def values(self, random: Random) -> Iterator[Value]:
        closed = False
        while True:
            yield closed
            closed ^= random.random() < 1 / 600


Quantity = Decimal | Double | Pulses | Switch
Station = dict[str, dict[str, Quantity]]

AIR = Decimal("Cel", 21.0, 0.005, 0.015, 2)
DAMP = Decimal("%", 45.0, 0.01, 0.045, 2)
VOLTS = Decimal("V", 12.0, 0.0005, 0.005, 3)
SHAKE = Decimal("m/s2", 0.3, 0.0, 0.04, 2)

DECIMAL: Station = {
    "air": {
        "temperature": AIR,
        "humidity": DAMP,
        "pressure": Decimal("hPa", 1013.25, 0.002, 0.03, 2),
    },
    "attic": {"temperature": AIR, "humidity": DAMP},
    "cellar": {"temperature": AIR, "humidity": DAMP},
    "soil": {"near": AIR, "deep": AIR, "deeper": AIR},
    "power": {"panel": VOLTS, "battery": VOLTS, "load": VOLTS},
    "yard": {"light": Decimal("lx", 400.0, 0.2, 0.8, 1), "pulses": Pulses(), "gate": Switch()},
    "shake": {"x": SHAKE, "y": SHAKE, "z": SHAKE, "level": SHAKE},
}
"""Every value rounded to its step."""

MIXED: Station = DECIMAL | {
    "shake": dict.fromkeys(DECIMAL["shake"], Double("m/s2", SHAKE.mean, SHAKE.noise))
}
"""The same with four raw doubles."""

ONE: Station = {"air": {"temperature": AIR}}
"""The one series that queries ask for."""

READINGS = sum(map(len, MIXED.values()))
"""Readings of a second, but of `ONE`."""

BOOT = FakeClock().boot()
EPOCH = FakeClock().wall() - BOOT
"""Wall time minus boot time, in microseconds: the same for whoever has no clock of its own."""


def declare(store: Store, samples: Sequence[Sample]) -> None:
    """Tell a store what it has to know of the sensors that gave these samples."""
    for sample in samples:
        quantities = MIXED[sample.sensor]
        store.declare(sample.sensor, {name: quantities[name].unit for name in sample.values})


def polls(station: Station, start: int = BOOT, seed: int = 0) -> Iterator[list[Sample]]:
    """Poll a station each second, for ever, from a boot time in microseconds on."""
    late = Random(seed).random
    sensors = [
        (sensor, tuple(quantities), columns(sensor, quantities, seed))
        for sensor, quantities in station.items()
    ]
    for now in count(start, SECOND):
        yield [
            Sample(sensor, dict(zip(names, next(rows), strict=True)), now + jitter(late()))
            for sensor, names, rows in sensors
        ]


def columns(sensor: str, quantities: dict[str, Quantity], seed: int) -> Iterator[tuple[Value, ...]]:
    """Give the values of each poll; each channel has a seed of its own."""
    each = (
        quantity.values(Random(f"{sensor}.{name} {seed}")) for name, quantity in quantities.items()
    )
    return zip(*each, strict=True)


def jitter(chance: float) -> int:
    """Return by how many microseconds a poll is late."""
    return int(LATE_MS * chance) * 1000
