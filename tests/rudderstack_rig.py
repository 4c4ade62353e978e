"""A data plane that can be told to misbehave, for what sends to RudderStack."""

from __future__ import annotations

import gzip
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Plane(ThreadingHTTPServer):
    """Takes batches; what is in `script` comes before its own answers."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.script: deque[Answer] = deque()
        self.always: Answer | None = None
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.batches: list[list[dict[str, Any]]] = []

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All that was stored, in order of arrival."""
        return [message for batch in self.batches for message in batch]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Plane

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        if self.server.script:
            self.server.script.popleft()(self)
        elif self.server.always:
            self.server.always(self)
        else:
            store(self)
            answer(200, "OK")(self)

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()


Answer = Callable[[Handler], None]


def decoded(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Read a request."""
    plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
    found: dict[str, Any] = json.loads(plain)
    return found


def store(handler: Handler) -> None:
    _, headers, body = handler.server.requests[-1]
    handler.server.batches.append(decoded(headers, body)["batch"])


def store_and_hang_up(handler: Handler) -> None:
    store(handler)
    handler.close_connection = True


def answer(status: int, body: str = "", **headers: str) -> Answer:
    def send(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return send


def refuse(guilty: Callable[[dict[str, Any]], bool]) -> Answer:
    """Answer 400 to a batch with a guilty message, storing nothing of it."""

    def judge(handler: Handler) -> None:
        _, headers, body = handler.server.requests[-1]
        if any(guilty(message) for message in decoded(headers, body)["batch"]):
            answer(400, "Event is not a valid rudder event")(handler)
        else:
            store(handler)
            answer(200, "OK")(handler)

    return judge


@contextmanager
def serving(port: int = 0) -> Iterator[Plane]:
    with Plane(port) as plane:
        thread = threading.Thread(target=plane.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield plane
        finally:
            plane.shutdown()
            thread.join()
