"""What a hub refuses to take in, said in words and without harm."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger.hub import Hub, connections, limits


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db") as hub:
        yield hub


def post(hub: Hub, data: object, **headers: str) -> requests.Response:
    return requests.post(
        f"{hub.url}/api/events?bucketKey=b",
        data=data,  # type: ignore[arg-type]
        headers=headers,
        timeout=10,
    )


def talk(hub: Hub, request: bytes, *, more: bytes = b"") -> bytes:
    """Send bytes as they are and read until the hub closes, or 3 s pass in silence."""
    answer = b""
    with socket.create_connection(hub.address, timeout=3) as connection:
        try:
            connection.sendall(request)
            connection.sendall(more)
            while chunk := connection.recv(1 << 16):
                answer += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
    return answer


def head(*lines: str, path: str = "/api/events?bucketKey=b") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


def events(size: int) -> bytes:
    """One event, padded with spaces."""
    return json.dumps({"key": "a", "value": 1, "epoch": 5}).encode().ljust(size)


@pytest.mark.fault(97)
def test_a_body_has_at_most_a_megabyte(hub: Hub) -> None:
    """The last byte that fits is taken; one more is a 413 that says what to do."""
    assert post(hub, events(limits.MAX_BODY)).status_code == 204

    answer = post(hub, events(limits.MAX_BODY + 1))
    assert answer.status_code == 413
    assert "send smaller batches" in answer.text


@pytest.mark.fault(97)
def test_a_body_of_unknown_length_has_the_same_limit(hub: Hub) -> None:
    """A chunked upload is cut off by what arrived; its sender still reads the answer."""
    chunks = (b" " * 65536 for _ in range(40))

    assert post(hub, chunks).status_code == 413


@pytest.mark.fault(97)
def test_an_endless_body_is_not_listened_to_for_ever(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes before the end of the body, when enough was thrown away."""
    monkeypatch.setattr(limits, "MAX_DISCARDED", limits.MAX_BODY + 100)
    chunk = b"%x\r\n" % (1 << 24) + b" " * (limits.MAX_BODY + 101)

    answer = talk(hub, head("Transfer-Encoding: chunked"), more=chunk)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_hangs_up_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a body is nothing, and nothing to report."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        with socket.create_connection(hub.address) as connection:
            connection.sendall(head("Content-Length: 100", "Expect: 100-continue"))
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # it waits for the body
            connection.sendall(b"[")
        assert requests.get(f"{hub.url}/api/health", timeout=10).json()["readings"] == 0

    assert caplog.records == []


def test_what_is_declared_too_large_is_not_waited_for(hub: Hub) -> None:
    """A client that asks first, or announces gigabytes, is answered before it sends."""
    asks = head("Content-Length: 1048577", "Expect: 100-continue")
    boasts = head("Content-Length: 99999999999")

    assert talk(hub, asks).startswith(b"HTTP/1.1 413 ")
    assert talk(hub, boasts).startswith(b"HTTP/1.1 413 ")


def test_gzip_is_inflated(hub: Hub) -> None:
    """Content-Encoding gzip is understood, also well beyond the ratio of a small bomb."""
    body = gzip.compress(events(500_000))

    assert 500_000 / len(body) > limits.MAX_RATIO
    assert post(hub, body, **{"Content-Encoding": "gzip"}).status_code == 204


@pytest.mark.fault(97)
@pytest.mark.parametrize("size", [limits.MAX_BODY + 1, limits.MAX_INFLATED + 1, 1 << 26])
def test_a_gzip_bomb_is_a_413(hub: Hub, size: int) -> None:
    """It is never inflated to more than is allowed."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1 << 20)
    body = b"".join(
        squeeze.compress(block[: min(size - at, 1 << 20)]) for at in range(0, size, 1 << 20)
    )
    answer = post(hub, body + squeeze.flush(), **{"Content-Encoding": "gzip"})

    assert answer.status_code == 413
    assert "inflate" in answer.text


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"[]", 400),
        ("gzip", gzip.compress(b"[]")[:-1], 400),
        ("gzip", gzip.compress(b"[]") + b"x", 400),
        ("br", b"[]", 415),
        ("gzip, gzip", b"[]", 415),
    ],
)
def test_what_cannot_be_inflated_is_refused(
    hub: Hub, encoding: str, body: bytes, status: int
) -> None:
    """Damaged gzip and unknown encodings are told apart from bad events."""
    assert post(hub, body, **{"Content-Encoding": encoding}).status_code == status


@pytest.mark.fault(97)
def test_a_slow_body_has_a_deadline(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole body must be there in time, however it trickles."""
    monkeypatch.setattr(limits, "BODY_S", 0.1)

    assert talk(hub, head("Content-Length: 10"), more=b"[").startswith(b"HTTP/1.1 408 ")


@pytest.mark.fault(97)
@pytest.mark.parametrize("start", [b"", b"POST /api/ev"])
def test_a_slow_head_has_a_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """A connection that brings no whole request is closed."""
    monkeypatch.setattr(connections, "HEAD_S", 0.1)
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        assert talk(hub, start) == b""  # closed; a silence of 3 s would be a TimeoutError


@pytest.mark.fault(97)
def test_a_second_head_has_a_deadline_too(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept connection is closed as well when its next request does not come whole."""
    monkeypatch.setattr(connections, "HEAD_S", 0.1)
    with socket.create_connection(hub.address, timeout=3) as connection:
        connection.sendall(b"GET /api/versions HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET /api/ver")
        while connection.recv(1 << 16):
            pass  # the rest of the answer, then the end


@pytest.mark.fault(96)
@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 2", "Transfer-Encoding: chunked"),
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: -2",),
        ("Content-Length: " + "9" * 5000,),
        ("X\0A: b",),
    ],
)
def test_an_ambiguous_head_is_refused(hub: Hub, lines: tuple[str, ...]) -> None:
    """What two servers in a row could read in two ways is a 400, and the connection ends."""
    assert talk(hub, head(*lines), more=b"[]").startswith(b"HTTP/1.1 400 ")


@pytest.mark.fault(97)
def test_a_head_has_a_limit(hub: Hub) -> None:
    """It is refused before it is complete, so nobody can make the hub collect for ever."""
    assert talk(hub, head()[:-4] + b"\r\nX: ", more=b"x" * limits.MAX_HEAD).startswith(
        b"HTTP/1.1 400 "
    )


@pytest.mark.fault(97)
def test_more_connections_than_are_served_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are served once others end; nobody is turned away, and a line too long is cut."""
    monkeypatch.setattr(connections, "MOST", 2)
    monkeypatch.setattr(connections, "LINE", 1)
    with ExitStack() as stack, Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        silent = [stack.enter_context(socket.create_connection(hub.address)) for _ in range(2)]
        waits = stack.enter_context(socket.create_connection(hub.address, timeout=3))
        waits.sendall(b"GET /api/versions HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        one_more = stack.enter_context(socket.create_connection(hub.address, timeout=3))
        with suppress(ConnectionResetError):
            assert one_more.recv(100) == b""
        waits.settimeout(0.1)
        with pytest.raises(TimeoutError):
            waits.recv(1)
        silent[0].close()
        waits.settimeout(3)

        assert waits.recv(100).startswith(b"HTTP/1.1 200 ")
        assert post(hub, events(50)).status_code == 204  # its answer left its place free


def test_a_kept_connection_gives_way_to_those_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many clients that keep theirs open are all served, each in its turn."""
    monkeypatch.setattr(connections, "MOST", 2)
    request = b"GET /api/versions HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with ExitStack() as stack, Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        callers = [
            stack.enter_context(socket.create_connection(hub.address, timeout=3)) for _ in range(20)
        ]
        for caller in callers:
            caller.sendall(request)

        assert [caller.recv(100)[:13] for caller in callers] == [b"HTTP/1.1 200 "] * 20


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "Content-Length",
                "Content-Encoding",
                "X-IS-BucketKey",
                "Expect",
                "Host",
                "Origin",
                "X",
            ]
        ),
        st.one_of(
            st.sampled_from(["gzip", "identity", "2", "100-continue", "b", "[::1]:x", "null"]),
            st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=20),
        ),
    ),
    max_size=4,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["key", "value", "epoch"]), inner)
    ),
    max_leaves=8,
)
BODIES = st.binary(max_size=64) | JSON.map(lambda found: json.dumps(found).encode())
PATHS = st.sampled_from(
    ["/api/events", "/api/events?bucketKey=b", "/api/buckets", "/api/live?since=1", "/x", "/%ff"]
) | st.text(st.characters(codec="ascii"), max_size=8).map(lambda text: f"/api/live?since={text}")


@settings(max_examples=100, deadline=None)
@given(
    method=st.sampled_from(["POST", "GET", "PUT", "HEAD"]), path=PATHS, headers=HEADERS, body=BODIES
)
def test_no_request_is_the_hubs_fault(
    hub: Hub, method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    """Whatever is sent, the answer is below 500, and the hub goes on."""
    lines = [f"{method} {path} HTTP/1.1", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [] if "Content-Length" in dict(headers) else [f"Content-Length: {len(body)}"]
    lines += [] if "Host" in dict(headers) else ["Host: 127.0.0.1"]
    with socket.create_connection(hub.address, timeout=3) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        connection.shutdown(socket.SHUT_WR)
        lines_back = connection.makefile("rb").readlines()

    statuses = [int(line.split()[1]) for line in lines_back if line.startswith(b"HTTP/1.1 ")]
    assert all(100 <= status < 500 for status in statuses)
    assert requests.get(f"{hub.url}/api/versions", timeout=10).status_code == 200
