"""A hub that is asked over HTTP, and asked again while it has trouble."""

from __future__ import annotations

import os
import random
import threading
import time
from base64 import b64encode

import requests
from requests.adapters import HTTPAdapter

from pilogger import __version__
from pilogger.destinations.http import retry_after
from pilogger.errors import BadValue
from pilogger.protocols.tempodb import IDEMPOTENCY_KEY
from pilogger.tempodb.errors import TempoDBNoAnswer

CONNECT_S = 10.0
WHOLE_S = 600.0  # for an answer that drips
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 60.0
PIECE = 1 << 16  # bytes

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Remote:
    """Asks a hub; thread-safe. A process that was forked makes connections of its own.

    A request is repeated `retries` times, after pauses that double; one that would do
    something else the second time carries a name, `once`, by which the hub knows it again.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        address: str,
        pools: tuple[int, int],
        timeout: float,
        retries: int,
    ) -> None:
        if timeout <= 0 or retries < 0:
            raise BadValue("timeout is more than 0 seconds, retries is 0 or more")
        self._basic = b"Basic " + b64encode(f"{key}:{secret}".encode())
        self._address = address
        self._pools = pools
        self._timeout = timeout
        self._retries = retries
        self._local = threading.Lock()
        self._opened = (0, requests.Session())

    def ask(self, method: str, path: str, query: str, body: bytes, once: str) -> tuple[int, str]:
        """Return the status and the text of the last answer.

        Raises:
            TempoDBNoAnswer: there was none.
        """
        url = f"{self._address}{path}{'?' if query else ''}{query}"
        headers = {"Content-Type": "application/json"} if body else {}
        if once:
            headers[IDEMPOTENCY_KEY] = once
        pause = FIRST_PAUSE_S
        for left in range(self._retries, -1, -1):
            asked = None
            try:
                status, text, asked = self._exchange(method, url, body, headers)
                if not left or status not in AGAIN:
                    return status, text
            except requests.RequestException as error:
                if not left:
                    raise self._no_answer(error) from error
            wanted = pause * random.uniform(0.5, 1.0) if asked is None else asked
            time.sleep(min(wanted, LONGEST_PAUSE_S))
            pause *= 2
        raise AssertionError("the last round returned or raised")

    def close(self) -> None:
        """Let go of the connections; the next call makes new ones."""
        with self._local:
            self._opened[1].close()
            self._opened = (0, requests.Session())

    def _exchange(
        self, method: str, url: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, str, float | None]:
        until = time.monotonic() + WHOLE_S
        timeout = (min(CONNECT_S, self._timeout), self._timeout)
        with self._session().request(
            method, url, data=body or None, headers=headers, auth=self._sign,
            timeout=timeout, allow_redirects=False, stream=True,
        ) as answer:  # fmt: skip
            found = bytearray()
            for piece in answer.iter_content(PIECE):
                found += piece
                if time.monotonic() > until:
                    raise requests.ReadTimeout
            text = found.decode(errors="replace").replace(self._basic[6:].decode(), "***")
            return answer.status_code, text, retry_after(answer.headers)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._basic.decode()  # where requests knows Latin-1 only
        return request

    def _session(self) -> requests.Session:
        """Return the session of this process: no connection goes through a fork."""
        with self._local:
            pid, session = self._opened
            if pid != os.getpid():
                session = requests.Session()
                session.headers["User-Agent"] = f"pilogger/{__version__}"
                for scheme in ("http://", "https://"):
                    session.mount(scheme, HTTPAdapter(*self._pools))
                self._opened = (os.getpid(), session)
            return session

    def _no_answer(self, error: requests.RequestException) -> TempoDBNoAnswer:
        """Say what happened; the texts of requests itself may quote headers."""
        if isinstance(error, requests.exceptions.SSLError):
            what = "is not trusted, or speaks no TLS that we speak"
        elif isinstance(error, requests.ReadTimeout):
            what = f"is connected, but was silent for {self._timeout:g} s"
        elif isinstance(error, requests.ConnectTimeout):
            what = "cannot be reached in time"
        elif isinstance(error, requests.ConnectionError):
            what = "refuses the connection, or broke it off"
        else:
            what = f"cannot be asked ({type(error).__name__})"
        times = f", {self._retries + 1} times" if self._retries else ""
        return TempoDBNoAnswer(f"{self._address} {what}{times}")
