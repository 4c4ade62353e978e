"""What drivers remember across restarts: learnt baselines, totals.

A driver's `state` is a small mapping. It is saved at most each 5 minutes and when the driver is
closed, so that the card is not worn; a driver whose class says `state_exact` has it saved with each
reading for which it changed, in the same commit, so that a total never goes back. It is given
back to a new driver of the same kind and sensor, unless it is older than the seconds that the
class gives as `state_lasts`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from pilogger.clock import Clock

PREFIX = "state."
SAVE_S = 300.0
LONGEST = 4096  # characters of a state as JSON

Keep = Callable[[str, str], object]
"""Takes a key and a text that must survive; never blocks."""


class _Known(NamedTuple):
    driver: str
    state: Mapping[str, Any]
    wall: int  # microseconds since 1970, as the machine's clock had it
    boot_id: str
    boot: int


class Memory:
    """The states of all sensors; `facts` are those that a store kept, `keep` takes new ones."""

    def __init__(
        self, clock: Clock, facts: Mapping[str, str] | None = None, keep: Keep | None = None
    ) -> None:
        self._clock = clock
        self._keep = keep
        self._known: dict[str, _Known] = {}
        self._saved: dict[str, float] = {}  # when, in seconds of the monotonic clock
        for key, text in (facts or {}).items():
            with suppress(ValueError, TypeError):  # another version wrote it
                self._known[key.removeprefix(PREFIX)] = _Known(*json.loads(text))

    def recall(self, sensor: str, driver: type) -> Mapping[str, Any] | None:
        """Return what a sensor's driver remembered last; None if nothing, or it is too old."""
        known = self._known.get(sensor)
        if known is None or not known.state or known.driver != driver.__name__:
            return None
        return dict(known.state) if self._age(known) <= lifetime(driver) else None

    def _age(self, known: _Known) -> float:
        """Seconds since it was saved; infinite if nobody knows.

        It is exact within a boot. A clock that nobody has set yet since the power came back began
        about where the power left it, before or behind: that is as good as can be known.
        """
        if known.boot_id == self._clock.boot_id:
            return (self._clock.boot() - known.boot) / 1e6
        age = (self._clock.wall() - known.wall) / 1e6
        if not self._clock.synced():
            return abs(age)
        return age if age >= 0 else math.inf

    def is_due(self, sensor: str, driver: type) -> bool:
        """Whether it is time to save a driver's state."""
        last = self._saved.get(sensor, -math.inf)
        exact = getattr(driver, "state_exact", False)
        return exact or self._clock.monotonic() - last >= SAVE_S

    def save(self, sensor: str, driver: type, state: Mapping[str, Any]) -> None:
        """Keep a state; one that is empty, or not new and good for ever, is not written again.

        Raises:
            ValueError: JSON cannot hold it, or it is not small.
        """
        text = json.dumps(state, allow_nan=False)
        if len(text) > LONGEST:
            raise ValueError(f"a state has at most {LONGEST} characters, not {len(text)}")
        known = self._known.get(sensor)
        state = json.loads(text)  # as it will come back
        same = known and (known.driver, known.state) == (driver.__name__, state)
        if state and not (same and math.isinf(lifetime(driver))):
            self._write(sensor, driver.__name__, state)

    def forget(self, sensor: str, driver: type) -> None:
        """Drop what a driver cannot use, for good."""
        self._write(sensor, driver.__name__, {})
        del self._known[sensor]

    def _write(self, sensor: str, driver: str, state: Mapping[str, Any]) -> None:
        clock = self._clock
        known = _Known(driver, state, clock.wall(), clock.boot_id, clock.boot())
        self._known[sensor] = known
        self._saved[sensor] = clock.monotonic()
        if self._keep:
            self._keep(PREFIX + sensor, json.dumps(known))


def lifetime(driver: type) -> float:
    """Return the seconds after which a driver's state is of no use; infinite if it never is."""
    return float(getattr(driver, "state_lasts", math.inf))


def ages(driver: object) -> bool:
    """Whether what a driver remembers is worth less with time."""
    return math.isfinite(lifetime(type(driver)))
