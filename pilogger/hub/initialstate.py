"""Routes of Initial State's events API, as its clients really use it.

An answer of 2xx means that everything is on the disk: requests that arrive together share
one commit. Of a batch with bad events the good ones are kept and the answer is a 400 that
names the bad ones, so neither a client that discards the batch nor one that sends its
halves again loses a good event, or stores one twice.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pilogger.hub.accounts import Accounts
from pilogger.hub.limits import read_body
from pilogger.protocols.initialstate import (
    BUCKET_KEY_HEADER,
    BUCKETS_PATH,
    EVENTS_PATH,
    check_key,
    decode_bucket,
    decode_events,
)
from pilogger.sample import Sample
from pilogger.store import Store

BUCKET_KEY_PARAMETER = "bucketKey"
VERSIONS = ["0.0.1", "0.0.2", "0.0.3", "0.0.4"]
NAMED = 20  # bad events named in one answer


class InitialState:
    """Each event key of a bucket is a source of its own, with one nameless channel."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts
        self._naming = threading.Lock()

    def routes(self) -> list[Route]:
        return [
            Route(BUCKETS_PATH, self.post_bucket, methods=["POST"]),
            Route(EVENTS_PATH, self.post_events, methods=["POST"]),
            Route("/api/versions", self.get_versions, methods=["GET"]),
        ]

    async def post_bucket(self, request: Request) -> Response:
        """201 for a new bucket, 204 for a known one, which takes the new name."""
        account = await self._accounts.admit(request)
        key, name = decode_bucket(await read_body(request))
        is_new = await run_in_threadpool(self._keep_bucket, account, key, name)
        return Response(status_code=201 if is_new else 204)

    async def post_events(self, request: Request) -> Response:
        """204 when every event is kept; an unknown bucket is made."""
        account = await self._accounts.admit(request)
        bucket = request.headers.get(BUCKET_KEY_HEADER)
        if bucket is None:
            bucket = request.query_params.get(BUCKET_KEY_PARAMETER)
        key = check_key(bucket, "the bucket key")
        body = await read_body(request)
        mistakes = await run_in_threadpool(self._keep_events, account, key, body)
        if mistakes:
            raise HTTPException(400, _sentence(mistakes))
        return Response(status_code=204)

    async def get_versions(self, _: Request) -> Response:
        return JSONResponse(VERSIONS)

    def _keep_bucket(self, account: str, key: str, name: str) -> bool:
        with self._naming:
            _, is_new = self._store.bucket(account, key, name)
        self._store.flush()
        return is_new

    def _keep_events(self, account: str, key: str, body: bytes) -> list[str]:
        """Store the good events; return what is wrong with the others."""
        events, mistakes = decode_events(body)
        with self._naming:  # else a name that arrives now could be lost again
            _, name = self._store.buckets.get((account, key), (0, ""))
            bucket, _ = self._store.bucket(account, key, name)
        for series in {event.key for event in events}:
            self._store.declare(series, {"": "1"}, bucket)
        now = self._store.clock.boot()
        self._store.append(
            [Sample(event.key, {"": event.value}, now, event.epoch, bucket) for event in events],
            once=True,
        )
        self._store.flush()
        return mistakes


def _sentence(mistakes: Sequence[str]) -> str:
    lines = ["the good events are stored; these are not:", *mistakes[:NAMED]]
    if len(mistakes) > NAMED:
        lines.append(f"and {len(mistakes) - NAMED} more")
    return "\n".join(lines)
