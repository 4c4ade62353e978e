"""The TempoDB destination: against a hub, and a server that can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from config_rig import SENSOR

from pilogger.config import loads
from pilogger.destinations import Accepted, LockedOut, Refused, Wait, find
from pilogger.destinations.http import Http
from pilogger.destinations.tempodb import Described, TempoDB
from pilogger.errors import BadValue
from pilogger.hub import Account, Accounts, Hub
from pilogger.sample import Point
from pilogger.store import open_reader
from pilogger.tempodb import Client

POINTS = [
    Point(1, "air.temperature", "1795217624.4833982", 21.5),
    Point(2, "air.temperature", "1795217634", 22),
    Point(2, "door.open", "1795217634", True),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    accounts = Accounts([Account("", "the-key")])
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db", accounts) as hub:
        yield hub


@pytest.fixture
def client(hub: Hub) -> Iterator[Client]:
    host, port = hub.address
    with Client("the-key", "", host, port, False) as client:
        client.delete_series(allow_truncation=True)
        yield client


@pytest.fixture
def destination(hub: Hub) -> Iterator[TempoDB]:
    with closing(TempoDB(hub.url, "the-key")) as made:
        yield made


def held(hub: Hub) -> list[tuple[object, ...]]:
    with closing(open_reader(hub.store.path)) as db:
        query = "SELECT DISTINCT series, epoch, value FROM reading ORDER BY series, epoch"
        return db.execute(query).fetchall()


def test_it_is_found_by_its_type(destination: TempoDB) -> None:
    assert find("tempodb") is TempoDB
    assert "the-key" not in repr(destination)


def test_readings_arrive_with_their_exact_epochs(
    hub: Hub, client: Client, destination: TempoDB
) -> None:
    """Once, though they are sent twice; seven decimals are seven decimals there."""
    for _ in range(2):
        assert destination.send(POINTS) == Accepted()

    assert held(hub) == [
        ("air.temperature", 1795217624.4833982, 21.5),
        ("air.temperature", 1795217634.0, 22),
        ("door.open", 1795217634.0, 1),
    ]
    span = (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
    assert [one.summary and one.summary.count for one in client.read(*span)] == [2, 1]


def test_series_are_described_once(client: Client, hub: Hub) -> None:
    """What all have and what one has; also of a series that is there already."""
    described = {"air.temperature": Described("Air", ["t2"], {"floor": "1", "site": "home"})}
    options = {"tags": ["t1"], "attributes": {"site": "s"}, "series": described}
    client.create_series("door.open")
    with closing(TempoDB(hub.url, "the-key", **options)) as destination:  # type: ignore[arg-type]
        assert destination.send(POINTS) == Accepted()
        air, door = client.get_series()
        assert (air.name, air.tags, air.attributes) == (
            "Air", ["t1", "t2"], {"floor": "1", "site": "home"},
        )  # fmt: skip
        assert (door.name, door.tags, door.attributes) == ("", ["t1"], {"site": "s"})
        door.tags = ["mine"]
        client.update_series(door)
        assert destination.send(POINTS) == Accepted()
        assert client.get_series(tags=["mine"]) == [door]


def test_moments_whose_time_is_an_estimate_are_marked(
    hub: Hub, client: Client, destination: TempoDB
) -> None:
    guessed = [point._replace(estimated=point.seq == 2) for point in POINTS]

    assert destination.send(guessed) == Accepted()
    assert [row for row in held(hub) if row[0] == "pilogger.clock.estimated"] == [
        ("pilogger.clock.estimated", 1795217634.0, 1)
    ]


@pytest.mark.parametrize(
    "poison",
    [
        Point(3, "a", "1795217634", "text"),
        Point(3, "x" * 513, "1795217634", 1),
        Point(3, "a", "1e300", 1),
    ],
)
def test_what_the_api_has_no_place_for_is_refused(destination: TempoDB, poison: Point) -> None:
    assert isinstance(destination.send([*POINTS, poison]), Refused)
    assert isinstance(destination.send([poison]), Refused)
    assert destination.send(POINTS) == Accepted()


@pytest.mark.fault(61)
def test_a_wrong_key_is_locked_out(hub: Hub) -> None:
    with closing(TempoDB(hub.url, "wrong")) as destination:
        assert isinstance(destination.send(POINTS), LockedOut)
    with closing(TempoDB(hub.url, "wrong", tags=["t"])) as destination:
        assert isinstance(destination.send(POINTS), LockedOut)


class Service(ThreadingHTTPServer):
    """Answers with what is in `script`, a status and a text, then with success."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.script: deque[tuple[int, str, dict[str, str]]] = deque()
        self.seen: list[tuple[str, bytes]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((f"{self.command} {self.path}", body))
        status, text, headers = (
            self.server.script.popleft() if self.server.script else (200, "", {})
        )
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_PUT = do_GET  # noqa: N815 - their names are http.server's

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def sender(service: Service) -> Iterator[TempoDB]:
    with closing(TempoDB(service.url, "key", "secret")) as made:
        made.http.close()
        made.http = Http("secret", connect=1, read=0.2, total=0.4)
        yield made


def test_the_request_is_write_multi(service: Service, sender: TempoDB) -> None:
    """The same bytes for the same readings; times in UTC, with the decimals that they have."""
    sender.send(POINTS)
    sender.send(POINTS)
    (path, body), again = service.seen

    assert (path, body) == again
    assert path == "POST /v1/multi/"
    assert json.loads(body) == [
        {"t": "2026-11-20T23:33:44.483398200Z", "key": "air.temperature", "v": 21.5},
        {"t": "2026-11-20T23:33:54.000Z", "key": "air.temperature", "v": 22},
        {"t": "2026-11-20T23:33:54.000Z", "key": "door.open", "v": True},
    ]


def status(*codes: int) -> str:
    return json.dumps(
        {"multistatus": [{"status": str(code), "messages": ["no"]} for code in codes]}
    )


@pytest.mark.fault(67, 68)
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((200, "<html>login</html>"), Wait, "login page"),
        ((204, ""), Wait, "204"),
        ((302, ""), Wait, "redirected"),
        ((207, status(200, 422, 200)), Refused, "422: no"),
        ((207, status(200, 503, 200)), Wait, "503: no"),
        ((207, '{"multistatus": [{"sta'), Refused, "some of these"),
        ((400, "bad"), Refused, "bad"),
        ((413, ""), Refused, "413"),
        ((403, ""), LockedOut, "403"),
        ((401, ""), LockedOut, "401"),
        ((404, ""), Wait, "404"),
        ((429, ""), Wait, "429"),
        ((503, ""), Wait, "503"),
        ((0, ""), Wait, "closed"),
    ],
)
def test_every_answer_has_its_outcome(
    service: Service, sender: TempoDB, answer: tuple[int, str], kind: type, words: str
) -> None:
    service.script.append((*answer, {}))
    found = sender.send(POINTS)

    assert isinstance(found, kind)
    assert words in getattr(found, "reason", "")
    assert sender.send(POINTS) == Accepted()


@pytest.mark.fault(67)
def test_a_207_without_a_failure_is_a_success(service: Service, sender: TempoDB) -> None:
    service.script.append((207, status(200, 200, 200), {}))

    assert sender.send(POINTS) == Accepted()


def test_the_server_says_how_long_to_wait(service: Service, sender: TempoDB) -> None:
    service.script.append((429, "", {"Retry-After": "7"}))
    found = sender.send(POINTS)

    assert isinstance(found, Wait)
    assert found.retry_after == 7


@pytest.mark.parametrize(
    ("answer", "kind"), [((503, ""), Wait), ((0, ""), Wait), ((400, "bad tags"), LockedOut),
                         ((200, "<html>"), Wait), ((403, ""), LockedOut)]
)  # fmt: skip
def test_no_reading_is_to_blame_for_a_series_that_cannot_be_described(
    service: Service, answer: tuple[int, str], kind: type
) -> None:
    """Whichever of the three requests it is that fails; then all of them are made again."""
    series = '{"id": "i", "key": "air.temperature", "name": "", "tags": [], "attributes": {}}'
    before = [(200, "[]"), (200, series)]
    for steps in range(3):
        with closing(TempoDB(service.url, "key", tags=["t"])) as destination:
            service.script += [(*step, {}) for step in [*before[:steps], answer]]
            assert isinstance(destination.send(POINTS[:1]), kind)
            service.script += [(*step, {}) for step in [*before, (200, series)]]
            assert destination.send(POINTS[:1]) == Accepted()


def test_it_is_made_from_a_config() -> None:
    text = """destinations:
- type: tempodb
  base_url: http://127.0.0.1:8080
  key: abc
  secret: def
  tags: [pi]
  attributes: {site: home}
  series:
    air.temperature: {name: Air, tags: [t], attributes: {floor: "1"}}
"""
    [made] = loads(SENSOR + text).destinations

    with closing(made.build()) as destination:
        assert isinstance(destination, TempoDB)
        assert destination.limit == 1000


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "hub.local"},
        {"key": ""},
        {"key": "a:b"},
        {"batch": 0},
        {"batch": 2001},
        {"series": {"": Described()}},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(BadValue):
        TempoDB(**{"base_url": "http://x", "key": "k"} | options)  # type: ignore[arg-type]
