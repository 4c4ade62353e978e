"""A sensor that is not there: for trying things out, demonstrations and tests.

Its values follow from its options alone: the n-th poll gives the n-th value, always.
"""

# quality: bench

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Literal

from pilogger.channel import Channel, Unit

Shape = Literal["sine", "walk", "square", "counter"]


def sine(low: float, high: float, period: int) -> Iterator[float]:
    """Swing between low and high, from the middle upwards."""
    for n in count():
        yield low + (high - low) * (1 + math.sin(math.tau * n / period)) / 2


def square(low: float, high: float, period: int) -> Iterator[float]:
    """Stay low for half a period, then high for the other half."""
    for n in count():
        yield low if n % period < period / 2 else high


def counter(low: float, high: float) -> Iterator[float]:
    """Rise by one at each poll; after the last value that fits comes low again."""
    first = int(low) if float(low).is_integer() else low
    for n in count():
        yield first + n % (math.floor(high - low) + 1)


def walk(low: float, high: float, period: int, seed: int) -> Iterator[float]:
    """Wander at random from the middle; a period typically crosses the range."""
    random = Random(seed)
    longest = (high - low) / math.sqrt(period)
    value = (low + high) / 2
    while True:
        yield value
        value = min(max(value + random.uniform(-longest, longest), low), high)


class Simulated:
    """Gives a made-up value between two bounds, in one channel.

    Options:
        shape: sine, walk (at random), square, or counter (whole steps upwards).
        low: the least value, in the unit of the channel.
        high: the greatest value, in the unit of the channel.
        period: polls that one swing takes, 1 or more; a counter has none.
        seed: which of the random walks; the same seed walks the same way.
        unit: the unit of the channel, as a UCUM code.
    """

    def __init__(
        self,
        *,
        shape: Shape = "sine",
        low: float = 0,
        high: float = 100,
        period: int = 60,
        seed: int = 0,
        unit: Unit = "1",
    ) -> None:
        if period < 1:
            raise ValueError(f"a period takes at least one poll, not {period}")
        if not 0 < high - low < math.inf:
            raise ValueError(f"there is nothing to simulate from {low} to {high}")
        thousandth = math.floor(math.log10((high - low) / 1000))
        self.channel = Channel(unit, low, high, step=float(f"1e{thousandth}"))
        self.values = {
            "sine": lambda: sine(low, high, period),
            "square": lambda: square(low, high, period),
            "counter": lambda: counter(low, high),
            "walk": lambda: walk(low, high, period, seed),
        }[shape]()

    def channels(self) -> dict[str, Channel]:
        return {"value": self.channel}

    def read(self) -> dict[str, float]:
        """Return the next value."""
        low, high = self.channel.low, self.channel.high
        return {"value": min(max(next(self.values), low), high)}  # a last bit may stick out
