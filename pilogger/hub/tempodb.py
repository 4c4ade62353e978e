"""Routes of TempoDB's API: what it does is told in `pilogger.database`.

Addresses are taken as they came, because a key may hold an escaped slash. As the service
did, wrong credentials and an unknown series are answered with a 403 and nothing else.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pilogger.database import Answer, Database
from pilogger.database import Request as Asked
from pilogger.engine import Engine
from pilogger.hub.accounts import Accounts
from pilogger.hub.limits import read_body
from pilogger.protocols.tempodb import IDEMPOTENCY_KEY, VERSION

ROOTS = ("series", "data", "increment", "multi")
METHODS = ["GET", "POST", "PUT", "DELETE"]
WORTH_PACKING = 1_000  # bytes
JSON = "application/json"


class TempoDB:
    """Every address below /v1 that is TempoDB's."""

    def __init__(self, engine: Engine, accounts: Accounts) -> None:
        self._database = Database(engine)
        self._accounts = accounts

    def routes(self) -> list[Route]:
        packed = [Middleware(GZipMiddleware, minimum_size=WORTH_PACKING)]
        return [
            Route(f"/{VERSION}/{root}{{rest:path}}", self.take, methods=METHODS, middleware=packed)
            for root in ROOTS
        ]

    async def take(self, request: Request) -> Response:
        """Do what is asked, and answer as the service did."""
        try:
            account = await self._accounts.admit(request, secret=True)
        except HTTPException as error:
            if error.status_code == 401:
                return Response(status_code=403)
            raise
        asked = Asked(
            account,
            request.method,
            request.scope["raw_path"],
            request.scope["query_string"],
            await read_body(request),
            request.headers.get(IDEMPOTENCY_KEY, ""),
        )
        return _response(await run_in_threadpool(self._database.answer, asked))


def _response(answer: Answer) -> Response:
    if answer.pieces is not None:
        return StreamingResponse(answer.pieces, media_type=JSON)
    if answer.status in (200, 207):
        return Response(answer.text, answer.status, media_type=JSON if answer.text else None)
    return PlainTextResponse(answer.text, answer.status)
