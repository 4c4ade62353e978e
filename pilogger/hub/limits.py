"""What a body may be: checked while it arrives, before it is kept.

Limits on connections and request heads are the server's: see `pilogger.hub.server`.
"""

from __future__ import annotations

import asyncio
import zlib

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_HEAD = 16 << 10  # bytes; what has not arrived whole by then is refused by the server
MAX_BODY = 1 << 20  # bytes; 1 MB is also the limit of Initial State's service
MAX_INFLATED = 8 << 20
MAX_RATIO = 100  # for what inflates to more than a plain body could be
MAX_DISCARDED = 16 << 20
BODY_S = 30.0

CLOSE = {"Connection": "close"}


class Heads:
    """Refuses heads that are too large, and those that tell the body's length in a doubtful way.

    A server in front of this one may read two lengths, or chunks before HTTP/1.1, otherwise, and
    take the rest of this body for a request of its own (RFC 9112 sections 6.1 and 6.3).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope["headers"]}
        app, wrong = self.app, ""
        if sum(len(name) + len(text) + 4 for name, text in scope["headers"]) > MAX_HEAD:
            wrong = f"a head has at most {MAX_HEAD} bytes"  # this one arrived in one piece
        elif {b"content-length", b"transfer-encoding"} <= names:
            wrong = "Content-Length or Transfer-Encoding, not both"
        elif b"transfer-encoding" in names and scope["http_version"] != "1.1":
            wrong = "Transfer-Encoding is of HTTP/1.1"
        if wrong:
            app = PlainTextResponse(wrong, 400, CLOSE)
        await app(scope, receive, send)


async def read_body(request: Request) -> bytes:
    """Return the body of a request, inflated.

    Raises:
        HTTPException: 413 too large, 408 too slow, 415 or 400 not to be inflated.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise HTTPException(415, f"content encoding {encoding[:40]!r} is not known; gzip is", CLOSE)
    try:
        async with asyncio.timeout(BODY_S):
            body = await _receive(request)
    except TimeoutError:
        raise HTTPException(408, f"the body took more than {BODY_S:g} s", CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early", CLOSE) from None
    return body if encoding == "identity" else await run_in_threadpool(inflate, body)


async def _receive(request: Request) -> bytes:
    """Collect the body.

    Of one that is too large nothing is kept, but it is listened to for a while: a client
    that is still sending when the connection closes never reads why.
    """
    declared = int(request.headers.get("content-length", 0))  # the server checked: digits
    waits = request.headers.get("expect", "").lower() == "100-continue"
    size = 0
    if declared <= (MAX_BODY if waits else MAX_DISCARDED):
        body = bytearray()
        async for chunk in request.stream():
            size += len(chunk)
            if size <= MAX_BODY:
                body += chunk
            elif size > MAX_DISCARDED:
                break
        if size <= MAX_BODY:
            return bytes(body)
    raise HTTPException(413, f"a body has at most {MAX_BODY} bytes: send smaller batches", CLOSE)


def inflate(body: bytes) -> bytes:
    """Inflate gzip, never to more than is allowed.

    Raises:
        HTTPException: 413 when it would be more, 400 when it is not gzip.
    """
    allowed = min(MAX_INFLATED, max(MAX_BODY, MAX_RATIO * len(body)))
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = stream.decompress(body, allowed + 1)
    except zlib.error:
        raise HTTPException(400, "the body is not gzip, though Content-Encoding says so") from None
    if len(plain) > allowed:
        raise HTTPException(413, f"this body may inflate to {allowed} bytes: send smaller batches")
    if not stream.eof or stream.unused_data:
        raise HTTPException(400, "the gzip body is cut short, or something follows it")
    return plain
