"""A channel's steps, one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from pilogger.channel import Channel
from pilogger.errors import BadReading
from pilogger.pipeline.arithmetic import Work
from pilogger.pipeline.change import Gate, OnChange, is_number
from pilogger.sample import Value


class Step(Protocol):
    """What is done to each number of a channel."""

    def through(self, channel: Channel) -> Channel:
        """Return what the channel is behind this step; ValueError if it cannot be done to it."""

    def begin(self, channel: Channel) -> Work:
        """Return what does it, for values of this channel; with a memory of its own."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What the user wants done to a channel; `raw` keeps every bit instead of rounding."""

    steps: tuple[Step | OnChange, ...] = ()
    raw: bool = False

    def through(self, channel: Channel) -> Channel:
        """Return what the channel is behind all steps.

        Raises:
            ValueError: a step cannot be done to it.
        """
        for step in self.steps:
            if not isinstance(step, OnChange):
                channel = step.through(channel)
        return channel


UNTREATED = Treatment()


class Chain:
    """A treatment at work on one channel; not thread-safe."""

    def __init__(self, treatment: Treatment, channel: Channel) -> None:
        self._works: list[Work | Gate] = []
        for step in treatment.steps:
            if isinstance(step, OnChange):
                self._works.append(Gate(step))
            else:
                self._works.append(step.begin(channel))
                channel = step.through(channel)
        self.channel = channel
        """What the channel is behind all steps."""
        self._raw = treatment.raw

    def take(self, value: Value, boot: int) -> tuple[Value, bool]:
        """Treat a value of this boot time (microseconds); return it, and whether to keep it.

        Raises:
            BadReading: it is not valid, or not a number any more.
        """
        kept = True
        for work in self._works:
            if isinstance(work, Gate):
                kept = work.opens(value, boot) and kept
            elif is_number(value):
                value = _finite(work, value, boot)
        if is_number(value) and not self._raw:
            value = self.channel.round(value)
        return value, kept


def _finite(work: Work, value: float, boot: int) -> float:
    try:
        found = work(value, boot)
        if math.isfinite(found):  # or a window would remember it
            return found
    except OverflowError:
        pass
    raise BadReading(f"{value:.6g} becomes a number beyond all bounds")
