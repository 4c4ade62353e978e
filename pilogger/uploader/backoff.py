"""How long to leave a destination alone.

no answer at all     up to 1 s for the first 5 minutes, then growing to 60 s; with full
                     jitter, so that devices do not come back in step after a power cut
a server in trouble  from 1 s growing to 60 s, of which the upper half is jitter
Retry-After          the longer of that and our own, at most 1 h
locked out           15 minutes: a person must act, and hammering locks some accounts
"""

from __future__ import annotations

from random import Random

from pilogger.destinations import LockedOut, Wait

HOPEFUL = 300.0  # seconds of an outage in which the network is expected back soon
SHORTEST = 1.0
LONGEST = 60.0
LONGEST_ASKED = 3600.0
PROBE = 900.0


class Backoff:
    """The pauses of one outage, in seconds."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._ceiling = SHORTEST

    def pause(self, trouble: Wait | LockedOut, lasting: float) -> float:
        """Choose the next pause in an outage that lasts for `lasting` seconds already."""
        if isinstance(trouble, LockedOut):
            return PROBE
        if not trouble.answered and lasting < HOPEFUL:
            own = self._random.uniform(0, SHORTEST)
        else:
            floor = self._ceiling / 2 if trouble.answered else 0
            own = self._random.uniform(floor, self._ceiling)
            self._ceiling = min(2 * self._ceiling, LONGEST)
        return min(max(own, trouble.retry_after or 0), LONGEST_ASKED)
