"""Who may write and read here: accounts, each with an access key.

A hub without accounts is *open*: everyone who reaches it may do everything, so it listens
on loopback only, and turns away what a browser sends there on behalf of other web pages.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from pilogger.protocols.initialstate import ACCESS_KEY_HEADER

ACCESS_KEY = "PILOGGER_HUB_ACCESS_KEY"
ACCESS_KEY_PARAMETER = "accessKey"

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 0.8  # less than the server's grace when it stops
REMEMBERED = 1000  # addresses


@dataclass(frozen=True, slots=True)
class Account:
    """Someone with data of their own; the account '' owns what an open hub was sent."""

    name: str
    access_key: str = field(repr=False)


class Accounts:
    """All accounts of a hub. Wrong keys are answered late, the later the more there were."""

    def __init__(
        self,
        accounts: Sequence[Account] = (),
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._accounts = tuple(accounts)
        self._sleep = sleep
        self._failures: dict[str, int] = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Accounts:
        """Make the one account that PILOGGER_HUB_ACCESS_KEY describes, or none.

        It is the account '', so a hub that gets a key keeps showing what it holds.
        """
        key = environ.get(ACCESS_KEY, "").strip()
        return cls([Account("", key)] if key else [])

    @property
    def open(self) -> bool:
        return not self._accounts

    async def admit(self, request: Request) -> str:
        """Return the name of the account that a request belongs to.

        Raises:
            HTTPException: 401 for a wrong key, 403 for what an open hub turns away.
        """
        if self.open:
            _only_from_here(request)
            return ""
        given = request.headers.get(ACCESS_KEY_HEADER)
        if given is None:
            given = request.query_params.get(ACCESS_KEY_PARAMETER, "")
        address = request.client.host if request.client else ""
        account = self._find(given)
        if account is None:
            await self._sleep(self._delay(address))
            raise HTTPException(
                401,
                f"the access key is {'wrong' if given else 'missing'}",
                {"WWW-Authenticate": ACCESS_KEY_HEADER},
            )
        self._failures.pop(address, None)
        return account.name

    def _find(self, key: str) -> Account | None:
        """Compare with every key, so that the time tells nothing."""
        given = key.encode(errors="surrogateescape")
        found = None
        for account in self._accounts:
            if compare_digest(account.access_key.encode(errors="surrogateescape"), given):
                found = account
        return found

    def _delay(self, address: str) -> float:
        """Count a failure; nobody else waits for it."""
        failures = self._failures.pop(address, 0)
        if len(self._failures) >= REMEMBERED:
            del self._failures[next(iter(self._failures))]
        self._failures[address] = failures + 1
        return min(FIRST_DELAY_S * 2.0 ** min(failures, 16), LONGEST_DELAY_S)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _only_from_here(request: Request) -> None:
    """Turn away other web pages: by a name made to point here, or by cross-origin requests."""
    host = request.headers.get("host", "localhost")
    origin = request.headers.get("origin")
    try:
        here = is_loopback(urlsplit(f"//{host}").hostname or "")
        same = origin is None or urlsplit(origin).netloc == host
    except ValueError:
        here = same = False
    if not (here and same):
        raise HTTPException(
            403,
            f"this hub has no account and serves its own machine only; set {ACCESS_KEY} to open it",
        )
