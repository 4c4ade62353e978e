"""A server that says to each connection what a test tells it to, byte by byte."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

Talk = Callable[["Wire", socket.socket], None]
"""What is done with a connection; it is closed afterwards."""


class Wire:
    """Listens on loopback; each connection has its talk, those beyond them the last."""

    def __init__(self, *talks: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.connections = 0
        self.received = b""
        self.over = threading.Event()
        self._talks = list(talks)
        self._tls = tls
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self.over.is_set():
            with suppress(OSError):
                connection, _ = self.listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        talk = self._talks[min(self.connections, len(self._talks) - 1)]
        self.connections += 1
        with closing(connection), suppress(OSError):
            connection.settimeout(10)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with closing(connection):
                self._open.append(connection)
                talk(self, connection)

    def request(self, connection: socket.socket) -> bytes:
        """Read one request whole; b"" when the other side hung up."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(1 << 16)):
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = re.findall(rb"(?i)\ncontent-length: *(\d+)", head)
        length = int(lengths[0]) if lengths else 0
        while len(body) < length and (more := connection.recv(1 << 16)):
            body += more
        self.received += head + b"\r\n\r\n" + body
        return head

    def close(self) -> None:
        self.over.set()
        for each in (self.listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self._threads:
            thread.join()


@contextmanager
def serving(*talks: Talk, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    wire = Wire(*talks, tls=tls)
    try:
        yield wire
    finally:
        wire.close()
