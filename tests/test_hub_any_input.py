"""Whatever is sent to whichever route: no fault of the hub, no traceback, nothing half stored."""

from __future__ import annotations

import gzip
import json
import logging
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilogger.hub import Account, Accounts, Hub
from pilogger.protocols.rudderstack import TYPES
from pilogger.store import open_reader

KEY = "key"

IDS = st.sampled_from(["k", "a%2Fb", "%ff", "%00", "", "..", "%E2%82%AC", "k" * 300, "%"])
SERIES = st.builds("/v1/series/{}/{}/{}".format, st.sampled_from(["id", "key", "x"]), IDS,
    st.sampled_from(["", "data/", "increment/", "data", "x"]))  # fmt: skip
PATHS = (
    st.sampled_from(
        [
            "/", "/api/buckets", "/api/events", "/api/versions", "/api/live", "/api/health",
            "/assets/page.js", "/assets/../x", "/v1/batch", "/v1/series/", "/v1/series",
            "/v1/data/", "/v1/increment/", "/v1/multi/", "/v1/multi/increment/", "/v1/seriesx",
            "/v1/", "/v1/nothing", "*", "//", "/%00",
        ]
    )
    | st.sampled_from([f"/v1/{kind}" for kind in TYPES])
    | SERIES
)  # fmt: skip

WORDS = st.sampled_from(
    [
        "bucketKey", "key", "value", "epoch", "iso8601", "accessKey", "start", "end", "interval",
        "function", "tz", "id", "tag", "attr[a]", "allow_truncation", "since", "attr[", "",
    ]
)  # fmt: skip
TEXTS = st.sampled_from(
    [
        "b", "1", "-1", "1e999", "NaN", "2012-01-01", "2012-01-01T00:00:00", "0001-01-01",
        "9999-12-31T23:59:59.999+14:00", "PT1S", "P1D", "1hour", "raw", "P999999Y", "PT0S", "sum",
        "America/New_York", "../../etc/passwd", "true", "%00", "%ff", "%F0%9F%8C%B1", "9" * 40,
        "", "+", "&=",
    ]
)  # fmt: skip
QUERIES = st.lists(st.builds("{}={}".format, WORDS, TEXTS), max_size=4).map("&".join)

LEAVES = (
    st.none() | st.booleans() | st.floats() | st.integers(-(2**70), 2**70) | st.text(max_size=8)
    | st.sampled_from(["2012-01-01T00:00:00", "2012-01-01T00:00:00.000+00:00", "k", "track", "\0"])
)  # fmt: skip
FIELDS = st.sampled_from(
    [
        "key", "value", "epoch", "iso8601", "bucketKey", "bucketName", "t", "v", "data", "id",
        "name", "tags", "attributes", "batch", "type", "userId", "anonymousId", "event",
        "properties", "traits", "context", "timestamp", "messageId", "sentAt", "groupId",
        "previousId", "integrations",
    ]
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=16,
)
EVENTS = st.lists(st.fixed_dictionaries({}, optional={
    "key": LEAVES, "value": LEAVES, "epoch": LEAVES, "iso8601": LEAVES}), max_size=3)  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {"userId": st.just("u") | LEAVES},
    optional={
        "type": st.sampled_from(TYPES) | LEAVES, "event": LEAVES, "messageId": LEAVES,
        "timestamp": LEAVES, "properties": st.dictionaries(st.text(max_size=4), LEAVES) | LEAVES,
        "traits": JSON, "context": JSON, "previousId": LEAVES, "groupId": LEAVES,
    },
)  # fmt: skip
BATCH = st.fixed_dictionaries({"batch": st.lists(MESSAGE, max_size=3) | LEAVES})
POINTS = st.lists(st.fixed_dictionaries({}, optional={
    "t": LEAVES, "v": LEAVES, "key": LEAVES, "id": LEAVES}), max_size=3)  # fmt: skip
BULK = st.fixed_dictionaries({"t": LEAVES, "data": POINTS})
CONTENT = JSON | EVENTS | MESSAGE | BATCH | POINTS | BULK
TEXT = CONTENT.map(lambda found: json.dumps(found).encode())
BODIES = (
    TEXT
    | st.binary(max_size=64)
    | TEXT.map(lambda text: text[:-1])
    | st.sampled_from([b"", b"[" * 5000, b'{"a":' * 5000, b"\xff\xfe[\0", b"\xef\xbb\xbf[]"])
)
ENCODED = st.tuples(BODIES, st.sampled_from(["", "", "gzip", "not gzip", "br"]))
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "X"])
BASIC = b64encode(f"{KEY}:x".encode()).decode()
HEADERS = st.dictionaries(
    st.sampled_from(
        ["X-IS-BucketKey", "Idempotency-Key", "Content-Type", "Accept-Encoding", "Origin", "Range"]
    ),
    st.sampled_from(["b", "", "\xe4", "application/json", "gzip", "null", "bytes=0-1", "x" * 300]),
    max_size=3,
)
AUTH = st.sampled_from(
    [f"Basic {BASIC}"] * 4 + ["Basic", "Basic !", "Basic /w==", "Bearer x", "", f"basic  {BASIC} "]
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    async def at_once(_: float) -> None:
        """Wrong keys are not slowed here."""

    accounts = Accounts([Account("ann", KEY)], sleep=at_once)
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db", accounts) as hub:
        yield hub


def exchange(hub: Hub, head: list[str], body: bytes) -> tuple[int, bytes]:
    """Send a request as it is, and read the answer to its end."""
    with socket.create_connection(hub.address, timeout=10) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        answer = b""
        while chunk := connection.recv(1 << 16):
            answer += chunk
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


def pack(body: bytes, encoding: str) -> bytes:
    return gzip.compress(body) if encoding == "gzip" else body


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(method=METHODS, path=PATHS, query=QUERIES, body=ENCODED, headers=HEADERS, auth=AUTH)
def test_no_request_is_the_hubs_fault(
    *, hub: Hub, caplog: pytest.LogCaptureFixture,
    method: str, path: str, query: str, body: tuple[bytes, str], headers: dict[str, str], auth: str,
) -> None:  # fmt: skip
    """Below 500, in words without a traceback; and the store is as sound as before."""
    caplog.set_level(logging.WARNING)
    data = pack(*body)
    encoding = body[1].removeprefix("not ")
    lines = [f"{method} {path}{'?' + query if query else ''} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    lines += [f"Content-Encoding: {encoding}"] if encoding else []
    lines += [f"Authorization: {auth}"] if auth else []
    status, said = exchange(
        hub, [*lines, f"Content-Length: {len(data)}", "Connection: close"], data
    )

    assert 200 <= status < 500, said
    assert b"Traceback" not in said
    assert caplog.records == []
    with closing(open_reader(hub.store.path)) as db:
        held = db.execute("SELECT (SELECT count(*) FROM reading), count(*) FROM property")
        assert held.fetchone() is not None  # what people read is JSON, whole


NAMES = st.sampled_from(["a", "b.c", "\u20ac", "a/b"]) | st.text(min_size=1, max_size=8)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.booleans() | st.just(1)
TIMES = st.datetimes().map(lambda at: at.isoformat()) | st.just("2012-01-01T00:00:00")
VALUES = NUMBERS | st.text(max_size=8) | st.none()
ID = st.text("abc", min_size=1, max_size=4)
GOOD_EVENTS = st.lists(
    st.fixed_dictionaries(
        {"key": NAMES, "value": VALUES}, optional={"epoch": NUMBERS | LEAVES, "iso8601": TIMES}
    ),
    min_size=1, max_size=4,
)  # fmt: skip
GOOD_MESSAGE = st.fixed_dictionaries(
    {"userId": NAMES, "event": NAMES, "messageId": ID, "type": st.sampled_from(TYPES)},
    optional={
        "timestamp": TIMES, "properties": st.dictionaries(NAMES, VALUES | JSON, max_size=4),
        "traits": st.dictionaries(NAMES, VALUES, max_size=3), "context": JSON,
        "previousId": NAMES, "groupId": NAMES, "name": NAMES,
    },
)  # fmt: skip
GOOD_POINTS = st.lists(
    st.fixed_dictionaries({"key": NAMES, "t": TIMES, "v": NUMBERS | LEAVES}), max_size=4
)
GOOD_BULK = st.fixed_dictionaries({"t": TIMES, "data": GOOD_POINTS})
WRITES = st.one_of(
    st.tuples(st.just("/api/events?bucketKey=b"), GOOD_EVENTS),
    st.tuples(st.just("/api/buckets"), st.fixed_dictionaries({"bucketKey": NAMES | LEAVES},
        optional={"bucketName": NAMES | LEAVES})),
    st.tuples(st.just("/v1/batch"), st.fixed_dictionaries({"batch": st.lists(GOOD_MESSAGE)})),
    *(st.tuples(st.just(f"/v1/{kind}"), GOOD_MESSAGE) for kind in TYPES),
    st.tuples(st.just("/v1/series/"), st.fixed_dictionaries({"key": NAMES | LEAVES})),
    st.tuples(st.sampled_from(["/v1/multi/", "/v1/multi/increment/"]), GOOD_POINTS),
    st.tuples(st.sampled_from(["/v1/data/", "/v1/increment/"]), GOOD_BULK),
    st.tuples(st.sampled_from(["/v1/series/key/a/data/", "/v1/series/key/a/increment/"]),
        GOOD_POINTS),
)  # fmt: skip
EVER = "/v1/data/?start=0001-01-01T00%3A00%3A00&end=9999-12-31T00%3A00%3A00"


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(write=WRITES)
def test_whatever_was_taken_can_be_read(
    hub: Hub, caplog: pytest.LogCaptureFixture, write: tuple[str, Any]
) -> None:
    """A value that is nearly right is stored or refused; none spoils what is read later."""
    caplog.set_level(logging.WARNING)
    path, content = write
    body = json.dumps(content).encode()
    asks = [f"POST {path} HTTP/1.1", f"Content-Length: {len(body)}"]
    common = ["Host: 127.0.0.1", f"Authorization: Basic {BASIC}", "Connection: close"]
    status, said = exchange(hub, [*asks, *common], body)
    assert status in (200, 201, 204, 207, 400, 403, 409), said

    for each in ("/api/live", "/api/health", "/v1/series/", f"{EVER}&interval=raw", EVER):
        status, said = exchange(hub, [f"GET {each} HTTP/1.1", *common], b"")
        assert status == 200, (each, said)
    assert caplog.records == []
    with closing(open_reader(hub.store.path)) as db:
        db.execute("SELECT * FROM property").fetchall()  # malformed JSON would be an error
        db.execute("SELECT * FROM reading").fetchall()


@pytest.mark.fault(97)
@pytest.mark.parametrize("path", ["/api/events?bucketKey=b", "/v1/batch", "/v1/multi/"])
@pytest.mark.parametrize("size", [0, 1])
def test_every_protocol_has_the_limit_of_a_body(hub: Hub, path: str, size: int) -> None:
    """The last byte that fits is read, one more is a 413 in words."""
    body = b"{}".ljust((1 << 20) + size)
    said = requests.post(f"{hub.url}{path}", data=body, auth=(KEY, ""), timeout=10)

    assert said.status_code == (413 if size else 400)
    assert "<" not in said.text


@pytest.mark.fault(97)
@pytest.mark.parametrize("path", ["/api/events?bucketKey=b", "/v1/track", "/v1/data/"])
def test_a_bomb_is_refused_by_every_protocol(hub: Hub, path: str) -> None:
    """It is not inflated beyond the limit."""
    bomb = gzip.compress(b" " * (64 << 20))
    headers = {"Content-Encoding": "gzip"}
    said = requests.post(f"{hub.url}{path}", bomb, headers=headers, auth=(KEY, ""), timeout=10)

    assert said.status_code == 413


GOOD: dict[str, tuple[str, Any]] = {
    "initialstate": ("/api/events?bucketKey=cut", [{"key": "a", "value": 1, "epoch": 5}] * 3),
    "rudderstack": (
        "/v1/batch",
        {"batch": [{"type": "track", "userId": "u", "event": "e", "messageId": "cut 1",
            "properties": {"n": 1}}]},
    ),
    "tempodb": ("/v1/multi/", [{"key": "cut", "t": "2012-01-01T00:00:00", "v": 1}]),
}  # fmt: skip


@pytest.mark.parametrize("protocol", GOOD)
def test_a_body_that_ends_anywhere_stores_nothing(hub: Hub, protocol: str) -> None:
    """Whether the connection or the JSON is cut: a part of a request is no request."""
    path, content = GOOD[protocol]
    body = json.dumps(content).encode()
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Basic {BASIC}"]

    def stored() -> int:
        with closing(open_reader(hub.store.path)) as db:
            query = "SELECT (SELECT count(*) FROM sample) + (SELECT count(*) FROM message)"
            found: int = db.execute(query).fetchone()[0]
            return found

    before = stored()
    for end in range(len(body)):
        status, _ = exchange(
            hub, [*head, f"Content-Length: {end}", "Connection: close"], body[:end]
        )
        assert status == 400, body[:end]
        if end % 16 == 0:
            with socket.create_connection(hub.address, timeout=10) as connection:
                start = "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""])
                connection.sendall(start.encode() + body[:end])
    assert stored() == before

    assert exchange(
        hub, [*head, f"Content-Length: {len(body)}", "Connection: close"], body
    )[0] in (200, 204)  # fmt: skip
    assert stored() > before
