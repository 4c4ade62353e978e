"""Routes of RudderStack's HTTP API, as its SDKs really use it.

The answer of success is exactly 200 `OK`, and means that everything is on the disk; what is
sent again is known by its messageId, and changes nothing. Errors are plain text, because the
SDK tries again for minutes where an error is JSON of another shape than it knows. Of a batch
with bad messages the good ones are kept, and the answer is a 400 that names the bad ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pilogger import epoch
from pilogger.engine import Arrival, Engine, Entry
from pilogger.hub.accounts import Accounts
from pilogger.hub.limits import read_body
from pilogger.hub.mistakes import sentence
from pilogger.protocols.rudderstack import (
    BATCH_PATH,
    OK,
    TYPES,
    Message,
    decode_batch,
    decode_call,
    path,
)

BUCKET = "rudderstack"

Decode = Callable[[bytes], tuple[list[Message], list[str]]]


class RudderStack:
    """Messages are kept whole, and the numbers of a `track` are series of one bucket too."""

    def __init__(self, engine: Engine, accounts: Accounts) -> None:
        self._engine = engine
        self._accounts = accounts

    def routes(self) -> list[Route]:
        return [
            Route(BATCH_PATH, self.post_batch, methods=["POST"]),
            *(Route(path(kind), self.post_call, methods=["POST"]) for kind in TYPES),
        ]

    async def post_batch(self, request: Request) -> Response:
        """200 when every message is kept, or was before."""
        return await self._take(request, decode_batch)

    async def post_call(self, request: Request) -> Response:
        """The same for the one message of /v1/track and its like."""
        kind = request.url.path.rpartition("/")[2]
        return await self._take(request, lambda body: ([decode_call(kind, body)], []))

    async def _take(self, request: Request, decode: Decode) -> Response:
        account = await self._accounts.admit(request)
        body = await read_body(request)
        mistakes = await run_in_threadpool(self._keep, account, body, decode)
        if mistakes:
            raise HTTPException(400, sentence("messages", mistakes))
        return PlainTextResponse(OK)

    def _keep(self, account: str, body: bytes, decode: Decode) -> list[str]:
        """Store the good messages; return what is wrong with the others."""
        messages, mistakes = decode(body)
        keys = {number.series for each in messages for number in each.numbers}
        series = self._series(account, keys) if keys else {}
        now = time.time_ns() // 1000
        self._engine.arrive(account, [_arrival(each, now, series) for each in messages])
        return mistakes

    def _series(self, account: str, keys: set[str]) -> dict[str, int]:
        if self._engine.bucket(BUCKET, "", account=account):
            self._engine.bucket(BUCKET, "RudderStack", account=account)
        return self._engine.by_key(keys, account=account, bucket=BUCKET)


def _arrival(message: Message, now: int, series: Mapping[str, int]) -> Arrival:
    return Arrival(
        message.id, message.type, message.user_id, message.anonymous_id, message.event,
        message.timestamp, now, message.body, _entries(message, now, series),
    )  # fmt: skip


def _entries(message: Message, now: int, series: Mapping[str, int]) -> list[Entry]:
    """Make the readings of a message; where it says no time, they are of now.

    One that says something that is no time has none: which time it meant nobody knows.
    """
    if message.epoch is None and message.timestamp is not None:
        return []
    at = now * 1000 if message.epoch is None else epoch.pack(message.epoch)
    return [Entry(series[number.series], at, number.value) for number in message.numbers]
