"""Routes of RudderStack's HTTP API, as its SDKs really use it.

The answer of success is exactly 200 `OK`, and means that everything is on the disk; what is
sent again is known by its messageId, and changes nothing. Errors are plain text, because the
SDK tries again for minutes where an error is JSON of another shape than it knows. Of a batch
with bad messages the good ones are kept, and the answer is a 400 that names the bad ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pilogger import epoch
from pilogger.hub.accounts import Accounts
from pilogger.hub.limits import read_body
from pilogger.protocols.rudderstack import (
    BATCH_PATH,
    OK,
    TYPES,
    Message,
    decode_batch,
    decode_call,
    path,
)
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.store.messages import Arrival, Messages

BUCKET = "rudderstack"
NAMED = 20  # bad messages named in one answer

Decode = Callable[[bytes], tuple[list[Message], list[str]]]


class RudderStack:
    """Messages are kept whole, and the numbers of a `track` are series of one bucket too."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts
        self._messages = Messages(store)

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
            raise HTTPException(400, _sentence(mistakes))
        return PlainTextResponse(OK)

    def _keep(self, account: str, body: bytes, decode: Decode) -> list[str]:
        """Store the good messages; return what is wrong with the others."""
        messages, mistakes = decode(body)
        bucket = self._bucket(account) if any(each.numbers for each in messages) else None
        for series in {number.series for each in messages for number in each.numbers}:
            self._store.declare(series, {"": "1"}, bucket)
        now, boot = self._store.clock.wall(), self._store.clock.boot()
        self._messages.keep(
            account, [_arrival(each, now, _samples(each, now, boot, bucket)) for each in messages]
        )
        return mistakes

    def _bucket(self, account: str) -> int:
        known = self._store.buckets.get((account, BUCKET))
        return known[0] if known else self._store.bucket(account, BUCKET, "RudderStack")[0]


def _arrival(message: Message, now: int, samples: Sequence[Sample]) -> Arrival:
    return Arrival(
        message.id, message.type, message.user_id, message.anonymous_id, message.event,
        message.timestamp, now, message.body, samples,
    )  # fmt: skip


def _samples(message: Message, now: int, boot: int, bucket: int | None) -> list[Sample]:
    """Make the readings of a message; where it says no time, they are of now.

    One that says something that is no time has none: which time it meant nobody knows.
    """
    if message.epoch is None and message.timestamp is not None:
        return []
    at = message.epoch or epoch.from_us(now)
    return [
        Sample(number.series, {"": number.value}, boot, at, bucket) for number in message.numbers
    ]


def _sentence(mistakes: Sequence[str]) -> str:
    lines = ["the good messages are stored; these are not:", *mistakes[:NAMED]]
    if len(mistakes) > NAMED:
        lines.append(f"and {len(mistakes) - NAMED} more")
    return "\n".join(lines)
