"""TempoDB's client and a server in trouble: bounded in time, done once, told in words."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import pytest
import requests
from between import (
    Act,
    Between,
    Handler,
    answer,
    between,
    hang_up,
    lose_the_answer,
    relay,
    say_nothing,
)

from pilogger.database import Database, Request
from pilogger.engine import SQLiteEngine
from pilogger.errors import BadValue, StoreBroken
from pilogger.hub import Hub
from pilogger.store import Store
from pilogger.tempodb import Client, DataPoint, TempoDBApiException, TempoDBNoAnswer
from pilogger.testing import FakeClock

POINT = [DataPoint(datetime(2012, 1, 1), 1)]  # noqa: DTZ001 - as the original was used


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db") as hub:
        yield hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Between]:
    with between(hub) as server:
        yield server


@pytest.fixture
def client(server: Between, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr("pilogger.tempodb.remote.FIRST_PAUSE_S", 0.001)
    host, port = str(server.server_address[0]), server.server_port
    with Client("kéy", "secret", host, port, False, timeout=0.5, retries=2) as client:
        client.delete_series(allow_truncation=True)
        server.seen.clear()
        yield client


def value(client: Client) -> object:
    [found] = client.read(datetime(2012, 1, 1), datetime(2012, 1, 2))  # noqa: DTZ001
    return [point.value for point in found.data]


def test_the_request_is_the_originals(client: Client, server: Between) -> None:
    """Method, address, Basic authentication and content type, as measured."""
    client.write_key("ke:y/1", POINT)
    client.get_series(tags=["t"])
    (write, headers, _), (read, read_headers, _) = server.seen

    assert write == "POST /v1/series/key/ke%3Ay%2F1/data/"
    assert headers["Content-Type"] == "application/json"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == (
        "kéy:secret"
    )
    assert headers["User-Agent"].startswith("pilogger/")
    assert "Idempotency-Key" not in headers, "a write may be repeated as it is"
    assert read == "GET /v1/series/?tag=t"
    assert "Content-Type" not in read_headers


@pytest.mark.parametrize("trouble", [lose_the_answer, hang_up, say_nothing, answer(503)])
def test_an_increment_is_done_once_whatever_happens_to_its_answer(
    client: Client, server: Between, trouble: Act
) -> None:
    """It is repeated under the same name, by which the hub knows it again."""
    server.script += [trouble, lose_the_answer]
    client.increment_key("a", POINT)
    names = {request.headers["Idempotency-Key"] for request in server.seen}

    assert len(server.seen) == 3
    assert len(names) == 1
    assert value(client) == [1]
    client.increment_key("a", POINT)
    assert value(client) == [2]


def test_what_is_made_or_deleted_with_a_lost_answer_is_told_as_done(
    client: Client, server: Between
) -> None:
    """No 409 for what the first try made, no 0 for what it deleted."""
    server.script.append(lose_the_answer)
    made = client.create_series("a")
    server.script.append(lose_the_answer)

    assert made.key == "a"
    assert client.delete_series(keys=["a"]).deleted == 1


def test_no_answer_is_an_error_in_bounded_time(client: Client, server: Between) -> None:
    """The original blocks for ever; a requests.ConnectionError is what it raised otherwise."""
    server.script += [say_nothing] * 3
    began = time.monotonic()
    with pytest.raises(TempoDBNoAnswer, match=r"silent for 0\.5 s, 3 times") as caught:
        client.write_key("a", POINT)

    assert isinstance(caught.value, requests.ConnectionError)
    assert isinstance(caught.value, TempoDBApiException)
    assert caught.value.status == 0
    assert time.monotonic() - began < 5


def test_nobody_there_is_said_so() -> None:
    with Between() as server:
        port = server.server_port
    words = "refuses the connection, or broke it off"
    with (
        Client("k", "s", "127.0.0.1", port, False, retries=0) as client,
        pytest.raises(TempoDBNoAnswer, match=words),
    ):
        client.get_series()


def test_trouble_that_stays_is_raised_with_the_servers_words(
    client: Client, server: Between
) -> None:
    server.script += [answer(503, "on fire", Retry_After="0")] * 3
    with pytest.raises(TempoDBApiException, match="answered 503: on fire") as caught:
        client.write_key("a", POINT)

    assert caught.value.status == 503
    assert len(server.seen) == 3


def test_the_server_says_how_long_to_wait(client: Client, server: Between) -> None:
    server.script.append(answer(429, Retry_After="1"))
    began = time.monotonic()
    client.write_key("a", POINT)

    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("status", [400, 403, 404, 413, 418, 302])
def test_a_refusal_is_not_asked_again(client: Client, server: Between, status: int) -> None:
    """Nor is a redirection followed: the key is for nobody else."""
    server.script.append(answer(status, "no", Location="http://127.0.0.1:1/"))
    with pytest.raises(TempoDBApiException, match=f"answered {status}"):
        client.write_key("a", POINT)

    assert len(server.seen) == 1


def test_a_login_page_is_no_success(client: Client, server: Between) -> None:
    for call in (
        lambda: client.write_key("a", POINT),
        lambda: client.delete_key("a", POINT[0].ts, POINT[0].ts),
        client.get_series,
        lambda: client.create_series("a"),
    ):
        server.script.append(answer(200, "<html>Welcome to the hotel</html>"))
        with pytest.raises(TempoDBApiException, match="not an answer of this service: <html>"):
            call()


def test_a_wrong_key_is_said_so(client: Client, server: Between) -> None:
    server.script.append(answer(403))
    with pytest.raises(TempoDBApiException, match="key or secret is wrong"):
        client.get_series()


def test_a_forked_child_makes_connections_of_its_own(client: Client) -> None:
    client.write_key("a", POINT)
    child = os.fork()
    if not child:
        done = 1
        with suppress(BaseException):
            client.increment_key("a", POINT)
            done = 0
        os._exit(done)
    for _ in range(5):
        client.get_series()

    assert os.waitpid(child, 0)[1] == 0
    assert value(client) == [2]


@pytest.mark.parametrize(("options", "kept"), [({}, 3), ({"pool_maxsize": 1}, 1)])
def test_the_pool_keeps_so_many_connections(
    server: Between, caplog: pytest.LogCaptureFixture, options: dict[str, int], kept: int
) -> None:
    """Three threads at once have three, and those beyond the pool are given up afterwards."""
    together = threading.Barrier(3, timeout=10)

    def meet(handler: Handler) -> None:
        together.wait()
        relay(handler)

    server.act = meet
    host, port = str(server.server_address[0]), server.server_port
    with (
        Client("key", "secret", host, port, False, retries=0, **options) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        answers = [pool.submit(client.get_series) for _ in range(3)]
        for found in answers:
            found.result()
    given_up = [it for it in caplog.messages if it.startswith("Connection pool is full")]

    assert len(given_up) == 3 - kept


def test_options_that_make_no_sense_are_refused() -> None:
    for options in ({"timeout": 0.0}, {"retries": -1}):
        with pytest.raises(BadValue):
            Client("k", "s", **options)


def test_an_increment_that_is_taken_but_not_on_the_disk_is_not_taken_again(
    tmp_path: Path,
) -> None:
    """The disk refuses the commit, not the journal: the repetition finds it done."""
    with closing(Store.open(tmp_path / "x.db", FakeClock(), durability=0)) as store:
        database = Database(SQLiteEngine(store))
        body = b'[{"t": "2012-01-01", "v": 1}]'
        add = Request("", "POST", b"/v1/series/key/a/increment/", b"", body, "once")
        database.answer(Request("", "POST", b"/v1/series/", b"", b'{"key": "a"}'))
        store.writer.connection.execute("PRAGMA query_only = ON")
        for _ in range(2):
            with pytest.raises(StoreBroken):
                database.answer(add)
        store.writer.connection.execute("PRAGMA query_only = OFF")
        told = database.answer(add)
        span = b"start=2012-01-01&end=2012-01-02"
        read = database.answer(Request("", "GET", b"/v1/series/key/a/data/", span))

        assert told.status == 200
        assert read.pieces is not None
        assert '"v":1}]' in "".join(read.pieces)
