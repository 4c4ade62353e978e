"""What nobody means well with, byte by byte: a clear answer, no traceback, nothing that lasts."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
import requests

from pilogger.hub import Account, Accounts, Hub
from pilogger.store import open_reader

EVENT = b'{"key":"a","value":1,"epoch":5}'
GET = b"GET /api/versions HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    async def at_once(_: float) -> None:
        """Wrong keys are not slowed here."""

    accounts = Accounts([Account("ann", "key")], sleep=at_once)
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db", accounts) as hub:
        yield hub


def talk(hub: Hub, data: bytes) -> bytes:
    """Send bytes as they are, and read until the hub closes."""
    answer = b""
    with socket.create_connection(hub.address, timeout=10) as connection, suppress(OSError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while more := connection.recv(1 << 16):
            answer += more
    return answer


def post(*lines: bytes, body: bytes = b"") -> bytes:
    head = (b"POST /api/events?bucketKey=b&accessKey=key HTTP/1.1", b"Host: x", *lines, b"", body)
    return b"\r\n".join(head)


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


LENGTH = b"Content-Length: %d" % len(EVENT)
CHUNKED = b"Transfer-Encoding: chunked"
AMBIGUOUS = {
    "length and chunked": post(LENGTH, CHUNKED, body=chunked(EVENT)),
    "chunked and length": post(CHUNKED, LENGTH, body=chunked(EVENT)),
    "two lengths": post(LENGTH, b"Content-Length: 3", body=EVENT),
    "a list of lengths": post(b"Content-Length: 31, 3", body=EVENT),
    "a length with a sign": post(b"Content-Length: +31", body=EVENT),
    "a length in hex": post(b"Content-Length: 0x1f", body=EVENT),
    "a length with digits of elsewhere": post("Content-Length: \u0663\u0661".encode(), body=EVENT),
    "a folded header": post(b"Transfer-Encoding:\r\n chunked", LENGTH, body=chunked(EVENT)),
    "a space before the colon": post(b"Content-Length : 31", body=EVENT),
    "a header that is no header": post(LENGTH, b"chunked", body=EVENT),
    "a NUL in a header": post(LENGTH, b"X: a\0b", body=EVENT),
    "a CR alone": post(LENGTH, b"X: a\rTransfer-Encoding: chunked", body=EVENT),
    "an encoding nobody knows": post(b"Transfer-Encoding: chunked, identity", body=chunked(EVENT)),
    "chunked twice": post(CHUNKED, CHUNKED, body=chunked(EVENT)),
    "a near chunked": post(b"Transfer-Encoding: xchunked", body=chunked(EVENT)),
    "a chunk that is no number": post(CHUNKED, body=b"zz\r\n" + EVENT + b"\r\n0\r\n\r\n"),
    "a chunk with a minus": post(CHUNKED, body=b"-1\r\n" + EVENT + b"\r\n0\r\n\r\n"),
    "a chunk that is too long": post(CHUNKED, body=b"5\r\n" + EVENT + b"\r\n0\r\n\r\n"),
    "a chunk of 64 bits and more": post(CHUNKED, body=b"f" * 40 + b"\r\n" + EVENT),
    "a chunk that never says how long": post(CHUNKED, body=b"1;" + b"a" * (1 << 17)),
    "HTTP/1.0 in chunks": post(CHUNKED, body=chunked(EVENT)).replace(b"1.1", b"1.0", 1),
    "no host": post(LENGTH, body=EVENT).replace(b"Host: x\r\n", b""),
    "two hosts": post(LENGTH, b"Host: y", body=EVENT),
    "HTTP/0.9": b"GET /api/versions\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    "a header of 20 KB": post(LENGTH, b"X: " + b"a" * 20_000, body=EVENT),
    "5000 headers": post(LENGTH, *[b"X: a"] * 5000, body=EVENT),
}


@pytest.mark.fault(96, 97)
@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_read_in_none(
    hub: Hub, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """One answer at most, a 4xx, and the connection ends: what follows is no request to us."""
    caplog.set_level(logging.DEBUG, "pilogger")
    answer = talk(hub, request_ + GET)
    well = requests.get(f"{hub.url}/api/versions", timeout=10)
    with closing(open_reader(hub.store.path)) as db:
        (stored,) = db.execute("SELECT count(*) FROM sample").fetchone()

    assert answer.count(b"HTTP/1.1 ") <= 1
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert stored == 0
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert well.status_code == 200
