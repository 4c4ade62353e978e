"""The destination seam: send a batch, get one of four outcomes.

A destination turns readings into its protocol and its server's answer into an outcome.
It never retries, sleeps or remembers: that is the uploader's. It sends the same bytes for
the same readings, so a receiver can tell a repetition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, runtime_checkable

from pilogger.sample import Point

TYPES = {
    "initialstate": "pilogger.destinations.initialstate:InitialState",
    "rudderstack": "pilogger.destinations.rudderstack:RudderStack",
    "tempodb": "pilogger.destinations.tempodb:TempoDB",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server gave the answer that its protocol calls success.

    `pause` is for how many seconds it wants no more requests.
    """

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """Something in this batch will never be taken; alone, it is the guilty reading.

    `too_large` says that the size was the reason, so smaller batches should follow.
    """

    reason: str
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now. `answered` tells a server in trouble from no server at all.

    `retry_after` is what the server asked for, in seconds.
    """

    reason: str
    answered: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class LockedOut:
    """The key is wrong, or the account may not: a person must act. Nothing is lost."""

    reason: str


Outcome = Accepted | Refused | Wait | LockedOut


class Destination(Protocol):
    """A place that readings are sent to.

    Its class's `__init__` is its YAML schema, as a driver's is.
    """

    limit: int
    """The most readings in one batch."""

    def send(self, points: Sequence[Point]) -> Outcome:
        """Send them, all or none; blocks at most for its own deadlines.

        Those that are `estimated` are marked, as well as the protocol can.
        """
        ...

    def close(self) -> None:
        """Let go of connections; may be called twice."""
        ...


@runtime_checkable
class Identified(Protocol):
    """A destination that makes an id for each sample, so that its server tells a repetition."""

    def identify(self, store: str) -> None:
        """Hear the id of the store that the readings are from; before the first of them."""
        ...


@runtime_checkable
class Interruptible(Protocol):
    """A destination that need not wait for its deadline, where a connection may be dead."""

    def interrupt(self) -> None:
        """Let a `send` that waits for an answer end with `Wait`; any thread may say so."""
        ...


def find(kind: str) -> type:
    """Load the destination class of a `type:`; KeyError if there is none."""
    module, name = TYPES[kind].split(":")
    found: type = getattr(import_module(module), name)
    return found
