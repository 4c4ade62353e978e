"""A server that stands before a hub and can be told to misbehave; tests use it too.

    with between(hub) as server:
        server.script += [lose_the_answer, answer(503, Retry_After="2")]

What is in `script` is done to the next requests, then `act` to all others: `relay` hands them
to the hub, and its answers back.
"""

from __future__ import annotations

import gzip
import http.client
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from pilogger.hub import Hub

LONGEST_S = 10.0  # for an answer of the hub
KEPT = {"content-type", "content-encoding", "date", "retry-after"}


class Seen(NamedTuple):
    """A request as it came."""

    what: str
    """Its method and address."""
    headers: dict[str, str]
    body: bytes


class Between(ThreadingHTTPServer):
    request_queue_size = 1024  # some clients open a connection for every ten events

    def __init__(self, hub: Hub | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.hub = hub
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.script: deque[Act] = deque()
        self.act: Act = relay
        self.seen: list[Seen] = []
        self.done = threading.Event()
        """Ends every silence."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Between
    body = b""

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(f"{self.command} {self.path}", dict(self.headers), self.body)
        self.server.seen.append(seen)
        act = self.server.script.popleft() if self.server.script else self.server.act
        act(self)

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815 - their names are http.server's

    def plain(self) -> bytes:
        """Return the body, unpacked."""
        packed = self.headers.get("Content-Encoding") == "gzip"
        return gzip.decompress(self.body) if packed else self.body

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Serve; a client that hangs up is no news here."""
        with suppress(ConnectionError):
            super().handle()


Act = Callable[[Handler], object]


@contextmanager
def between(hub: Hub | None = None, port: int = 0) -> Iterator[Between]:
    """Serve in a thread."""
    with Between(hub, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.done.set()
            server.shutdown()
            thread.join()


def ask_hub(handler: Handler) -> tuple[http.client.HTTPResponse, bytes]:
    """Hand the request on; return the hub's answer."""
    assert handler.server.hub
    address = handler.server.hub.address
    with closing(http.client.HTTPConnection(*address, timeout=LONGEST_S)) as hub:
        headers = {name: text for name, text in handler.headers.items() if name != "Host"}
        hub.request(handler.command, handler.path, handler.body, headers)
        said = hub.getresponse()
        return said, said.read()


def relay(handler: Handler) -> int:
    """Hand the request on, and the answer back; return its status."""
    said, body = ask_hub(handler)
    handler.send_response_only(said.status)
    for name, text in said.getheaders():
        if name.lower() in KEPT:
            handler.send_header(name, text)
    if said.status != http.client.NO_CONTENT:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
    return said.status


def answer(status: int, body: str = "", **headers: str) -> Act:
    """Answer without asking the hub."""

    def act(handler: Handler) -> None:
        handler.send_response_only(status)
        for name, text in headers.items():
            handler.send_header(name.replace("_", "-"), text)
        handler.send_header("Content-Length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return act


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def lose_the_answer(handler: Handler) -> None:
    """Have it done, and hang up."""
    ask_hub(handler)
    handler.close_connection = True


def say_nothing(handler: Handler) -> None:
    handler.server.done.wait()
    handler.close_connection = True
