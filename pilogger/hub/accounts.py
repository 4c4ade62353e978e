"""Who may write and read here: accounts, each with an access key, and a secret if it wants.

The key alone is all that Initial State's and RudderStack's clients have: it is enough to
write. To read, and for TempoDB, whose clients also delete, the secret is needed too.

A hub without accounts is *open*: everyone who reaches it may do everything, so it listens
on loopback only, and turns away what a browser sends there on behalf of other web pages.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from ipaddress import ip_address
from pathlib import Path
from secrets import token_bytes
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from pilogger.errors import PiloggerError
from pilogger.hub import register
from pilogger.hub.register import Account, Entry
from pilogger.protocols.initialstate import ACCESS_KEY_HEADER

log = logging.getLogger("pilogger.hub")

ACCESS_KEY = "PILOGGER_HUB_ACCESS_KEY"
SECRET = "PILOGGER_HUB_SECRET"
ACCESS_KEY_PARAMETER = "accessKey"

LOOK_S = 0.5  # how old what is known of the file may be
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 0.8  # less than the server's grace when it stops
MOST_WAITING = 16  # refusals of one address that are under way
REMEMBERED = 1000  # addresses; secrets


class Accounts:
    """All accounts of a hub: those given, and those of the file at `path`, as it changes.

    Wrong keys are answered late, the later the more there were.

    Raises:
        PiloggerError: the file cannot be read.
    """

    def __init__(
        self,
        accounts: Sequence[Account] = (),
        path: Path | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._given = [Entry.of(each) for each in accounts]
        self._path = path
        self._sleep = sleep
        self._salt = token_bytes(32)
        self._found: dict[bytes, Entry] = {}
        self._right: dict[bytes, None] = {}
        """Secrets that were right: the slow way is gone once for each."""
        self._hashing = asyncio.Semaphore(1)  # 16 MiB at a time
        self._failures: dict[str, int] = {}
        self._waiting: Counter[str] = Counter()
        self._state: object = ()  # of the file; none was seen yet
        self._looked = 0.0
        self.open = True
        """Whether there is no account. Once there was one, a hub does not open again."""
        self._look()

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] = os.environ, path: Path | None = None
    ) -> Accounts:
        """Make the account that PILOGGER_HUB_ACCESS_KEY and _SECRET describe, if they do.

        It is the account '', so a hub that gets a key keeps showing what it holds.

        Raises:
            PiloggerError: the key or the secret is none, or the file cannot be read.
        """
        key, secret = environ.get(ACCESS_KEY, "").strip(), environ.get(SECRET, "").strip()
        if secret and not key:
            raise PiloggerError(f"{SECRET} is set, but {ACCESS_KEY} is not")
        return cls([Account("", key, secret)] if key else [], path)

    async def admit(self, request: Request, *, secret: bool = False) -> str:
        """Return the name of the account that a request belongs to.

        A `secret` is needed where one is asked for, and the account has one; one that is
        sent must be right in any case.

        Raises:
            HTTPException: 401 for a wrong key or secret, 403 for what a browser sends on
                behalf of other web pages, 429 while too many wrong ones are under way.
        """
        if time.monotonic() >= self._looked + LOOK_S:
            self._look_again()
        if self.open:
            _only_from_here(request)
            return ""
        given = _given(request)
        if given.by_browser and not _is_own(request):
            raise HTTPException(403, "other web pages may not use this hub")
        address = request.client.host if request.client else ""
        account = self._found.get(self._blind(register.digest(given.key)))
        if account is None:
            what = "access key is wrong" if given.key else "access key is missing"
        elif not account.secret or await self._proves(account, given.secret, address):
            self._failures.pop(address, None)
            return account.name
        elif given.secret:
            what = "secret is wrong"
        elif not secret:
            return account.name
        else:
            what = "secret is missing"
        await self._delay(address)
        raise HTTPException(401, f"the {what}", {"WWW-Authenticate": ACCESS_KEY_HEADER})

    async def _proves(self, account: Entry, secret: str, address: str) -> bool:
        if not secret:
            return False
        name = self._blind(f"{account.secret} {secret}")
        if name in self._right:
            return True
        async with self._hashing:
            if name not in self._right:  # many may have waited for the first of them
                self._refuse_crowds(address)
                if not await run_in_threadpool(register.is_right, secret, account.secret):
                    return False
                _forget_oldest(self._right)
                self._right[name] = None
        return True

    def _blind(self, text: str) -> bytes:
        """Return what tells texts apart, and nobody else could compute: no time tells more."""
        return blake2b(text.encode(errors="surrogateescape"), key=self._salt).digest()

    async def _delay(self, address: str) -> None:
        """Count a failure and let its sender wait; nobody else does."""
        self._refuse_crowds(address)
        failures = self._failures.pop(address, 0)
        _forget_oldest(self._failures)
        self._failures[address] = failures + 1
        self._waiting[address] += 1
        try:
            await self._sleep(min(FIRST_DELAY_S * 2.0 ** min(failures, 16), LONGEST_DELAY_S))
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def _refuse_crowds(self, address: str) -> None:
        """Who tries many at once does not get around the delay."""
        if self._waiting[address] >= MOST_WAITING:
            text = "too many wrong keys from this address; try again later"
            raise HTTPException(429, text, {"Retry-After": "1"})

    def _look_again(self) -> None:
        """See whether the file changed; one that cannot be read changes nothing."""
        try:
            self._look()
        except PiloggerError as error:
            log.warning("%s; the accounts stay as they were", error)

    def _look(self) -> None:
        self._looked = time.monotonic()
        state = _state(self._path)
        if state == self._state:
            return
        self._state = state
        file = register.load(self._path) if self._path else []
        self._found = {self._blind(each.access_key): each for each in (*file, *self._given)}
        self.open = self.open and not self._found


class _Given(NamedTuple):
    """What a request brought; `by_browser`: one may have added it by itself."""

    key: str
    secret: str = ""
    by_browser: bool = False


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _given(request: Request) -> _Given:
    """Find key and secret: in Initial State's header, in Basic's (RFC 7617), in the address."""
    if (key := request.headers.get(ACCESS_KEY_HEADER)) is not None:
        return _Given(key)
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            key, _, secret = b64decode(credentials.strip(), validate=True).decode().partition(":")
        except ValueError:
            key = secret = ""
        return _Given(key, secret, by_browser=True)
    return _Given(request.query_params.get(ACCESS_KEY_PARAMETER, ""))


def _only_from_here(request: Request) -> None:
    """Turn away other web pages: by a name made to point here, or by cross-origin requests."""
    host = request.headers.get("host", "localhost")
    try:
        here = is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        here = False
    if not (here and _is_own(request)):
        raise HTTPException(
            403,
            "this hub has no account and serves its own machine only; "
            f"set {ACCESS_KEY} or add an account",
        )


def _is_own(request: Request) -> bool:
    """Whether no other web page is behind a request."""
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host", "localhost")
    except ValueError:
        return False


def _state(path: Path | None) -> object:
    """Return what changes whenever a file is replaced."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return found and (found.st_ino, found.st_mtime_ns, found.st_size)


def _forget_oldest(remembered: dict[str, int] | dict[bytes, None]) -> None:
    if len(remembered) >= REMEMBERED:
        del remembered[next(iter(remembered))]  # type: ignore[arg-type]
