"""The hub's routes of Initial State's events API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.exceptions import HTTPException

from pilogger.hub import Hub
from pilogger.hub.rate import Rate
from pilogger.store import open_reader


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db") as hub:
        yield hub


@pytest.fixture
def client(hub: Hub, request: pytest.FixtureRequest) -> Client:
    """Each test has a bucket of its own."""
    return Client(hub, request.node.name)


class Client:
    """Sends what the original streamer sends; sees what is on the disk."""

    def __init__(self, hub: Hub, bucket: str) -> None:
        self.hub = hub
        self.bucket = bucket

    def post(self, path: str, body: object) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "PyStreamer v2.0.0",
            "Accept-Version": "<=0.0.4",
            "X-IS-AccessKey": "ist_key",
            "X-IS-BucketKey": self.bucket,
        }
        return requests.post(f"{self.hub.url}{path}", data=data, headers=headers, timeout=10)

    def events(self, body: object) -> requests.Response:
        return self.post("/api/events", body)

    def name(self, name: str) -> requests.Response:
        return self.post("/api/buckets", {"bucketKey": self.bucket, "bucketName": name})

    def held(self) -> list[tuple[Any, ...]]:
        """Read series, epoch and value from the store, in order of arrival."""
        return self._query(
            "SELECT series, epoch, value FROM reading JOIN bucket ON bucket.id = reading.bucket"
            " WHERE bucket.key = ? ORDER BY seq"
        )

    def names(self) -> list[tuple[Any, ...]]:
        return self._query("SELECT key, name FROM bucket WHERE key = ?")

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(open_reader(self.hub.store.path)) as db:
            return db.execute(sql, [self.bucket]).fetchall()


def test_a_bucket_is_new_once(client: Client) -> None:
    """201 for a new bucket, 204 for a known one, whose name follows."""
    first = client.name("Old")
    second = client.name("New")

    assert (first.status_code, second.status_code) == (201, 204)
    assert client.names() == [(client.bucket, "New")]


def test_events_are_kept_as_they_came(client: Client) -> None:
    """A list is answered with 204 and nothing else; types and epochs stay what they were."""
    events = [
        {"key": "air.temperature", "value": 21.5, "epoch": 1795217624.4833982},
        {"key": "count", "value": 2**62, "epoch": 1795217624},
        {"key": "state", "value": "läuft", "epoch": 1795217624},
    ]
    answer = client.events(events)

    assert (answer.status_code, answer.content) == (204, b"")
    assert client.held() == [
        ("air.temperature", 1795217624.4833982, 21.5),
        ("count", 1795217624.0, 2**62),
        ("state", 1795217624.0, "läuft"),
    ]


def test_one_event_may_come_without_a_list(client: Client) -> None:
    """A bare object is one event."""
    assert client.events({"key": "a", "value": 1, "epoch": 5}).status_code == 204
    assert client.held() == [("a", 5.0, 1)]


def test_keys_may_come_in_the_address(client: Client) -> None:
    """accessKey and bucketKey do as URL parameters what the headers do."""
    url = f"{client.hub.url}/api/events?accessKey=k&bucketKey={client.bucket}%20%C3%A4"
    answer = requests.post(url, data=b'{"key": "a", "value": 1}', timeout=10)
    client.bucket += " ä"

    assert answer.status_code == 204
    assert client.names() == [(client.bucket, "")]


def test_an_unknown_bucket_is_made_and_named_later(client: Client) -> None:
    """Events may come before their bucket; a name that is known is not lost to them."""
    client.events({"key": "a", "value": 1})
    named = client.name("Greenhouse")
    client.events({"key": "a", "value": 2})

    assert named.status_code == 204
    assert client.names() == [(client.bucket, "Greenhouse")]


def test_without_an_epoch_the_time_is_the_hubs(client: Client) -> None:
    """Server time, between the moments before and after the request."""
    before = client.hub.store.clock.wall() // 1_000_000
    client.events({"key": "a", "value": 1})
    after = client.hub.store.clock.wall() // 1_000_000 + 1
    [(_, epoch, _)] = client.held()

    assert before <= epoch <= after


def test_events_sent_again_change_nothing(client: Client) -> None:
    """A batch whose answer was lost may be repeated; another value at that epoch is news."""
    batch = [{"key": "a", "value": value, "epoch": 1795217624.5} for value in (1, 2)]
    for _ in range(3):
        assert client.events(batch).status_code == 204

    assert client.held() == [("a", 1795217624.5, 1), ("a", 1795217624.5, 2)]


def test_the_good_events_of_a_bad_batch_are_kept(client: Client) -> None:
    """400 says in words which events are bad; the others are stored."""
    body = b'[{"key": "a", "value": 1}, {"key": "b", "value": NaN}, {"key": "c", "value": 3}]'
    answer = client.events(body)

    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.startswith("the good events are stored; these are not:\nevent 2 ('b'): ")
    assert [(series, value) for series, _, value in client.held()] == [("a", 1), ("c", 3)]


def test_an_answer_names_a_bounded_number_of_bad_events(client: Client) -> None:
    """A thousand bad events are not a thousand lines."""
    answer = client.events([{"key": "a"}] * 1000)

    assert answer.status_code == 400
    assert len(answer.text.splitlines()) == 22
    assert answer.text.endswith("and 980 more")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"7", b'"a"', pytest.param(b"[" * 100_000, id="deep")]
)
def test_what_is_no_json_stores_nothing(client: Client, body: bytes) -> None:
    """A body that holds no events is a 400 in words."""
    answer = client.events(body)

    assert answer.status_code == 400
    assert answer.text
    assert client.held() == []


@pytest.mark.parametrize("key", ["", "k" * 251])
def test_a_bucket_key_has_1_to_250_characters(client: Client, key: str) -> None:
    """Without a usable bucket key events have no place to go."""
    client.bucket = key
    answer = client.events({"key": "a", "value": 1})

    assert answer.status_code == 400
    assert "the bucket key" in answer.text
    assert client.names() == []


def test_requests_that_arrive_together_are_all_kept(client: Client) -> None:
    """Each answer means that its events are on the disk, many clients or one."""

    def send(number: int) -> bool:
        mine = Client(client.hub, f"{client.bucket} {number}")
        events = [{"key": f"s{key}", "value": number, "epoch": 5} for key in range(10)]
        return mine.events(events).status_code == 204 and len(mine.held()) == 10

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(send, range(64)))


def test_what_was_acknowledged_outlives_the_hub(tmp_path: Path) -> None:
    """A hub that opens the store again knows its buckets and its events."""
    for status in (201, 204):
        with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
            client = Client(hub, "greenhouse")
            assert client.name("Greenhouse").status_code == status
            assert client.events({"key": "a", "value": 1, "epoch": 5}).status_code == 204

    assert client.held() == [("a", 5.0, 1)]
    assert client.names() == [("greenhouse", "Greenhouse")]


def test_versions_are_listed(client: Client) -> None:
    """Clients ask which versions of the API there are."""
    answer = requests.get(f"{client.hub.url}/api/versions", timeout=10)

    assert answer.json() == ["0.0.1", "0.0.2", "0.0.3", "0.0.4"]


# -- events in the address -------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_events_may_come_in_the_address(client: Client, method: str) -> None:
    """Each parameter that is no key is an event; numbers and truth values are what they are."""
    answer = requests.request(
        method,
        f"{client.hub.url}/api/events?accessKey=k&bucketKey={client.bucket}"
        "&temperature=25.4&on=true&door=ge%C3%B6ffnet&zip=007&epoch=1795217624.25",
        timeout=10,
    )

    assert (answer.status_code, answer.content) == (204, b"")
    assert client.held() == [
        ("temperature", 1795217624.25, 25.4),
        ("on", 1795217624.25, 1),
        ("door", 1795217624.25, "geöffnet"),
        ("zip", 1795217624.25, "007"),
    ]


def test_an_address_may_say_the_time_in_iso_8601(client: Client) -> None:
    """`epoch` goes before it."""
    for parameters in ("a=1&iso8601=1970-01-01T00:00:05Z", "a=2&iso8601=x&epoch=6"):
        url = f"{client.hub.url}/api/events?bucketKey={client.bucket}&{parameters}"
        assert requests.get(url, timeout=10).status_code == 204

    assert client.held() == [("a", 5.0, 1), ("a", 6.0, 2)]


def test_bad_events_of_an_address_are_named(client: Client) -> None:
    """The good ones are kept; a time that is none costs all."""
    url = f"{client.hub.url}/api/events?bucketKey={client.bucket}&a=1&b=1e999&=2"
    bad = requests.get(url, timeout=10)
    worse = requests.get(f"{url}&epoch=noon", timeout=10)
    nothing = requests.get(f"{client.hub.url}/api/events?bucketKey=x", timeout=10)

    assert bad.status_code == worse.status_code == nothing.status_code == 400
    assert "parameter 'b': inf is not a number" in bad.text
    assert "parameter '': key has 0 characters" in bad.text
    assert worse.text == "epoch is not a number of seconds"
    assert [(key, value) for key, _, value in client.held()] == [("a", 1)]


def test_another_web_page_cannot_log_by_an_address(client: Client) -> None:
    """An image of a foreign page is fetched without a word about its origin, but for one."""
    url = f"{client.hub.url}/api/events?bucketKey={client.bucket}&a=1"
    answer = requests.get(url, headers={"Sec-Fetch-Site": "cross-site"}, timeout=10)

    assert answer.status_code == 403
    assert client.held() == []


# -- the hub's own time ----------------------------------------------------------------------


def test_events_without_a_time_are_not_taken_for_repetitions(client: Client) -> None:
    """Of one request they share a moment; a value that comes twice is kept twice."""
    client.events([{"key": key, "value": 1} for key in ("a", "b", "a")])
    [a, b, again] = client.held()

    assert (a[0], b[0], again[0]) == ("a", "b", "a")
    assert a[1] == b[1]
    assert again[1] == pytest.approx(a[1] + 1e-6, abs=5e-7)


def test_every_sample_has_its_time_with_it(client: Client) -> None:
    """The hub's own time is written down like a given one."""
    client.events([{"key": "a", "value": 1}, {"key": "b", "value": 2, "epoch": 5}])
    with closing(open_reader(client.hub.store.path)) as db:
        (without,) = db.execute("SELECT count(*) FROM sample WHERE epoch IS NULL").fetchone()

    assert without == 0


def test_a_bucket_keeps_its_name_when_none_is_given(client: Client) -> None:
    """A client that appends to a bucket need not know what people call it."""
    client.name("Greenhouse")
    client.post("/api/buckets", {"bucketKey": client.bucket})
    client.name("")

    assert client.names() == [(client.bucket, "Greenhouse")]


# -- limits ----------------------------------------------------------------------------------


def test_every_answer_to_events_tells_the_limit(client: Client) -> None:
    """Good ones and bad ones: how many requests are left until when."""
    answers = [client.events({"key": "a", "value": 1}), client.events(b"{"), client.events([5])]

    assert [answer.status_code for answer in answers] == [204, 400, 400]
    for answer in answers:
        assert answer.headers["X-RateLimit-Limit"] == "60000"
        assert 0 < int(answer.headers["X-RateLimit-Remaining"]) < 60_000
        assert int(answer.headers["X-RateLimit-Reset"]) % 10 == 0


def test_too_many_requests_are_told_when_to_come_again() -> None:
    """429 with whole seconds; each account has its own count, and each window a new one."""
    now = [1000.25]
    rate = Rate(2, now=lambda: now[0])
    left = [rate.count("me")["X-RateLimit-Remaining"] for _ in range(2)]
    with pytest.raises(HTTPException) as refused:
        rate.count("me")
    other = rate.count("other")
    now[0] = 1010.0
    again = rate.count("me")

    assert left == ["1", "0"]
    assert refused.value.status_code == 429
    assert refused.value.headers == {
        "X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1010", "Retry-After": "10",
    }  # fmt: skip
    assert other["X-RateLimit-Remaining"] == again["X-RateLimit-Remaining"] == "1"
