"""How many requests an account may make: a count for each window of ten seconds.

The service has such limits (30 requests in a window, and more on larger plans) and tells them
with every answer. Ours is only there so that one account cannot keep the hub from the others.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from starlette.exceptions import HTTPException

LIMIT = 60_000
WINDOW_S = 10


class Rate:
    """Counts requests by account; used by the event loop only. `now` is in seconds since 1970."""

    def __init__(self, limit: int = LIMIT, now: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._now = now
        self._window = 0
        self._counts: Counter[str] = Counter()

    def count(self, account: str) -> dict[str, str]:
        """Count a request; return the headers of its answer.

        Raises:
            HTTPException: 429 when there were too many in this window.
        """
        now = self._now()
        window = int(now // WINDOW_S)
        if window != self._window:
            self._window = window
            self._counts.clear()
        self._counts[account] += 1
        left = self._limit - self._counts[account]
        reset = (window + 1) * WINDOW_S
        headers = {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": str(reset),
        }
        if left < 0:
            wait = {"Retry-After": str(max(1, round(reset - now)))}
            text = f"more than {self._limit} requests in {WINDOW_S} s"
            raise HTTPException(429, text, headers | wait)
        return headers
