"""What a person wants to know of a destination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["none yet", "accepted", "waiting", "locked out", "set aside"]


@dataclass(frozen=True, slots=True)
class State:
    """A destination at one moment.

    `sent` and `refused` count readings since the destination is known, `requests` since
    this start. `lasting` is how long the trouble `why` goes on and `retry_in` when it is
    tried again, both in seconds. `held` tells why readings may not be sent yet, `reasons`
    why the last refused ones were.
    """

    name: str
    outcome: Outcome
    why: str
    lasting: float
    retry_in: float
    pending: int
    sent: int
    refused: int
    requests: int
    limit: int
    held: str
    reasons: tuple[str, ...]
