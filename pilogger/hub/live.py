"""Routes of the page, and of what it asks for."""

from __future__ import annotations

import math
import secrets
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from pilogger.engine import Engine
from pilogger.errors import PiloggerError
from pilogger.hub.accounts import Accounts
from pilogger.series import Series

PAGE = Path(__file__).parent / "page"
MOST_SERIES = 500


class Live:
    """The page polls: it asks for what arrived since the last answer's `seq`."""

    def __init__(self, engine: Engine, accounts: Accounts) -> None:
        if not (PAGE / "vendor").is_dir():
            raise PiloggerError(
                "the charts of the page were not fetched when pilogger was built: install it again"
            )
        self._engine = engine
        self._accounts = accounts
        self._run = secrets.token_hex(8)
        """A page that sees another one starts anew: its `seq` may mean another store."""

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.get_page, methods=["GET"]),
            Route("/api/live", self.get_live, methods=["GET"]),
            Route("/api/health", self.get_health, methods=["GET"]),
            Mount("/assets", StaticFiles(directory=PAGE / "assets")),
            Mount("/vendor", StaticFiles(directory=PAGE / "vendor")),
        ]

    async def get_page(self, _: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    async def get_live(self, request: Request) -> Response:
        """What arrived after sample `?since=`, by series; from 0 everything recent."""
        account = await self._accounts.admit(request, secret=True)
        since = request.query_params.get("since", "0")
        if not (since.isascii() and since.isdigit() and len(since) < 19):
            raise HTTPException(400, "since is the seq of an earlier answer")
        return JSONResponse(await run_in_threadpool(self._recent, account, int(since)))

    async def get_health(self, request: Request) -> Response:
        """How many readings the account holds; reads all of them, so ask now and then."""
        account = await self._accounts.admit(request, secret=True)
        return JSONResponse(await run_in_threadpool(self._counts, account))

    def _recent(self, account: str, since: int) -> dict[str, Any]:
        found = self._engine.recent(account, since)
        newest = sorted(found.series, key=lambda one: -one.readings[-1].epoch)
        return {
            "run": self._run,
            "seq": found.seq,
            "series": [_series(one) for one in newest[:MOST_SERIES]],
        }

    def _counts(self, account: str) -> dict[str, Any]:
        return {"status": "ok", "readings": self._engine.count(account)}


def _series(one: Series) -> dict[str, Any]:
    return {
        "key": one.key,
        "unit": one.unit,
        "bucket": one.bucket,
        "name": one.name or one.bucket,
        "points": [[at if math.isfinite(at) else None, value] for at, value in one.readings],
    }
