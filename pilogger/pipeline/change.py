"""Keeping a value only when it is another, or when nothing was kept for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from pilogger.sample import Value

HEARTBEAT_S = 600.0
FUZZ = 1e-9  # of a step: 20.3 - 20.2 is a little more than 0.1 in binary


@dataclass(frozen=True, slots=True)
class OnChange:
    """Keeps a value that differs by more than `by` from the last one kept, or the next one
    after `heartbeat` seconds without any. Text and truth values count when they are others.

    Steps behind it, and whoever else needs the channel, see every value.

    Raises:
        ValueError: a step of less than 0, or no heartbeat.
    """

    by: float = 0.0
    heartbeat: float = HEARTBEAT_S

    def __post_init__(self) -> None:
        if not (self.by >= 0 and self.heartbeat > 0):
            raise ValueError("a change is 0 or more, and a heartbeat longer than 0 s")


class Gate:
    """Remembers what was kept last."""

    def __init__(self, rule: OnChange) -> None:
        self._more_than = rule.by * (1 + FUZZ)
        self._heartbeat = round(rule.heartbeat * 1_000_000)
        self._last: tuple[Value, int] | None = None

    def opens(self, value: Value, boot: int) -> bool:
        """Whether a value of this boot time (microseconds) is to be kept."""
        if self._last is not None:
            last, since = self._last
            if boot - since < self._heartbeat and not self._differs(value, last):
                return False
        self._last = value, boot
        return True

    def _differs(self, value: Value, last: Value) -> bool:
        if is_number(value) and is_number(last):
            return abs(value - last) > self._more_than
        return value != last or type(value) is not type(last)


def is_number(value: Value) -> TypeGuard[float]:
    """Whether a value is a number; truth values are none."""
    return isinstance(value, float | int) and not isinstance(value, bool)
