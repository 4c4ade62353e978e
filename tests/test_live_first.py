"""`order: live_first`: what is new does not wait for a backlog, and the backlog not for it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import damage_rig as damage
import logger_rig as rig
import pytest
import wire_rig as wire
from test_outbox import feed, opened, temperatures

from pilogger.agent import Agent
from pilogger.config import load
from pilogger.destinations.initialstate import Bucket, InitialState
from pilogger.errors import StoreBroken
from pilogger.sample import Point, Sample
from pilogger.store import Outbox, Store, beside
from pilogger.store.journal import Journal, whole_lines
from pilogger.testing import FakeClock
from pilogger.uploader import Uploader

OLD = 4000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    with closing(Store.open(tmp_path / "x.db", clock, durability=1e9)) as store:
        store.declare("air", {"t": "Cel"})
        yield store


def poll(store: Store, clock: FakeClock, count: int = 1) -> None:
    """Take samples whose values count on."""
    first = store.stored
    store.append([Sample("air", {"t": first + n}, clock.boot()) for n in range(count)])


def outage(store: Store, clock: FakeClock, count: int) -> None:
    """Take samples, and let them grow old."""
    poll(store, clock, count)
    store.flush()
    clock.advance(121)


def send(outbox: Outbox, limit: int = 100) -> list[object]:
    if batch := outbox.take(limit):
        outbox.settle(batch)
    return [point.value for point in batch.points] if batch else []


class Hub:
    """Takes events by HTTP; `requests` holds the values of each request."""

    def __init__(self) -> None:
        self.requests: list[list[Any]] = []
        self.down = False

    def count(self, value: object) -> int:
        return sum(values.count(value) for values in self.requests)

    def talk(self, server: wire.Wire, connection: socket.socket) -> None:
        while head := self._ask(server, connection):
            connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % head)

    def _ask(self, server: wire.Wire, connection: socket.socket) -> bytes:
        before = len(server.received)
        head = server.request(connection)
        if self.down or b"/api/events" not in head:
            return b"503 Away" if self.down else b"201 Created" * bool(head)
        body = server.received[before + len(head) + 4 :]
        self.requests.append([event["value"] for event in json.loads(body)])
        return b"200 OK"


@pytest.mark.fault(70)
def test_a_live_reading_waits_for_one_request_of_the_backlog(
    store: Store, clock: FakeClock
) -> None:
    """They take turns: each second request has all that was taken until then."""
    outage(store, clock, OLD)
    store.seal()
    hub = Hub()
    with wire.serving(hub.talk) as server, closing(store.outbox("hub", order="live_first")) as box:
        place = InitialState("key", Bucket("b"), server.url, batch=200)
        sender = Uploader(place, box, clock, "hub", Random(1))
        while not hub.requests or OLD - 1 not in hub.requests[-1]:
            poll(store, clock)
            asked = len(hub.requests)
            while len(hub.requests) == asked:
                clock.advance(sender.step())
        while box.pending():
            clock.advance(sender.step())
        place.close()
    is_live = [values[0] >= OLD for values in hub.requests]
    live = [values for values in hub.requests if values[0] >= OLD]
    owed = [values for values in hub.requests if values[0] < OLD]

    assert len(owed) > 20
    assert is_live[: 2 * len(owed)] == [True, False] * len(owed)
    assert [values[-1] for values in live[: len(owed)]] == [OLD + 2 * n for n in range(len(owed))]
    assert [*chain(*owed)] == list(range(OLD))
    assert [*chain(*live)] == list(range(OLD, store.stored))


def test_a_live_reading_goes_at_once_and_all_others_oldest_first(
    store: Store, clock: FakeClock
) -> None:
    """After several outages, too; where there is nothing live, the backlog has every turn."""
    outbox = store.outbox("there", order="live_first")
    sent = []
    for _ in range(2):
        outage(store, clock, 10)
        poll(store, clock)
        sent += [send(outbox, 4), send(outbox, 4)]
    waiting = outbox.pending()
    sent += [send(outbox, 4) for _ in range(5)]

    assert sent[:4] == [[10], [0, 1, 2, 3], [21], [4, 5, 6, 7]]
    assert sent[4:] == [[8, 9], [11, 12, 13, 14], [15, 16, 17, 18], [19, 20], []]
    assert waiting == 12


def test_what_waited_for_less_than_two_minutes_is_live(store: Store, clock: FakeClock) -> None:
    """A link that is slow, or away for a moment, changes no order."""
    outbox = store.outbox("there", order="live_first")
    poll(store, clock, 5)
    store.flush()
    clock.advance(119)
    poll(store, clock, 5)

    assert send(outbox) == list(range(10))


def test_an_earlier_start_of_the_machine_is_no_live_one(tmp_path: Path, clock: FakeClock) -> None:
    """However short ago that was; the reading of this start goes first."""
    store = opened(tmp_path / "x.db")
    feed(store, 0, 3)
    store.close()
    store = Store.open(tmp_path / "x.db", FakeClock(boot_id="boot-2"), durability=1e9)
    store.declare("air", {"t": "Cel", "h": "%"})
    feed(store, 3, 1)
    outbox = store.outbox("there", order="live_first")
    feed(store, 4, 1)
    order = [temperatures(outbox.take(10))]
    send(outbox)
    order.append(temperatures(outbox.take(10)))
    store.close()

    assert order == [[4], [0, 1, 2, 3]]


def test_a_new_destination_that_wants_all_gets_what_is_new_first(
    store: Store, clock: FakeClock
) -> None:
    """With `start: now` nothing is owed to it."""
    outage(store, clock, 5)
    everything = store.outbox("all", order="live_first")
    now = store.outbox("now", start="now", order="live_first")
    poll(store, clock)

    assert [send(everything), send(everything)] == [[5], [0, 1, 2, 3, 4]]
    assert [send(now), send(now)] == [[5], []]


def test_readings_that_wait_for_the_clock_say_so(tmp_path: Path) -> None:
    """Those that were passed over as well; when it is right they go, the live ones first."""
    clock = FakeClock()
    store = opened(tmp_path / "x.db")
    feed(store, 0, 2)
    store.close()
    clock = clock.reboot("boot-2")
    store = Store.open(tmp_path / "x.db", clock)
    store.declare("air", {"t": "Cel", "h": "%"})
    store.append([Sample("air", {"t": n}, clock.boot()) for n in (2, 3)])
    outbox = store.outbox("there", order="live_first")
    first = send(outbox)
    nothing, why = send(outbox), outbox.waiting
    clock.ntp()
    store.tend_clock()
    rest = send(outbox)
    store.close()

    assert first == [0, 0, 1, -1]
    assert nothing == []
    assert "the clock has not been right" in why
    assert rest == [2, 3]


def test_the_cursor_and_what_it_passes_over_are_one_write(store: Store, clock: FakeClock) -> None:
    """No kill comes between them, which would lose what was passed over."""
    outbox = store.outbox("there", order="live_first")
    outage(store, clock, 5)
    outbox.take(100)
    paths = [beside(store.path, f"fresh-{n}") for n in (0, 1)]
    lines = [line for path in paths for line in whole_lines(path) if line]

    assert [[write[0] for write in line] for line in lines][-1] == ["behind", "destination"]


def test_a_journal_from_the_past_brings_no_backlog_back(tmp_path: Path) -> None:
    """What was sent of it stays sent, whatever a power cut left in the journal."""
    store = opened(path := tmp_path / "x.db")
    passed = [("behind", "d", 1, 500), ("destination", "d", 500, 0, 0)]
    store.writer.write([("destination", "d", 0, 0, 0)])
    store.writer.write(passed)
    store.writer.write([("sent_to", "d", 1, 400)])
    store.close()
    with closing(Journal(path, store.identity)) as stale:
        stale.append(passed)
    store = opened(path)
    found = store.writer.connection.execute("SELECT * FROM held").fetchall()
    store.close()

    assert found == [("d", 401, 500, "backlog")]


@pytest.mark.parametrize("running", [True, False])
def test_a_backlog_survives_a_store_that_was_damaged(tmp_path: Path, running: bool) -> None:
    """Half sent when the file gives way to a new one: the other half comes back, and is sent."""
    path, clock = tmp_path / damage.NAME, FakeClock()
    store = Store.open(path, clock, durability=3600)
    damage.declare(store)
    damage.fill(store, clock, 1500, Random(1))
    store.seal()
    clock.advance(121)
    outbox = store.outbox("there", order="live_first")
    store.append([Sample("door", {"closed": True}, clock.boot())])
    points: list[Point] = []
    for _ in range(3):
        batch = outbox.take(1000)
        assert batch is not None
        points += batch.points
        outbox.settle(batch)
    before = damage.everything(store)
    if running:
        damage.break_table(store, "block_seq")
        with pytest.raises(StoreBroken, match="was damaged"):
            outbox.take(1000)
    else:
        store.close()
        damage.zero_first(path, Random(1))
        store = Store.open(path, FakeClock(boot_id="boot-2"))
        outbox = store.outbox("there", order="live_first")
    assert store.salvage.join(30)
    left = len(before) - len(points)
    outbox.take(1000)
    pending = outbox.pending()
    while batch := outbox.take(1000):
        points += batch.points
        outbox.settle(batch)
    store.close()

    assert damage.of(points) == before
    assert len(points) == len(before)
    assert pending == left


def test_a_reload_changes_the_order(tmp_path: Path) -> None:
    """What is new then passes by what has waited; nothing is lost or sent twice by that."""
    store = Store.open(tmp_path / "pilogger.db", FakeClock())
    store.declare("was", {"": ""})
    store.append([Sample("was", {"": "old"}, n) for n in range(OLD)])
    store.close()
    hub = Hub()
    hub.down = True
    with wire.serving(hub.talk) as server:
        path = rig.configure(tmp_path, server.port)
        with Agent(load(path)) as agent:
            rig.eventually(lambda: agent.state()["destinations"][0]["outcome"] == "waiting")
            rig.eventually(lambda: agent.store.stored > 10)
            config = json.loads(path.read_text())
            config["destinations"][0]["order"] = "live_first"
            path.write_text(json.dumps(config))
            agent.reload(load(path))
            hub.down = False
            rig.eventually(lambda: hub.count("old") == OLD)

    assert any("old" not in values for values in hub.requests[:2])
    assert hub.count("old") == OLD
