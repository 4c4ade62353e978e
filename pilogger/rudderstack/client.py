"""The client: a call keeps its message at once, and it arrives later."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pilogger.destinations.rudderstack import Api
from pilogger.errors import BadValue
from pilogger.rudderstack.batches import APIError, Batches, OnError, Report
from pilogger.rudderstack.calls import Calls, Result
from pilogger.rudderstack.message import BadCall, encode, moment
from pilogger.sample import Sample
from pilogger.spool import Spool
from pilogger.store import Store

log = logging.getLogger("pilogger.rudderstack")

SERVICE = "https://api.rudderstack.com"
MAX_MESSAGE = 32 * 1024
PATIENCE_S = 2.0  # the longest that a flush takes while the server cannot be reached
ROOM_S = 0.01  # between two looks whether the queue has room


class Client(Calls):
    """Sends messages to RudderStack, or to a hub.

    Args:
        write_key: of the source.
        host: the data plane's address, like http://hub.local:8080; a path may follow.
        debug: log every step, to stderr if the program does not log.
        max_queue_size: so many messages may wait; 0 is any number. Of a full queue a call
            waits up to `timeout` seconds for room while the server takes messages. If that does
            not help, or the server cannot be reached, the new message is not taken: the call
            returns False, with a warning. What was taken is never dropped for it.
        send: False sends and keeps nothing.
        on_error: called with an `APIError` and a list of messages, in another thread: for one
            that was refused for ever; when the key is wrong; and when `max_retries` did
            not help. Of the last two it hears once in an outage, and the messages are kept.
        gzip: compress what is sent.
        max_retries: see on_error; the client goes on trying in any case.
        sync_mode: a call returns when the server has its message.
        timeout: in seconds, for a connection and for an answer.
        proxies: by scheme, as requests has them, or one for all.
        thread: has no effect, as one thread keeps the messages in order.
        upload_size: so many messages are sent at once, and go into one request.
        upload_interval: in seconds; fewer wait so long for others.
        store: one file that keeps what is not sent, in place of one for each process below
            ~/.local/state/pilogger (or $XDG_STATE_HOME).
        max_message_size: in bytes of JSON; 32 KB as documented. Later releases of the
            original, and the service today, take 4 MB.

    A message survives kill -9 as soon as its call returns, and a power cut a second later. It
    is sent in the background, again and again until it is accepted, in the order of the calls;
    what a program leaves is sent by the next one. Any thread may call; after a fork, parent
    and child both may.

    Raises:
        BadValue: the key, the address or an option cannot be used.
        StoreError: there is no place to keep messages; the text says what to do.

    Source: RudderStack's documentation of its Python SDK (2.0.x), and `rudder-sdk-python` 2.1.9.
    """

    def __init__(  # noqa: PLR0917  # the original's order
        self,
        write_key: str | None = None,
        host: str | None = None,
        debug: bool = False,
        max_queue_size: int = 10_000,
        send: bool = True,
        on_error: OnError | None = None,
        gzip: bool = True,
        max_retries: int = 10,
        sync_mode: bool = False,
        timeout: float = 15,
        proxies: Mapping[str, str] | str | None = None,
        thread: int = 1,  # noqa: ARG002
        upload_size: int = 100,
        upload_interval: float = 0.5,
        *,
        store: str | Path | None = None,
        max_message_size: int = MAX_MESSAGE,
    ) -> None:
        if not isinstance(write_key, str):
            raise BadCall(f"write_key is text, not {type(write_key).__name__}")
        if upload_size < 1 or timeout <= 0 or upload_interval < 0:
            raise BadValue("upload_size and timeout are above 0, upload_interval not below")
        if debug:
            log.setLevel(logging.DEBUG)
            if not log.hasHandlers():
                log.addHandler(logging.StreamHandler())
        self.write_key = write_key
        self.host = host or SERVICE
        self.debug = debug
        self.send = send
        self.sync_mode = sync_mode
        self.gzip = gzip
        self.timeout = timeout
        self.max_queue_size = max_queue_size
        self.max_message_size = max_message_size
        self._report = Report(on_error, max_retries)
        self._ready: Store | None = None
        self._spool: Spool | None = None
        given = _proxies(proxies)

        def api() -> Api:
            return Api(write_key, self.host, gzip=gzip, timeout=timeout, proxies=given)

        api().close()  # tells of mistakes here
        if send:
            self._spool = Spool.open(
                "rudderstack",
                f"{self.host}\n{write_key}",
                lambda _: Batches(api(), upload_size, self._report),
                store=Path(store) if store else None,
                gather=upload_interval,
                enough=upload_size,
            )

    # -- sending ---------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """How many messages of this process were neither accepted nor refused yet."""
        return self._spool.pending() if self._spool else 0

    def flush(self) -> None:
        """Return when the server has everything; soon, if it cannot be reached.

        What is left then is kept, and sent later.
        """
        if self._spool and not self._spool.flush(math.inf, patience=PATIENCE_S):
            log.warning("%d messages are not delivered; they are kept", self.pending)

    def join(self) -> None:
        """Let go of files and connections; what is left is sent by the next call, or start."""
        if self._spool:
            self._spool.close()

    def shutdown(self) -> None:
        """`flush` and `join`."""
        self.flush()
        self.join()

    # -- inside ----------------------------------------------------------------------------

    def _take(self, message: dict[str, Any]) -> Result:
        text = encode(message, self.max_message_size)
        log.debug("queueing: %s", text)
        if self._spool is None:
            return True, message
        if not self._has_room(self._spool):
            log.warning("%d messages wait already; a %s is not taken: %s", self.max_queue_size,
                        message["type"], self._spool.trouble or "they are too many")  # fmt: skip
            return False, message
        store = self._spool.store
        if self._ready is not store:  # after a fork, or a close
            store.declare("message", {"": "1"})
            self._ready = store
        at = moment(message["timestamp"])
        self._spool.append([Sample("message", {"": text}, store.clock.boot(), at)])
        if self.sync_mode:
            self._sent(self._spool, message["messageId"])
        return True, message

    def _has_room(self, spool: Spool) -> bool:
        until = time.monotonic() + self.timeout
        while 0 < self.max_queue_size <= spool.pending():
            if spool.trouble or time.monotonic() > until:
                return False
            time.sleep(ROOM_S)
        return True

    def _sent(self, spool: Spool, id: str) -> None:
        """Wait until the server has a message; raise what it said if it has not."""
        done = spool.flush(math.inf, patience=0)
        for refused, error in tuple(self._report.refused):
            if refused == id:
                raise error
        if not done:
            raise self._report.last or APIError(0, "no answer", spool.trouble)


def _proxies(given: Mapping[str, str] | str | None) -> Mapping[str, str] | None:
    if isinstance(given, str):
        url = given if "://" in given else f"http://{given}"
        return {"http": url, "https": url}
    return given
