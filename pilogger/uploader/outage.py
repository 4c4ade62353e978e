"""One outage of a destination: when to try again, and two lines in the log."""

from __future__ import annotations

import logging
from datetime import timedelta
from random import Random

from pilogger.destinations import LockedOut, Wait
from pilogger.uploader.backoff import Backoff

log = logging.getLogger(__name__)


class Outage:
    """From the first attempt that fails to the next that does not.

    The log hears of it at the second failure, since one alone may be a connection that
    the server closed just when it was used; of being locked out, and of a bug, at once.
    """

    def __init__(self, name: str, now: float, random: Random) -> None:
        self.name = name
        self.since = now
        self.retry_at = now
        self.attempts = 0
        self.why: Wait | LockedOut = Wait("")
        self._random = random
        self._hopeful_since = now
        self._backoff = Backoff(random)
        self._told: set[type] = set()

    def failed(self, why: Wait | LockedOut, now: float, bug: Exception | None = None) -> float:
        """Note an attempt; return the seconds to wait before the next."""
        self.why = why
        self.attempts += 1
        pause = self._backoff.pause(why, now - self._hopeful_since)
        self.retry_at = now + pause
        if bug:
            self._tell(type(bug), logging.ERROR, "a bug, please report it", bug)
        elif isinstance(why, LockedOut):
            self._tell(LockedOut, logging.ERROR, "locked out, a person must act")
        elif self.attempts > 1:
            self._tell(Wait, logging.WARNING, "not delivered")
        return pause

    def network_came(self, now: float) -> bool:
        """Begin to hope again; whether nobody has answered, so that a network may help."""
        if isinstance(self.why, LockedOut) or self.why.answered:
            return False
        self._backoff = Backoff(self._random)
        self._hopeful_since = self.retry_at = now
        return True

    def ended(self, now: float, pending: int) -> None:
        """Say that it is over, if anything was said of it."""
        if self._told:
            lasted = timedelta(seconds=round(now - self.since))
            message = "%s: delivers again after %s and %d attempts; %d readings to send"
            log.warning(message, self.name, lasted, self.attempts, pending)

    def _tell(self, kind: type, level: int, what: str, bug: Exception | None = None) -> None:
        if kind not in self._told:
            self._told.add(kind)
            message = "%s: %s; readings are kept: %s"
            log.log(level, message, self.name, what, self.why.reason, exc_info=bug)
