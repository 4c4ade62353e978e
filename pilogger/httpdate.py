"""The time from a web server's `Date` header, to about a second, for where NTP never comes.

A certificate is valid at a time, which is just what is not known here: so its chain and
its name are checked, and then the server's date must lie within the certificate's own time.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPSConnection
from threading import Event, Thread
from typing import Self
from urllib.parse import urlsplit

from pilogger.clock import Clock

log = logging.getLogger("pilogger.clock")

NO_CHECK_TIME = 0x20_0000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL
TIMEOUT_S = 10.0
SLOWEST_US = 1_000_000  # an answer that takes longer says too little
AGAIN_S = 3600.0
RETRY_S = 60.0


def ask(url: str, clock: Clock) -> int:
    """Ask a server of https:// for the time; returns wall time minus boot time in microseconds.

    Raises:
        OSError: there was no answer, or not from whom it should be.
        ValueError: the answer does not tell the time.
    """
    address = urlsplit(url)
    context = ssl.create_default_context()
    context.verify_flags |= NO_CHECK_TIME
    server = HTTPSConnection(
        address.hostname or "", address.port, timeout=TIMEOUT_S, context=context
    )
    try:
        server.connect()
        certificate = server.sock.getpeercert() or {}
        before = clock.boot()
        server.request("HEAD", address.path or "/")
        headers = server.getresponse().headers
        after = clock.boot()
    except HTTPException as error:
        raise ValueError(f"{address.hostname} does not speak HTTP: {error!r}") from error
    finally:
        server.close()
    if "Age" in headers or after - before > SLOWEST_US:
        raise ValueError(f"the answer of {address.hostname} is too old to tell the time")
    date = parsedate_to_datetime(headers.get("Date", "")).replace(tzinfo=UTC).timestamp()
    ends = [str(certificate[name]) for name in ("notBefore", "notAfter")]
    begin, end = map(ssl.cert_time_to_seconds, ends)
    if not begin <= date <= end:
        raise ValueError(f"{address.hostname} tells a time at which it could not prove its name")
    # The header is cut to the second: on average half of one has passed.
    return round(date * 1_000_000) + 500_000 - (before + after) // 2


class DateAsker:
    """Asks while the clock is not right, in a daemon thread, and tells the offset."""

    def __init__(self, url: str, clock: Clock, tell: Callable[[int], None]) -> None:
        self._url = url
        self._clock = clock
        self._tell = tell
        self._stop = Event()
        self._thread = Thread(target=self._run, name="date", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """End; a request under way is left behind."""
        self._stop.set()

    def _run(self) -> None:
        pause = RETRY_S  # NTP comes first, where it comes
        trouble = ""
        while not self._stop.wait(pause):
            pause = RETRY_S
            if self._clock.synced():
                continue
            try:
                offset = ask(self._url, self._clock)
            except (OSError, ValueError) as error:
                if str(error) != trouble:
                    log.warning("no time from clock.http_date: %s", error)
                trouble = str(error)
                continue
            if not self._stop.is_set():
                self._tell(offset)
            pause, trouble = AGAIN_S, ""
