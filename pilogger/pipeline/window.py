"""Steps that look at the last values too: a window over some readings, or over some time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from pilogger.channel import Channel
from pilogger.pipeline.arithmetic import Work

Kind = Literal["median", "mean", "min", "max"]

FUNCTIONS: dict[Kind, Callable[[Sequence[float]], float]] = {
    "median": median,
    "mean": fmean,
    "min": min,
    "max": max,
}
MOST = 100_000  # values that a window of time holds; the oldest give way


@dataclass(frozen=True, slots=True)
class Window:
    """Gives the median, mean, least or greatest of the last values, the present one among them.

    `size` is a number of readings, or seconds as a float. The first values come at once, from a
    window that is not full yet; each has the time of the reading that it came with.

    Raises:
        ValueError: the window holds less than two readings, or no time.
    """

    kind: Kind
    size: int | float

    def __post_init__(self) -> None:
        if isinstance(self.size, int) and self.size < 2:
            raise ValueError(f"a window holds two readings or more, not {self.size}")
        if not self.size > 0:
            raise ValueError(f"a window lasts longer than {self.size} s")

    def through(self, channel: Channel) -> Channel:
        return channel

    def begin(self, channel: Channel) -> Work:  # noqa: ARG002
        function = FUNCTIONS[self.kind]
        is_count = isinstance(self.size, int)
        held: deque[tuple[int, float]] = deque(maxlen=int(self.size) if is_count else MOST)
        longest = None if is_count else round(self.size * 1_000_000)

        def work(value: float, boot: int) -> float:
            held.append((boot, value))
            while longest is not None and held[0][0] <= boot - longest:
                held.popleft()
            return function([value for _, value in held])

        return work
