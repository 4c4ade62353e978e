"""The RudderStack destination: a track for each sample, the same whenever it is sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import UUID, uuid5

import pytest
from rudderstack_rig import Plane, answer, decoded, serving

from pilogger.agent import Agent
from pilogger.config import loads
from pilogger.destinations import Accepted, Identified, LockedOut, Refused, Wait, find
from pilogger.destinations.rudderstack import RudderStack
from pilogger.errors import BadValue
from pilogger.hub import Hub
from pilogger.sample import Point, Sample
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock
from pilogger.uploader import Uploader

STORE = "0123456789abcdef0123456789abcdef"
POINTS = [
    Point(7, "air.temperature", "1795217600.25", 20.5),
    Point(7, "air.humidity", "1795217600.25", 40),
    Point(8, "door", "1795217601", True),
]


@pytest.fixture
def plane() -> Iterator[Plane]:
    with serving() as plane:
        yield plane


Make = Callable[..., RudderStack]


@pytest.fixture
def make(plane: Plane) -> Iterator[Make]:
    made: list[RudderStack] = []

    def destination(**options: Any) -> RudderStack:
        usual = {"write_key": "wk_5up3r", "base_url": plane.url, "user_id": "greenhouse"}
        made.append(RudderStack(**{**usual, **options}))
        made[-1].identify(STORE)
        return made[-1]

    yield destination
    for each in made:
        each.close()


def test_it_is_found_by_its_type(make: Make) -> None:
    assert find("rudderstack") is type(make())
    assert isinstance(make(), Identified)


def test_a_sample_is_a_track(make: Make, plane: Plane) -> None:
    """Its channels are the properties, its time the timestamp."""
    assert make().send(POINTS) == Accepted()

    first, second = plane.messages
    assert first == {
        "type": "track",
        "userId": "greenhouse",
        "anonymousId": None,
        "event": "air",
        "properties": {"temperature": 20.5, "humidity": 40},
        "timestamp": "2026-11-20T23:33:20.250Z",
        "messageId": first["messageId"],
        "context": first["context"],
        "integrations": {"All": True},
        "channel": "server",
    }
    assert first["context"]["library"]["name"] == "pilogger"
    assert (second["event"], second["properties"]) == ("door", {"value": True})


def test_the_event_may_have_a_name(make: Make, plane: Plane) -> None:
    """With the sensor in it or not; then the properties name the sensor."""
    make(event="Measured").send(POINTS)
    make(event="{sensor} of the house").send(POINTS)

    assert [(each["event"], [*each["properties"]]) for each in plane.messages] == [
        ("Measured", ["air.temperature", "air.humidity"]),
        ("Measured", ["door"]),
        ("air of the house", ["temperature", "humidity"]),
        ("door of the house", ["value"]),
    ]


def test_the_user_may_be_anonymous(make: Make, plane: Plane) -> None:
    make(user_id="", anonymous_id="somebody").send(POINTS[:1])

    assert plane.messages[0]["userId"] is None
    assert plane.messages[0]["anonymousId"] == "somebody"


def test_the_id_is_that_of_the_sample_in_its_store(make: Make, plane: Plane) -> None:
    """The same in every batch and process; another for another sample, part or store."""
    make().send(POINTS)
    make().send(POINTS[:2])
    make().send(POINTS[:1])
    other = make()
    other.identify("f" * 32)
    other.send(POINTS[:2])
    whole, door, again, part, elsewhere = (UUID(each["messageId"]) for each in plane.messages)

    assert whole == again
    assert len({whole, door, part, elsewhere}) == 4


def test_the_same_readings_are_the_same_bytes(make: Make, plane: Plane) -> None:
    destination = make()
    destination.send(POINTS)
    destination.send(POINTS)

    first, second = (body for _, _, body in plane.requests)
    assert first == second


@pytest.mark.parametrize(
    ("epoch", "timestamp"),
    [
        ("1795217600", "2026-11-20T23:33:20.000Z"),
        ("1795217600.123456789", "2026-11-20T23:33:20.123456789Z"),
        ("-0.5", "1969-12-31T23:59:59.500Z"),
        ("1.5e9", "2017-07-14T02:40:00.000Z"),
    ],
)
def test_the_time_is_kept(make: Make, plane: Plane, epoch: str, timestamp: str) -> None:
    make().send([POINTS[0]._replace(epoch=epoch)])

    assert plane.messages[0]["timestamp"] == timestamp


def test_a_time_outside_the_calendar_is_refused(make: Make, plane: Plane) -> None:
    """Without a request: there is no text for it."""
    found = make().send([POINTS[0]._replace(epoch="1795217600000")])

    assert isinstance(found, Refused)
    assert "years 1 to 9999" in found.reason
    assert plane.requests == []


def test_an_estimated_time_is_marked(make: Make, plane: Plane) -> None:
    make().send([POINTS[0]._replace(estimated=True), POINTS[2]])

    assert [each["context"].get("clock") for each in plane.messages] == ["estimated", None]


@pytest.mark.fault(68, 91)
@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, LockedOut), (400, Refused), (404, Wait), (429, Wait), (500, Wait), (204, Wait)],
)
def test_an_answer_becomes_an_outcome(
    make: Make, plane: Plane, status: int, kind: type[object]
) -> None:
    """The key is in none of their reasons."""
    plane.script.append(answer(status, "wk_5up3r"))
    found = make().send(POINTS)

    assert isinstance(found, kind)
    assert "wk_5up3r" not in repr(found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"user_id": ""}, "one of user_id and anonymous_id"),
        ({"event": ""}, "event is the name"),
        ({"batch": 0}, "batch is 1 to 10000"),
        ({"base_url": "hub"}, "is like https"),
        ({"write_key": ""}, "write_key is text"),
    ],
)
def test_an_option_that_cannot_work_is_refused(
    make: Make, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadValue, match=words):
        make(**options)


def test_a_hub_has_the_series_of_the_device(tmp_path: Path) -> None:
    """Under their own keys, with their epochs, each once although all was sent twice."""
    device = Store.open(tmp_path / "device.db", FakeClock())
    device.declare("air", {"temperature": "Cel", "humidity": "%"})
    device.append([Sample("air", {"temperature": n, "humidity": 40}, 0, f"{n}.5") for n in (1, 2)])
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        for name in ("first", "second"):
            destination = RudderStack("key", hub.url, user_id="greenhouse")
            destination.identify(device.identity)
            uploader = Uploader(destination, device.outbox(name), FakeClock(), name)
            uploader.start()
            assert uploader.drain(10)
            uploader.stop(1)
        with closing(open_reader(hub.store.path)) as db:
            rows = db.execute("SELECT series, epoch, value FROM reading ORDER BY seq").fetchall()
    device.close()

    assert rows == [
        ("air.temperature", 1.5, 1),
        ("air.humidity", 1.5, 40),
        ("air.temperature", 2.5, 2),
        ("air.humidity", 2.5, 40),
    ]


def test_the_logger_makes_ids_from_its_store(tmp_path: Path, plane: Plane) -> None:
    """From the YAML to the server, in a running agent."""
    text = f"""
        sensors: {{sim: {{driver: simulated, every: 50ms}}}}
        destinations:
          - {{type: rudderstack, write_key: key, base_url: "{plane.url}", user_id: greenhouse}}
        store: {{path: {tmp_path / "x.db"}, durability: 0s}}
        clock: {{trust: system}}
    """
    agent = Agent(loads(dedent(text), "a.yaml", tmp_path))
    agent.start()
    deadline = time.monotonic() + 20
    while not plane.messages and time.monotonic() < deadline:
        time.sleep(0.01)
    agent.stop(drain=5)
    first = plane.messages[0]
    series = [f"sim.{name}" for name in first["properties"]]

    assert first["event"] == "sim"
    assert first["messageId"] == str(uuid5(UUID(agent.store.identity), "\n".join(["1", *series])))


def test_the_body_is_a_batch_in_gzip(make: Make, plane: Plane) -> None:
    make().send(POINTS)
    _, headers, body = plane.requests[0]

    assert headers["Content-Encoding"] == "gzip"
    assert [*decoded(headers, body)] == ["batch", "sentAt"]
    assert json.dumps(decoded(headers, body)["batch"]) == json.dumps(plane.messages)
