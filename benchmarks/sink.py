"""A loopback server that takes what loggers send, gives each protocol's success, and counts.

It speaks Initial State's `/api/buckets` and `/api/events` and RudderStack's `/v1/batch`,
parses every body to count the readings in it, and keeps connections open. It runs in a
process of its own, so that it takes no time from the client that is measured.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple
from urllib.request import urlopen

HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)")
BACKLOG = 4096  # a client that opens a connection for each request opens many at once


class Sink(NamedTuple):
    """A running sink, as its clients see it."""

    url: str

    def taken(self) -> int:
        """Tell how many readings arrived since this was last asked."""
        with urlopen(f"{self.url}/taken") as answer:
            return int(answer.read())


@contextmanager
def running(port: int = 0) -> Iterator[Sink]:
    """Run a sink on a port of loopback; 0 takes a free one."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, port), daemon=True)
    process.start()
    try:
        yield Sink(f"http://127.0.0.1:{ours.recv()}")
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, port: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_listen(pipe, port))


async def _listen(pipe: Connection, port: int) -> None:
    loop, counter = asyncio.get_running_loop(), Counter()
    server = await loop.create_server(
        lambda: Conversation(counter), "127.0.0.1", port, backlog=BACKLOG
    )
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class Counter:
    """Turns a request into the answer that its protocol calls success."""

    def __init__(self) -> None:
        self.readings = 0

    def answer(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path == b"/api/events":
            self.readings += len(json.loads(body))
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        if path == b"/v1/batch":
            plain = gzip.decompress(body) if b"\r\ncontent-encoding: gzip" in head else body
            self.readings += len(json.loads(plain)["batch"])
            return _ok(b"OK")
        if path == b"/taken":
            taken, self.readings = self.readings, 0
            return _ok(b"%d" % taken)
        assert path == b"/api/buckets", path
        return b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


def _ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Conversation(asyncio.Protocol):
    """One connection: requests of a known length, one after the other."""

    transport: asyncio.Transport

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(HEAD_END)) >= 0:
            head = bytes(self._received[:end]).lower()
            found = LENGTH.search(head)
            start = end + len(HEAD_END)
            stop = start + (int(found[1]) if found else 0)
            if len(self._received) < stop:
                return
            body = bytes(self._received[start:stop])
            del self._received[:stop]
            self.transport.write(self._counter.answer(head, body))
