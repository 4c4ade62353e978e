"""The hub's routes of RudderStack's HTTP API."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from pilogger.hub import Account, Accounts, Hub
from pilogger.protocols.rudderstack import TYPES
from pilogger.store import open_reader

KEYS = Accounts([Account("ann", "key of ann"), Account("bob", "key of bob")])
TIME = "2026-11-20T23:35:37.25+00:00"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db") as hub:
        yield hub


@pytest.fixture
def event(request: pytest.FixtureRequest) -> str:
    """Each test has an event of its own, which names its messages too."""
    return str(request.node.name)


def post(
    hub: Hub, path: str, body: object, *, key: str = "any", **headers: str
) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(f"{hub.url}{path}", data=data, headers=headers, auth=(key, ""), timeout=10)


def batch(hub: Hub, *messages: object, **options: str) -> requests.Response:
    return post(hub, "/v1/batch", {"batch": messages, "sentAt": TIME}, **options)


def track(event: str, number: int = 1, **changes: object) -> dict[str, Any]:
    return {
        "type": "track", "userId": "u", "anonymousId": None, "event": event,
        "properties": {"litres": number, "by": "hand"}, "timestamp": TIME,
        "messageId": f"{event} {number}",
    } | changes  # fmt: skip


def query(hub: Hub, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(open_reader(hub.store.path)) as db:
        return db.execute(sql, values).fetchall()


def kept(hub: Hub, event: str) -> list[tuple[Any, ...]]:
    """Read ids of messages, in order of arrival."""
    return query(hub, "SELECT message_id FROM message WHERE event = ? ORDER BY id", event)


def held(hub: Hub, event: str) -> list[tuple[Any, ...]]:
    return query(
        hub,
        "SELECT series, epoch, value FROM reading JOIN bucket ON bucket.id = reading.bucket"
        " WHERE bucket.key = 'rudderstack' AND series LIKE ? || '.%' ORDER BY seq",
        event,
    )


def test_a_batch_is_kept_and_answered_with_ok(hub: Hub, event: str) -> None:
    """Exactly 200 OK, as plain text; numbers are series too, at the message's time."""
    answer = batch(hub, track(event, 1), track(event, 2))

    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"].startswith("text/plain")
    assert kept(hub, event) == [(f"{event} 1",), (f"{event} 2",)]
    assert held(hub, event) == [
        (f"{event}.litres", 1795217737.25, 1),
        (f"{event}.litres", 1795217737.25, 2),
    ]


def test_messages_can_be_queried(hub: Hub, event: str) -> None:
    """By their columns, and property by property."""
    batch(hub, track(event, anonymousId="a"))

    assert query(
        hub,
        "SELECT account, message_id, type, user_id, anonymous_id, timestamp FROM message"
        " WHERE event = ?",
        event,
    ) == [("", f"{event} 1", "track", "u", "a", TIME)]
    assert query(hub, "SELECT user_id, name, value, kind FROM property WHERE event = ?", event) == [
        ("u", "litres", 1, "integer"),
        ("u", "by", "hand", "text"),
    ]


def test_the_traits_of_a_user_can_be_queried(hub: Hub, event: str) -> None:
    """Where the SDK puts them, and at the root."""
    batch(
        hub,
        {"type": "identify", "userId": event, "context": {"traits": {"age": 5}}},
        {"type": "group", "userId": event, "groupId": "g", "traits": {"size": 6}},
    )

    found = query(hub, "SELECT type, name, value FROM property WHERE user_id = ?", event)
    assert found == [("identify", "age", 5), ("group", "size", 6)]


def test_messages_sent_again_change_nothing(hub: Hub, event: str) -> None:
    """In another batch, in the same one, and under way at the same time."""
    both = [track(event, 1), track(event, 2), track(event, 1)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: batch(hub, *both), range(8)))

    assert {answer.text for answer in answers} == {"OK"}
    assert kept(hub, event) == [(f"{event} 1",), (f"{event} 2",)]
    assert [value for _, _, value in held(hub, event)] == [1, 2]


def test_equal_numbers_of_two_messages_are_two(hub: Hub, event: str) -> None:
    """Two users who do the same at the same time: only the messageId tells a repetition."""
    batch(hub, track(event), track(event, userId="v", messageId=f"{event} other"))

    assert len(held(hub, event)) == 2


def test_messages_are_known_after_a_restart(tmp_path: Path, event: str) -> None:
    """The store remembers them, not the process."""
    for _ in range(2):
        with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
            assert batch(hub, track(event)).text == "OK"

    assert query(hub, "SELECT count(*) FROM message") == [(1,)]
    assert query(hub, "SELECT count(*) FROM reading") == [(1,)]


def test_without_a_timestamp_the_time_is_the_hubs(hub: Hub, event: str) -> None:
    """And where there is one that is no time, there is no reading, but the message is kept."""
    before = hub.store.clock.wall() / 1e6
    batch(hub, track(event, timestamp=None), track(event, 2, timestamp="soon"))
    [(_, epoch, value)] = held(hub, event)

    assert before <= epoch <= hub.store.clock.wall() / 1e6
    assert value == 1
    assert len(kept(hub, event)) == 2


@pytest.mark.parametrize("kind", TYPES)
def test_single_calls_are_kept(hub: Hub, event: str, kind: str) -> None:
    """Each of the six has a path of its own."""
    sent = {"userId": event, "messageId": event, "groupId": "g", "previousId": "p"}
    answer = post(hub, f"/v1/{kind}", sent)

    assert (answer.status_code, answer.text) == (200, "OK")
    assert query(hub, "SELECT type FROM message WHERE user_id = ?", event) == [(kind,)]


def test_gzip_is_understood(hub: Hub, event: str) -> None:
    body = gzip.compress(json.dumps({"batch": [track(event)]}).encode())
    answer = post(hub, "/v1/batch", body, **{"Content-Encoding": "gzip"})

    assert answer.text == "OK"
    assert len(kept(hub, event)) == 1


def test_the_good_messages_of_a_bad_batch_are_kept(hub: Hub, event: str) -> None:
    """400 in plain text says which are bad, so nobody loses a good one."""
    answer = batch(hub, track(event, 1), {"type": "track"}, track(event, 2))

    assert answer.status_code == 400
    assert answer.text == (
        "the good messages are stored; these are not:\n"
        "message 2: Request neither has anonymousId nor userId"
    )
    assert len(kept(hub, event)) == 2


def test_the_names_of_many_bad_messages_are_cut(hub: Hub) -> None:
    answer = batch(hub, *[5] * 25)

    assert answer.text.endswith("and 5 more")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/batch", b"", 400),
        ("POST", "/v1/batch", b"{", 400),
        ("POST", "/v1/track", b"[]", 400),
        ("POST", "/v1/batch", b"x" * (1 << 20) + b"x", 413),
        ("GET", "/v1/batch", b"", 405),
        ("POST", "/v1/merge", b"{}", 404),
    ],
)
def test_errors_are_plain_text(hub: Hub, method: str, path: str, body: bytes, status: int) -> None:
    """The SDK would try again for minutes if they were JSON."""
    answer = requests.request(method, f"{hub.url}{path}", data=body, timeout=10)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/plain")


def test_each_account_has_messages_of_its_own(tmp_path: Path, event: str) -> None:
    """The write key is the user of Basic authentication; equal ids of two are two messages."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", KEYS) as hub:
        answers = [
            batch(hub, track(event), key=key) for key in ("key of ann", "key of bob", "wrong", "")
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 401, 401]
        assert query(hub, "SELECT account FROM message ORDER BY 1") == [("ann",), ("bob",)]
        assert query(hub, "SELECT account, name FROM bucket ORDER BY 1") == [
            ("ann", "RudderStack"),
            ("bob", "RudderStack"),
        ]


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Bearer key of ann"])
def test_what_is_no_basic_authentication_is_no_key(tmp_path: Path, header: str) -> None:
    """401 in words, whatever it is."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", KEYS) as hub:
        answer = requests.post(f"{hub.url}/v1/batch", headers={"Authorization": header}, timeout=10)

    assert (answer.status_code, answer.text) == (401, "the access key is missing")
