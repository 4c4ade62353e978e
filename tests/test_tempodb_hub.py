"""The hub's routes of TempoDB's API, asked as the original client 0.5.0 asks."""

from __future__ import annotations

import gzip
import http.client
import json
import statistics
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pilogger.hub import Account, Accounts, Hub
from pilogger.store import open_reader

DAY = "start=2012-01-01T00%3A00%3A00&end=2012-01-02T00%3A00%3A00"


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Any

    def json(self) -> Any:
        return json.loads(self.body)


class Asking:
    """Sends bytes as they are given, so that nothing tidies an address up."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def __call__(
        self, method: str, path: str, body: object = None, key: str = "key", **headers: str
    ) -> Answer:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        basic = b64encode(f"{key}:secret".encode()).decode()
        sent = {"Authorization": f"Basic {basic}", "User-Agent": "tempodb-python/0.5.0"}
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(*self.hub.address, timeout=10)
        with closing(connection):
            connection.request(method, f"/v1/{path}", data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers)

    def create(self, key: str) -> str:
        found: str = self("POST", "series/", {"key": key}).json()["id"]
        return found

    def values(self, key: str) -> list[Any]:
        answer = self("GET", f"series/key/{key}/data/?{DAY}&interval=raw")
        return [point["v"] for point in answer.json()["data"]]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db") as hub:
        yield hub


@pytest.fixture
def ask(hub: Hub) -> Iterator[Asking]:
    """Each test finds an account without series."""
    asking = Asking(hub)
    yield asking
    asking("DELETE", "series/?allow_truncation=true")


def point(minute: int, value: object) -> dict[str, object]:
    return {"t": f"2012-01-01T00:{minute:02}:00", "v": value}


# -- series --------------------------------------------------------------------------------


def test_a_series_is_made_once(ask: Asking) -> None:
    """200 and what it is; 409 and plain text where its key is taken."""
    made = ask("POST", "series/", {"key": "my-custom-key"})
    again = ask("POST", "series/", {"key": "my-custom-key"})
    series = made.json()

    assert made.status == 200
    assert len(series.pop("id")) == 32
    assert series == {"key": "my-custom-key", "name": "", "tags": [], "attributes": {}}
    assert (again.status, again.headers["Content-Type"]) == (409, "text/plain; charset=utf-8")


def test_a_series_without_a_key_gets_one(ask: Asking) -> None:
    one, other = ask("POST", "series/", {}).json(), ask("POST", "series/", {}).json()

    assert one["key"]
    assert one["key"] != other["key"]


def test_a_series_is_changed_and_found(ask: Asking) -> None:
    """Tags are and'd, attributes are and'd, ids and keys are or'd."""
    ids = {key: ask.create(key) for key in ("a", "b", "c")}
    for key, tags in (("a", ["tag1", "tag2"]), ("b", ["tag1"])):
        body = {"id": ids[key], "key": key, "name": "N", "tags": tags, "attributes": {"x": key}}
        changed = ask("PUT", f"series/id/{ids[key]}/", body)
        assert (changed.status, changed.json()) == (200, body)

    def found(query: str) -> list[str]:
        return [series["key"] for series in ask("GET", f"series/?{query}").json()]

    assert found("") == ["a", "b", "c"]
    assert found("tag=tag1") == ["a", "b"]
    assert found("tag=tag1&tag=tag2") == ["a"]
    assert found("attr%5Bx%5D=b") == ["b"]
    assert found(f"key=a&id={ids['c']}") == ["a", "c"]
    assert found("key=nobody") == []


def test_an_unknown_series_is_a_403_without_words(ask: Asking) -> None:
    for method, path in [
        ("PUT", "series/id/0123456789abcdef0123456789abcdef/"),
        ("GET", f"series/id/0123456789abcdef0123456789abcdef/data/?{DAY}"),
        ("GET", f"series/key/nobody/data/?{DAY}"),
        ("DELETE", f"series/key/nobody/data/?{DAY}"),
        ("POST", "series/id/0123456789abcdef0123456789abcdef/data/"),
        ("POST", "series/id/0123456789abcdef0123456789abcdef/increment/"),
    ]:
        answer = ask(method, path, None if method in ("GET", "DELETE") else [])
        assert (answer.status, answer.body) == (403, b"")


def test_series_are_deleted_by_filters_or_all(ask: Asking) -> None:
    """All of them only when that is said, and said alone."""
    for key in ("a", "b", "c"):
        ask.create(key)
    no_filter = ask("DELETE", "series/?allow_truncation=false")
    both = ask("DELETE", "series/?allow_truncation=true&key=a")
    one = ask("DELETE", "series/?key=a&allow_truncation=false")
    rest = ask("DELETE", "series/?allow_truncation=true")

    assert (no_filter.status, both.status) == (400, 400)
    assert b"allow_truncation" in no_filter.body
    assert (one.status, one.json()) == (200, {"deleted": 1})
    assert rest.json() == {"deleted": 2}
    assert ask("GET", "series/").json() == []


def test_a_deleted_series_leaves_nothing_to_its_successor(ask: Asking) -> None:
    ask("POST", "series/key/a/data/", [point(0, 1)])
    old = ask("GET", "series/?key=a").json()[0]["id"]
    ask("DELETE", "series/?key=a")
    new = ask.create("a")

    assert new != old
    assert ask.values("a") == []
    assert ask("POST", f"series/id/{old}/data/", [point(0, 1)]).status == 403


# -- points --------------------------------------------------------------------------------


def test_points_are_written_and_overwritten(ask: Asking) -> None:
    """200 and an empty body; an unknown key makes its series; types stay what they were."""
    answer = ask("POST", "series/key/ke%3Ay%2F1/data/", [point(0, 1.5), point(1, 2)])
    [series] = ask("GET", "series/").json()
    ask("POST", f"series/id/{series['id']}/data/", [point(1, True)])
    found = ask("GET", f"series/key/ke%3Ay%2F1/data/?{DAY}").json()

    assert (answer.status, answer.body) == (200, b"")
    assert series["key"] == "ke:y/1"
    assert found["data"] == [
        {"t": "2012-01-01T00:00:00.000Z", "v": 1.5},
        {"t": "2012-01-01T00:01:00.000Z", "v": True},
    ]
    assert (found["start"], found["end"]) == (
        "2012-01-01T00:00:00.000Z",
        "2012-01-02T00:00:00.000Z",
    )
    assert found["rollup"] is None
    assert "error" not in found


def test_an_escaped_slash_is_none(ask: Asking) -> None:
    """`a%2Fdata` is a key; what an address with a plain slash means is another thing."""
    ask("POST", "series/key/a%2Fdata/data/", [point(0, 1)])

    assert ask.values("a%2Fdata") == [1]
    assert ask("GET", f"series/key/a/data/data/?{DAY}").status == 404


def test_points_of_one_moment(ask: Asking) -> None:
    id = ask.create("a")
    body = {"t": "2012-01-01T00:00:00", "data": [{"id": id, "v": 4.164}, {"key": "foo", "v": 5}]}
    answer = ask("POST", "data/", body)

    assert (answer.status, answer.body) == (200, b"")
    assert (ask.values("a"), ask.values("foo")) == ([4.164], [5])


@pytest.mark.parametrize("path", ["multi/", "multi/increment/"])
def test_of_many_points_the_good_ones_are_kept(ask: Asking, path: str) -> None:
    """207, and a status and messages for each, as the documentation shows them."""
    id = ask.create("a")
    time = {"t": "2012-01-01T00:00:00"}
    data = [{**time, "v": 4.164}, {**time, "id": id, "v": 73.13}, {}, {**time, "id": "no", "v": 1}]
    answer = ask("POST", path, data)

    assert answer.status == 207
    assert answer.json() == {
        "multistatus": [
            {"status": "422", "messages": ["Must provide a series ID or key"]},
            {"status": "200", "messages": []},
            {
                "status": "422",
                "messages": ["Must provide a numeric value", "Must provide a series ID or key"],
            },
            {"status": "422", "messages": ["There is no series with this ID"]},
        ]
    }
    assert ask.values("a") == [73.13]


def test_increments_add(ask: Asking) -> None:
    """Several in one request too; whole numbers stay whole."""
    for path, body in [
        ("series/key/a/increment/", [point(0, 1), point(0, 2), point(1, 1.5)]),
        ("increment/", {"t": "2012-01-01T00:00:00", "data": [{"key": "a", "v": 4}]}),
        ("multi/increment/", [{"key": "a", **point(1, 1)}]),
    ]:
        answer = ask("POST", path, body)
        assert (answer.status, answer.body) == (200, b"")
    id = ask("GET", "series/?key=a").json()[0]["id"]
    ask("POST", f"series/id/{id}/increment/", [point(0, -10)])

    assert ask.values("a") == [-3, 2.5]
    assert isinstance(ask.values("a")[0], int)


def test_a_truth_value_cannot_be_added(ask: Asking) -> None:
    assert ask("POST", "series/key/a/increment/", [point(0, True)]).status == 207
    ask("POST", "series/key/a/data/", [point(0, True)])
    answer = ask("POST", "series/key/a/increment/", [point(0, 1), point(1, 1)])

    assert (answer.status, ask.values("a")) == (400, [True])


def test_increments_at_the_same_time_lose_none(ask: Asking) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda _: ask("POST", "series/key/a/increment/", [point(0, 1)]).status, range(40)
        )

        assert set(answers) == {200}
    assert ask.values("a") == [40]


def test_an_increment_is_applied_once(ask: Asking) -> None:
    """The same key and request again: the same answer, and no effect."""
    path, body = "multi/increment/", [{"key": "a", **point(0, 1)}, {}]
    answers = [ask("POST", path, body, Idempotency_Key="k1") for _ in range(3)]
    other = ask("POST", path, body, Idempotency_Key="k2")
    changed = ask("POST", path, [{"key": "a", **point(0, 1)}], Idempotency_Key="k1")

    assert {answer.status for answer in [*answers, other]} == {207}
    assert len({answer.body for answer in answers}) == 1
    assert changed.status == 200, "another request, though it has the same key"
    assert ask.values("a") == [3]


def test_the_same_increment_at_the_same_time_is_applied_once(ask: Asking) -> None:
    """A client that gave up waiting asks again while the hub is still at it."""
    ready = threading.Barrier(6)

    def add(_: int) -> int:
        ready.wait()
        return ask("POST", "series/key/a/increment/", [point(0, 1)], Idempotency_Key="k").status

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(add, range(6))) == {200}
    assert ask.values("a") == [1]


def test_a_restarted_hub_remembers_what_it_applied(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    for _ in range(2):
        with Hub("127.0.0.1", 0, path) as hub:
            ask = Asking(hub)
            ask("POST", "series/key/a/increment/", [point(0, 1)], Idempotency_Key="k")
            assert ask.values("a") == [1]


def test_what_was_answered_long_ago_is_forgotten(tmp_path: Path) -> None:
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        hub.store.writer.write([("answered", "", "old", 200, "", 1000)])
        Asking(hub)("POST", "series/key/a/increment/", [point(0, 1)], Idempotency_Key="k")
        with closing(open_reader(hub.store.path)) as db:
            kept = db.execute("SELECT count(*), min(at) > 1000 FROM answered").fetchall()

    assert kept == [(1, 1)]


def test_a_span_is_deleted_half_open(ask: Asking) -> None:
    ask("POST", "series/key/a/data/", [point(minute, minute) for minute in range(5)])
    path = "series/key/a/data/?start=2012-01-01T00%3A01%3A00&end=2012-01-01T00%3A"
    answers = [ask("DELETE", f"{path}03%3A00"), ask("DELETE", f"{path}01%3A00")]

    assert [(answer.status, answer.body) for answer in answers] == [(200, b"")] * 2
    assert ask.values("a") == [0, 3, 4]


# -- reading -------------------------------------------------------------------------------


def test_the_summary_is_that_of_a_sample(ask: Asking) -> None:
    """Standard deviation with n - 1, and ss the sum of squared deviations from the mean."""
    values = [1.5, 2.0, 4.25, 9.0]
    ask("POST", "series/key/a/data/", [point(n, value) for n, value in enumerate(values)])
    found = ask("GET", f"series/key/a/data/?{DAY}").json()["summary"]

    assert found == pytest.approx(
        {
            "count": 4,
            "sum": sum(values),
            "mean": statistics.mean(values),
            "min": 1.5,
            "max": 9.0,
            "ss": statistics.variance(values) * 3,
            "stddev": statistics.stdev(values),
        }
    )


def test_an_empty_span_has_an_empty_summary(ask: Asking) -> None:
    ask.create("a")
    found = ask("GET", f"series/key/a/data/?{DAY}").json()

    assert found["data"] == []
    assert (found["summary"]["count"], found["summary"]["mean"]) == (0, None)


@pytest.mark.parametrize(
    ("function", "values"),
    [
        ("sum", [3, 12]),
        ("max", [2, 8]),
        ("min", [1, 4]),
        ("avg", [1.5, 6.0]),
        ("mean", [1.5, 6.0]),
        ("stddev", [0.5**0.5, 8**0.5]),
        ("count", [2, 2]),
        ("", [1.5, 6.0]),
    ],
)
def test_every_function_folds_hours(ask: Asking, function: str, values: list[float]) -> None:
    """Labelled by the start of the hour; the mean is what is meant by none."""
    times = ["00:10", "00:50", "01:00", "01:59"]
    points = [{"t": f"2012-01-01T{t}:00", "v": 2**n} for n, t in enumerate(times)]
    ask("POST", "series/key/a/data/", points)
    query = f"{DAY}&interval=1hour" + (f"&function={function}" if function else "")
    found = ask("GET", f"series/key/a/data/?{query}").json()

    assert [one["v"] for one in found["data"]] == pytest.approx(values)
    assert [one["t"] for one in found["data"]] == [
        "2012-01-01T00:00:00.000Z",
        "2012-01-01T01:00:00.000Z",
    ]
    rollup = {"interval": "PT1H", "function": function or "mean", "tz": "UTC"}
    assert found["rollup"] == rollup


def test_days_follow_the_zone_that_is_asked_for(ask: Asking) -> None:
    """Chicago's day ends at 06:00 UTC; times carry its offset."""
    times = ["2012-01-01T05:59:00", "2012-01-01T06:00:00"]
    ask("POST", "series/key/a/data/", [{"t": t, "v": 1} for t in times])
    span = "start=2011-12-31&end=2012-01-03"
    query = f"{span}&interval=1day&function=count&tz=America%2FChicago"
    found = ask("GET", f"series/key/a/data/?{query}").json()

    assert found["data"] == [
        {"t": "2011-12-31T00:00:00.000-06:00", "v": 1},
        {"t": "2012-01-01T00:00:00.000-06:00", "v": 1},
    ]
    assert found["start"] == "2011-12-30T18:00:00.000-06:00"


@pytest.mark.parametrize(
    ("end", "interval"),
    [("2012-01-03", None), ("2012-01-03T00:00:01", "PT1H"), ("2012-01-31", "PT1H"),
     ("2012-01-31T00:00:01", "P1D"), ("9999-12-31", "P1D")],
)  # fmt: skip
def test_the_interval_fits_the_span(ask: Asking, end: str, interval: str | None) -> None:
    """Up to 2 days raw, up to 30 by the hour, else by the day; no walk through empty centuries."""
    ask("POST", "series/key/a/data/", [point(1, 1)])
    found = ask("GET", f"series/key/a/data/?start=2012-01-01&end={end}").json()

    assert (found["rollup"] or {}).get("interval") == interval
    assert len(found["data"]) == 1


def test_a_period_reaches_out_of_the_span_its_points_do_not(ask: Asking) -> None:
    ask("POST", "series/key/a/data/", [point(10, 1), point(40, 10), point(50, 100)])
    span = "start=2012-01-01T00%3A30%3A00&end=2012-01-01T00%3A45%3A00"
    found = ask("GET", f"series/key/a/data/?{span}&interval=1hour&function=sum").json()

    assert found["data"] == [{"t": "2012-01-01T00:00:00.000Z", "v": 10}]


def test_several_series_are_read_at_once(ask: Asking) -> None:
    for key in "abc":
        ask("POST", f"series/key/{key}/data/", [point(0, ord(key))])
    found = ask("GET", f"data/?key=a&key=c&{DAY}").json()

    assert [(one["series"]["key"], one["data"][0]["v"]) for one in found] == [("a", 97), ("c", 99)]
    assert len(ask("GET", f"data/?{DAY}").json()) == 3
    assert ask("GET", f"data/?key=nobody&{DAY}").json() == []


def test_many_periods_and_points_are_read_in_steps(ask: Asking) -> None:
    """More periods than one step of a rollup has, more text than one piece of an answer."""
    points = [{"t": f"2012-01-{d:02}T{h:02}:{m:02}:00", "v": 1}
              for d in range(1, 6) for h in range(24) for m in range(60)]  # fmt: skip
    ask("POST", "series/key/a/data/", points)
    span = "start=2012-01-01&end=2012-02-01"
    for query in ("interval=raw", "interval=1min&function=sum"):
        found = ask("GET", f"series/key/a/data/?{span}&{query}").json()
        assert [one["v"] for one in found["data"]] == [1] * 7200
        assert len({one["t"] for one in found["data"]}) == 7200
        assert found["summary"]["count"] == 7200


def test_long_answers_may_be_packed(ask: Asking) -> None:
    ask("POST", "series/key/a/data/", [point(n, n) for n in range(60)])
    answer = ask("GET", f"series/key/a/data/?{DAY}", Accept_Encoding="gzip")

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(answer.body))["data"]) == 60


# -- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "series/key/a/data/", None, 400),
        ("GET", "series/key/a/data/?start=x&end=y", None, 400),
        ("GET", "series/key/a/data/?start=2012-01-02&end=2012-01-01", None, 400),
        ("GET", f"series/key/a/data/?{DAY}&interval=1fortnight", None, 400),
        ("GET", f"series/key/a/data/?{DAY}&function=median", None, 400),
        ("GET", f"series/key/a/data/?{DAY}&tz=Mars", None, 400),
        ("GET", "series/?key=%ff", None, 400),
        ("GET", "series/key/%ff/data/", None, 400),
        ("DELETE", "series/key/a/data/?start=2012-01-01", None, 400),
        ("POST", "series/", {"key": "x" * 513}, 400),
        ("POST", "series/", [], 400),
        ("POST", "series/key/a/data/", b"{", 400),
        ("POST", "data/", {"t": "x", "data": []}, 400),
        ("PUT", "series/key/a/", {"tags": 1}, 400),
        ("PUT", "series/", {}, 405),
        ("POST", "series/id/", {}, 404),
        ("POST", "series/key//data/", [], 400),
        ("GET", "seriesly/", None, 404),
        ("GET", "multi/", None, 405),
    ],
)
def test_what_cannot_be_done_is_said_in_plain_text(
    ask: Asking, method: str, path: str, body: object, status: int
) -> None:
    ask("POST", "series/key/a/data/", [point(0, 1)])
    answer = ask(method, path, body)

    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.body
    assert ask.values("a") == [1]


def test_accounts_do_not_see_one_another(tmp_path: Path) -> None:
    """A wrong key gets a 403 and nothing else; a right one its own series."""
    accounts = Accounts([Account("ann", "key-of-ann"), Account("bob", "key-of-bob")])
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", accounts) as hub:
        ask = Asking(hub)
        ask("POST", "series/key/a/data/", [point(0, 1)], key="key-of-ann")
        id = ask("GET", "series/", key="key-of-ann").json()[0]["id"]
        ask("POST", "series/key/a/data/", [point(0, 2)], key="key-of-bob")
        wrong = ask("GET", "series/", key="wrong")
        foreign = ask("POST", f"series/id/{id}/data/", [point(0, 3)], key="key-of-bob")
        found = ask("GET", f"data/?{DAY}", key="key-of-bob").json()
        ask("DELETE", "series/?allow_truncation=true", key="key-of-bob")
        left = ask("GET", "series/", key="key-of-ann").json()

    assert (wrong.status, wrong.body) == (403, b"")
    assert foreign.status == 403
    assert [one["data"][0]["v"] for one in found] == [2]
    assert [series["id"] for series in left] == [id]
