"""The one place where HTTP happens, and where its errors become outcomes.

`Http.ask` has deadlines that hold against everything: a resolver that hangs, a server
that accepts and says nothing, an answer that drips for hours. It follows no redirect,
since a login page is no destination and must not see the access key, and it never quotes
the secret it was given, whatever the server sends back.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from queue import Empty, SimpleQueue
from threading import Thread, local
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from pilogger import __version__
from pilogger.destinations import LockedOut, Refused, Wait
from pilogger.harmless import harmless

LONGEST_BODY = 65_536  # bytes of an answer that are read
LONGEST_REASON = 300  # characters of it that are quoted
MOST_HUNG = 4  # exchanges past their deadline that may linger

# No reading is at fault when the address is wrong: RFC 9110 section 15.5.
WRONG_PLACE = frozenset({404, 405, 410, 421})
WRONG_TIME = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED of OpenSSL
NOT_ALLOWED = frozenset({401, 402, 403, 407})

_ours = local()
logging.getLogger("urllib3.connection").addFilter(lambda _: not hasattr(_ours, "exchange"))
"""It would log headers that are none as they came, with any secret that they quote."""


class Answer(NamedTuple):
    """What the server said; `text` is at most its first 64 KB."""

    status: int
    headers: Mapping[str, str]
    text: str


class Http:
    """A connection that is kept open between requests; used by one thread.

    Deadlines are in seconds: `connect` to be connected, `read` between two pieces of
    the answer, `total` for everything from resolving the name to the end of the answer.
    `proxies` are as requests has them, in place of those of the environment. The `secrets`
    are hidden in what the server says.
    """

    def __init__(
        self,
        *secrets: str,
        connect: float = 10.0,
        read: float = 30.0,
        total: float = 120.0,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        self._secrets = [secret for secret in secrets if secret]
        self._times = {"connect": connect, "read": read, "total": total}
        self._proxies = dict(proxies or {})
        self._session = _session()
        self._hung: list[Thread] = []
        self._box: SimpleQueue[Answer | Exception] = SimpleQueue()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer | Wait:
        """Send a body; see `ask`."""
        return self.ask("POST", url, body, headers)

    def ask(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer | Wait:
        """Send a request; a server that did not answer is a `Wait`.

        The exchange runs in a thread of its own, because neither getaddrinfo(3) nor a
        socket's timeout knows of a deadline. One that passes it is left behind.
        """
        host = urlsplit(url).netloc.rpartition("@")[2]
        self._hung = [thread for thread in self._hung if thread.is_alive()]
        if len(self._hung) >= MOST_HUNG:
            return Wait(f"{host} keeps {MOST_HUNG} earlier requests hanging")
        box: SimpleQueue[Answer | Exception] = SimpleQueue()
        self._box = box
        request = requests.Request(method, url, dict(headers), data=body)
        work = (self._session, request, self._times, self._proxies, box)
        thread = Thread(target=_exchange, args=work, name=f"{method} {host}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the program ends; from Python 3.12 on no thread begins then
            thread.run()
        try:
            found = box.get(timeout=self._times["total"])
        except Empty:
            found = _Overdue()
        if isinstance(found, _Overdue | _Interrupted) and thread.is_alive():
            self._hung.append(thread)
            self._session = _session()
        if isinstance(found, Answer):
            return self._without_secrets(found)
        if isinstance(found, OSError):  # requests' own errors are among them
            return _trouble(found, host, self._times)
        raise found

    def interrupt(self) -> None:
        """Let `ask` give up the answer that it waits for; any thread may say so."""
        self._box.put(_Interrupted())  # nobody looks into a box twice

    def close(self) -> None:
        """Let go of the connection; may be called twice."""
        self._session.close()

    def _without_secrets(self, answer: Answer) -> Answer:
        secrets = [*self._secrets, *_of_proxies(self._proxies or getproxies())]
        headers = {name: _hide(value, secrets) for name, value in answer.headers.items()}
        return Answer(answer.status, CaseInsensitiveDict(headers), _hide(answer.text, secrets))


def _of_proxies(proxies: Mapping[str, str]) -> Iterator[str]:
    """Find the secrets in the addresses of proxies, which may quote what they were sent."""
    for address in proxies.values():
        user, password = requests.utils.get_auth_from_url(address)
        if password:
            yield password
            yield b64encode(f"{user}:{password}".encode("latin-1", "replace")).decode()


def _hide(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def outcome(answer: Answer) -> Refused | Wait | LockedOut:
    """Judge an answer that is not what the protocol calls success."""
    status, words = answer.status, _words(answer)
    if status in NOT_ALLOWED:
        return LockedOut(words)
    if status == 413:
        return Refused(words, too_large=True)
    if 400 <= status < 500 and status not in WRONG_PLACE | {408, 425, 429}:
        return Refused(words)
    if 300 <= status < 400:
        target = _quoted(answer.headers.get("Location", "nowhere"))
        return Wait(f"redirected ({status}) to {target}: a login page?", answered=True)
    if status < 300:
        words += ": not an answer of this service; a login page?"
    return Wait(words, answered=True, retry_after=retry_after(answer.headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` (RFC 9110 section 10.2.3) in seconds; None if it says nothing.

    A date is measured against the server's own `Date`, because ours may be wrong; a date
    that is past, or a text that is neither, says nothing. There is no upper bound.
    """
    asked = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", asked):
        return float(asked)
    try:
        until, now = _seconds(asked), _seconds(headers.get("Date", ""))
    except (ValueError, OverflowError):
        return None
    return until - now if until > now else None


def _seconds(date: str) -> float:
    """Read an HTTP date; it is in GMT, also in the form that does not say so."""
    return parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()


def _session() -> requests.Session:
    session = requests.Session()
    session.headers.update({"User-Agent": f"pilogger/{__version__}", "Accept-Encoding": "identity"})
    return session


def _exchange(
    session: requests.Session,
    request: requests.Request,
    times: Mapping[str, float],
    proxies: dict[str, str],
    box: SimpleQueue[Answer | Exception],
) -> None:
    _ours.exchange = True
    deadline = time.monotonic() + times["total"]
    try:
        prepared = session.prepare_request(request)
        timeout = (times["connect"], times["read"])
        settings = session.merge_environment_settings(prepared.url, proxies, True, None, None)
        with session.send(prepared, timeout=timeout, allow_redirects=False, **settings) as response:
            packing = response.raw.headers.pop("Content-Encoding", "")  # so that none is undone
            body = _unpacked(_read(response, deadline), packing)
            box.put(Answer(response.status_code, response.headers, body.decode(errors="replace")))
    except Exception as error:  # it is raised again, or translated, by the one who waits
        box.put(error)


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read the start of the body, byte by byte: a larger read could drip past any deadline."""
    body = bytearray()
    for piece in response.iter_content(1):
        body += piece
        if len(body) >= LONGEST_BODY:
            break
        if time.monotonic() > deadline:
            raise _Overdue
    return bytes(body)


def _unpacked(body: bytes, packing: str) -> bytes:
    """Undo gzip, which nobody asked for, up to the longest body; what else it is stays."""
    if packing.lower() == "gzip":
        with suppress(zlib.error):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, LONGEST_BODY)
    return body


class _Overdue(TimeoutError):
    """An exchange passed the deadline for the whole of it."""


class _Interrupted(TimeoutError):
    """A network came, over which an answer may come sooner."""


# What is said about the first kind that an error is, or wraps. The texts of requests itself
# are not repeated, since they may quote headers.
SENTENCES: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "{host} is not trusted: {error.verify_message}"),
    (ssl.SSLError, "{host} speaks no TLS that we speak: {error.reason}"),
    (socket.gaierror, "no address is known for {host}: {error.strerror}"),
    (requests.exceptions.ProxyError, "the proxy on the way to {host} does not help"),
    (requests.ConnectTimeout, "no connection to {host} within {connect:g} s"),
    (urllib3.exceptions.ReadTimeoutError, "{host} is connected, but was silent for {read:g} s"),
    (_Overdue, "{host} gave no complete answer within {total:g} s"),
    (_Interrupted, "{host} had not answered when a network came"),
    (ConnectionRefusedError, "{host} refuses connections: nothing listens there"),
    (ConnectionError, "{host} closed the connection without an answer"),
    (requests.exceptions.ChunkedEncodingError, "{host} broke off in its answer"),
)


def _trouble(error: OSError, host: str, times: Mapping[str, float]) -> Wait:
    """Translate what requests and the system raise; TLS errors are an answer of a kind."""
    causes = list(_causes(error))
    for kind, sentence in SENTENCES:
        for cause in causes:
            if isinstance(cause, kind):
                why = sentence.format(host=host, error=cause, **times)
                if getattr(cause, "verify_code", 0) in WRONG_TIME:
                    why += f", or the clock of this machine is wrong ({formatdate(usegmt=True)})"
                return Wait(why, answered=isinstance(cause, ssl.SSLError))
    systems = (cause for cause in causes if isinstance(cause, OSError))
    ours = (cause for cause in systems if not isinstance(cause, requests.RequestException))
    why = next((cause.strerror or str(cause) for cause in ours), type(error).__name__)
    return Wait(f"no connection to {host}: {why}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk through an error and all that it wraps; requests and urllib3 nest them."""
    todo: list[object] = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            todo += [*cause.args, getattr(cause, "reason", None)]
            todo += [cause.__cause__, cause.__context__]


def _words(answer: Answer) -> str:
    """Quote the server: its status, and the start of what it said on one line."""
    said = _quoted(" ".join(answer.text[: 2 * LONGEST_REASON].split()))
    return f"the server answered {answer.status}" + (f": {said}" if said else "")


def _quoted(text: str) -> str:
    return harmless(text)[:LONGEST_REASON]
