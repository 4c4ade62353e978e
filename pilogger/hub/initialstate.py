"""Routes of Initial State's events API, as its clients really use it.

An answer of 2xx means that everything is on the disk: requests that arrive together share
one commit. Of a batch with bad events the good ones are kept and the answer is a 400 that
names the bad ones, so neither a client that discards the batch nor one that sends its
halves again loses a good event, or stores one twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pilogger import epoch
from pilogger.engine import Engine, Entry
from pilogger.errors import BadValue
from pilogger.hub.accounts import ACCESS_KEY_PARAMETER, Accounts
from pilogger.hub.limits import read_body
from pilogger.hub.mistakes import sentence
from pilogger.hub.rate import Rate
from pilogger.protocols.initialstate import (
    BUCKET_KEY_HEADER,
    BUCKETS_PATH,
    EVENTS_PATH,
    Event,
    check_key,
    decode_bucket,
    decode_events,
    decode_parameters,
)
from pilogger.sample import Value

BUCKET_KEY_PARAMETER = "bucketKey"
KEYS = frozenset({ACCESS_KEY_PARAMETER, BUCKET_KEY_PARAMETER})
HERE = ("none", "same-origin")  # what a browser says of an address that was typed, and of ours
VERSIONS = ["0.0.1", "0.0.2", "0.0.3", "0.0.4"]
US = 1000  # nanoseconds


class InitialState:
    """Each event key of a bucket is a series."""

    def __init__(self, engine: Engine, accounts: Accounts, rate: Rate | None = None) -> None:
        self._engine = engine
        self._accounts = accounts
        self._rate = rate or Rate()

    def routes(self) -> list[Route]:
        return [
            Route(BUCKETS_PATH, self.post_bucket, methods=["POST"]),
            Route(EVENTS_PATH, self.take_events, methods=["GET", "POST"]),
            Route("/api/versions", self.get_versions, methods=["GET"]),
        ]

    async def post_bucket(self, request: Request) -> Response:
        """201 for a new bucket, 204 for a known one, which takes the new name."""
        account = await self._accounts.admit(request)
        key, name = decode_bucket(await read_body(request))
        is_new = await run_in_threadpool(self._keep_bucket, account, key, name)
        return Response(status_code=201 if is_new else 204)

    async def take_events(self, request: Request) -> Response:
        """204 when every event is kept; an unknown bucket is made.

        Events are in the body, or parameters of the address, also of a GET.
        """
        if request.method == "GET" and request.headers.get("sec-fetch-site", HERE[0]) not in HERE:
            raise HTTPException(403, "other web pages may not log here")  # an image's address can
        account = await self._accounts.admit(request)
        headers = self._rate.count(account)
        try:
            await self._take(account, request)
        except HTTPException as error:
            raise HTTPException(
                error.status_code, error.detail, headers | dict(error.headers or {})
            ) from None
        except BadValue as error:
            raise HTTPException(400, str(error), headers) from None
        return Response(status_code=204, headers=headers)

    async def _take(self, account: str, request: Request) -> None:
        given = request.query_params
        bucket = request.headers.get(BUCKET_KEY_HEADER, given.get(BUCKET_KEY_PARAMETER))
        key = check_key(bucket, "the bucket key")
        parameters = [item for item in given.multi_items() if item[0] not in KEYS]
        body = await read_body(request) if request.method == "POST" else b""
        mistakes = await run_in_threadpool(self._keep_events, account, key, parameters, body)
        if mistakes:
            raise HTTPException(400, sentence("events", mistakes))

    async def get_versions(self, _: Request) -> Response:
        return JSONResponse(VERSIONS)

    def _keep_bucket(self, account: str, key: str, name: str) -> bool:
        is_new = self._engine.bucket(key, name, account=account)
        self._engine.flush()
        return is_new

    def _keep_events(
        self, account: str, key: str, parameters: Sequence[tuple[str, str]], body: bytes
    ) -> list[str]:
        """Store the good events; return what is wrong with the others."""
        events, mistakes = decode_parameters(parameters)
        if body or not parameters:
            more, wrong = decode_events(body)
            events, mistakes = events + more, mistakes + wrong
        series = self._engine.by_key({event.key for event in events}, account=account, bucket=key)
        times = _Times(time.time_ns())
        self._engine.append(
            [
                Entry(
                    series[event.key],
                    times.next(event) if event.epoch is None else epoch.pack(event.epoch),
                    event.value,
                )
                for event in events
            ]
        )
        self._engine.flush()
        return mistakes


class _Times:
    """The hub's time, for the events of one request that bring none.

    They share a moment; what comes twice with the same key and value gets a microsecond of its
    own, or it would be taken for one that was sent again.
    """

    def __init__(self, now: int) -> None:
        self._now = now // US * US
        self._seen: Counter[tuple[str, type, Value]] = Counter()

    def next(self, event: Event) -> int:
        what = (event.key, type(event.value), event.value)
        self._seen[what] += 1
        return self._now + (self._seen[what] - 1) * US
