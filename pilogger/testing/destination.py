"""A destination that is down when a test wants it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from pilogger.destinations import Accepted, Outcome, Refused, Wait
from pilogger.sample import Point


class FlakyDestination:
    """A destination that keeps what it accepts in `arrived`, and fails as told.

    It gives the outcomes of `script` first, raising those that are exceptions; then `down`
    while that is set. It refuses a batch with a reading for which `poison` is true, and
    one of more than `largest` readings as too large. After storing, it loses the next
    `lost_answers` answers. `attempts` holds every batch that it was sent.
    """

    def __init__(self, *script: Outcome | Exception, limit: int = 1000) -> None:
        self.script = deque(script)
        self.limit = limit
        self.largest = limit
        self.lost_answers = 0
        self.down: Outcome | None = None
        self.poison: Callable[[Point], bool] = lambda _: False
        self.attempts: list[tuple[Point, ...]] = []
        self.arrived: list[Point] = []
        self.closed = False

    def send(self, points: Sequence[Point]) -> Outcome:
        self.attempts.append(tuple(points))
        outcome = self.script.popleft() if self.script else self.down or self._judge(points)
        if isinstance(outcome, Exception):
            raise outcome
        if not isinstance(outcome, Accepted):
            return outcome
        self.arrived += points
        if self.lost_answers:
            self.lost_answers -= 1
            return Wait("the answer was lost")
        return outcome

    def close(self) -> None:
        self.closed = True

    def _judge(self, points: Sequence[Point]) -> Outcome:
        if len(points) > self.largest:
            return Refused("too large", too_large=True)
        guilty = [point for point in points if self.poison(point)]
        return Refused(f"{len(guilty)} bad") if guilty else Accepted()
