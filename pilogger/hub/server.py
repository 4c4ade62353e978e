"""The process of a hub: its port, its store, limits on connections, a clean stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import uvicorn

from pilogger.clock import SystemClock
from pilogger.engine import SQLiteEngine
from pilogger.errors import PiloggerError
from pilogger.hub.accounts import ACCESS_KEY, Accounts, is_loopback
from pilogger.hub.app import create_app
from pilogger.hub.connections import Connection, Line
from pilogger.hub.limits import MAX_HEAD
from pilogger.service import Service
from pilogger.store import Bounds, Store
from pilogger.words import plural

IDLE_S = 5
GRACE_S = 1
YOUNG = 50_000  # objects; a batch has as many, and none of them is in a circle

BOUNDS = Bounds(
    when_full="stop", remedy="make room on it, or start the hub with a --store on another disk"
)
"""Clients keep what is not taken, and nobody else has what was: on a full disk none of it goes."""


def serve(
    host: str,
    port: int,
    store: Path,
    accounts: Accounts | None = None,
    *,
    tls: TLS | None = None,
    announce: Callable[[str], None],
) -> None:
    """Run a hub here until SIGTERM or SIGINT; `announce` is given its address.

    Port 0 takes a free one. Stops within 2 s, connections open or not.

    Raises:
        PiloggerError: it may not listen there, or cannot.
        StoreError: the store cannot be opened.
    """
    service = Service()
    with service.starting("opening the store"):
        hub = Hub(host, port, store, accounts, service, tls=tls)
    before = {
        number: signal.signal(number, lambda *_: hub.stop())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 50)
    try:
        announce(hub.url)
        hub.run()
    finally:
        hub.close()
        for number, handler in before.items():
            signal.signal(number, handler)


class TLS(NamedTuple):
    """A certificate chain and its key, in PEM; one file may hold both."""

    cert: Path
    key: Path | None = None


class Hub:
    """A server and its store, from opening to closing.

    `run` blocks until `stop` is called from elsewhere. As a context manager it runs in a
    thread instead:

        with Hub("127.0.0.1", 0, Path("hub.db")) as hub:
            print(hub.url)
    """

    def __init__(
        self,
        host: str,
        port: int,
        store: Path,
        accounts: Accounts | None = None,
        service: Service | None = None,
        *,
        tls: TLS | None = None,
    ) -> None:
        accounts = accounts or Accounts()
        self._service = service or Service({})
        if accounts.open and not is_loopback(host):
            raise PiloggerError(
                f"a hub without an account is open to everyone who reaches {host}: set "
                f"{ACCESS_KEY}, or say pilogger hub accounts add, or listen on 127.0.0.1"
            )
        self._socket = _listen(host, port)
        try:
            self.store = Store.open(store, SystemClock(), durability=0, bounds=BOUNDS)
        except BaseException:
            self._socket.close()
            raise
        try:
            self._server = _server(create_app(SQLiteEngine(self.store), accounts), self._look, tls)
        except BaseException:
            self.close()
            raise
        self.address = (host, int(self._socket.getsockname()[1]))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.address[1]}"
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until `stop`, then close everything."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self.close()

    def stop(self) -> None:
        """Make `run` return soon; may be called from a signal handler."""
        self._service.stopping()
        self._server.should_exit = True

    async def _look(self) -> None:
        """Feed the watchdog while this, the event loop, and the store's committer are alive."""
        service, writer = self._service, self.store.writer
        service.ready()
        while not writer.pulse.stopped:
            service.ping()
            trouble = writer.trouble or self.store.keeper.refusing
            said = f"listening on {self.url}; {plural(self.store.stored, 'reading')} stored"
            service.status(f"{said}; {trouble}" if trouble else said)
            await asyncio.sleep(service.look)
        service.status("no sign of life: store")

    def close(self) -> None:
        """Let go of the port and the store; after `run` they already are."""
        self._socket.close()
        self.store.close()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run, name="hub")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._thread:
            self._thread.join()


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port < 65536:
        raise PiloggerError(f"cannot listen on port {port}: ports are 0 (any) to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise PiloggerError(f"cannot listen on {host} port {port}: {reason}") from error


def _server(
    app: object, look: Callable[[], Awaitable[None]], tls: TLS | None = None
) -> uvicorn.Server:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=partial(Connection, line=Line()),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=tls and tls.cert,
        ssl_keyfile=tls and tls.key,
        ssl_keyfile_password="",  # one that has a password is refused, nobody is asked
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        if tls is None:
            raise
        raise PiloggerError(_about(tls, error)) from error
    server = _Server(config)
    server.look = look
    return server


def _about(tls: TLS, error: OSError) -> str:
    """Say what is wrong with a certificate or its key; OpenSSL names neither."""
    for path in filter(None, tls):
        try:
            path.open("rb").close()
        except OSError as why:
            return f"{path} cannot be read: {why.strerror}"
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"{tls.key or tls.cert} is not the key of {tls.cert}"
    key = f" and {tls.key}" if tls.key else ""
    return f"{tls.cert}{key}: no certificate with its key, in PEM and without a password"


class _Server(uvicorn.Server):
    look: Callable[[], Awaitable[None]]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`: uvicorn raises them again before the store is closed."""
        yield

    async def main_loop(self) -> None:
        """Run from the moment when it listens until it is to exit."""
        looking = asyncio.ensure_future(self.look())
        try:
            await super().main_loop()
        finally:
            looking.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up on those who are still sending: they keep what was not acknowledged.

        Also on idle ones that speak TLS, which would have to say goodbye first.
        """
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                lingers = self.config.is_ssl and connection.is_idle
                if connection.is_receiving or lingers:
                    connection.transport.abort()
        await super().shutdown(sockets)
