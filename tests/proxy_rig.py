"""A network that misbehaves: a proxy before a hub, which notes what the hub acknowledged."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import BinaryIO, Literal, Self

from logger_rig import free_port

Mode = Literal["through", "refuse", "reset", "hang", "lose", "cut", "error", "busy", "portal"]
"""What becomes of a request.

    through  it goes to the hub, its answer comes back
    refuse   nobody listens
    reset    the connection breaks as soon as it is made
    hang     no answer comes, until the mode changes
    lose     the hub takes it, and its answer never arrives
    cut      the hub takes it, and half of its answer arrives
    error    503
    busy     429, and Retry-After is a second
    portal   200, with the login page of a hotel
"""

FAULTS: tuple[Mode, ...] = ("refuse", "reset", "hang", "lose", "cut", "error", "busy", "portal")

ANSWERS: dict[Mode, bytes] = {
    "error": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    "busy": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "portal": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
}
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 17\r\n\r\nit has the poison"
POISON = "poison"
HANGS_UP = struct.pack("ii", 1, 0)  # SO_LINGER: the connection ends with a reset
PATIENCE_S = 20.0


class Number(str):
    """A number of JSON, as it was written."""


Event = dict[str, object]
"""An event on the wire; its numbers are `Number`."""


class Proxy:
    """Listens on a port of its own until the block ends; `acknowledged` hears of each success.

    A batch with the word poison in it is refused, whatever the mode.
    """

    def __init__(self, upstream: int, acknowledged: Callable[[list[Event]], None]) -> None:
        self.port = free_port()
        self.requests = 0
        self._upstream = upstream
        self._acknowledged = acknowledged
        self._mode: Mode = "through"
        self._turned = threading.Condition()
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.turn("refuse")
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def turn(self, mode: Mode) -> None:
        """Behave like that from now on."""
        with self._turned:
            self._mode = mode
            self._turned.notify_all()
        if mode == "refuse" and self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        elif mode != "refuse" and not self._listener:
            self._listen()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._begin(self._accept, self._listener)

    def _begin(self, work: Callable[[socket.socket], None], on: socket.socket) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, args=(on,), name="proxy", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it was closed
            while True:
                self._begin(self._serve, listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(PATIENCE_S)
        with client, client.makefile("rb") as stream, suppress(OSError, HTTPException):
            while self._mode not in ("reset", "refuse") and (request := _read(stream)):
                self.requests += 1
                if not self._answer(client, *request):
                    return
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HANGS_UP)

    def _answer(
        self, client: socket.socket, path: str, headers: dict[str, str], body: bytes
    ) -> bool:
        """Answer as the mode is; False if that is the end of the connection."""
        mode = self._mode
        if mode == "hang":
            with self._turned:
                self._turned.wait_for(lambda: self._mode != "hang", PATIENCE_S)
            return False
        if answer := ANSWERS.get(mode) or (REFUSED if POISON.encode() in body else b""):
            client.sendall(answer)
            return True
        answer = self._forward(path, headers, body)
        if mode == "lose":
            return False
        client.sendall(answer[: len(answer) // 2] if mode == "cut" else answer)
        return mode != "cut"

    def _forward(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        hub = HTTPConnection("127.0.0.1", self._upstream, timeout=PATIENCE_S)
        try:
            hub.request("POST", path, body, headers)
            response = hub.getresponse()
            said = response.read()
        finally:
            hub.close()
        if path == "/api/events" and 200 <= response.status < 300:
            self._acknowledged(json.loads(body, parse_int=Number, parse_float=Number))
        kind = response.headers.get("Content-Type", "text/plain")
        head = f"HTTP/1.1 {response.status} x\r\nContent-Type: {kind}\r\n"
        if response.status != 204:
            head += f"Content-Length: {len(said)}\r\n"
        return head.encode() + b"\r\n" + said


def _read(stream: BinaryIO) -> tuple[str, dict[str, str], bytes] | None:
    """Read a request: its path, its headers, its body; None if there is no more."""
    if not (first := stream.readline()):
        return None
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name] = value.strip()
    body = stream.read(int(headers.get("Content-Length", "0")))
    return first.split()[1].decode(), headers, body
