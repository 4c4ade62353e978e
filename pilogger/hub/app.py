"""The web application: all routes, and the headers of every answer."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pilogger.engine import Engine
from pilogger.errors import BadValue, StoreError
from pilogger.hub.accounts import Accounts
from pilogger.hub.initialstate import InitialState
from pilogger.hub.limits import Heads
from pilogger.hub.live import Live
from pilogger.hub.rudderstack import RudderStack
from pilogger.hub.tempodb import TempoDB

log = logging.getLogger("pilogger.hub")

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def create_app(engine: Engine, accounts: Accounts | None = None) -> Starlette:
    """Make the application over an engine; without accounts it is open (see `Accounts`)."""
    accounts = accounts or Accounts()
    return Starlette(
        routes=[
            *InitialState(engine, accounts).routes(),
            *RudderStack(engine, accounts).routes(),
            *TempoDB(engine, accounts).routes(),
            *Live(engine, accounts).routes(),
        ],
        middleware=[Middleware(AnswerHeaders), Middleware(Heads)],
        exception_handlers={BadValue: _bad_value, StoreError: _no_store},
    )


class AnswerHeaders:
    """Gives every answer the same protective headers: nothing comes from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


async def _bad_value(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 400)


async def _no_store(_: Request, error: Exception) -> Response:
    """5xx makes every client keep its readings and try again; the store logs its own trouble."""
    log.debug("%s", error)
    return PlainTextResponse("the hub cannot store anything now; try again later", 503)
