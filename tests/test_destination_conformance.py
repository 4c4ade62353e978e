"""What every destination does alike, whatever the server does: one suite for all of them.

Between the destination and a real hub is a server that can be told to misbehave.
"""

from __future__ import annotations

import gzip
import re
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from between import Between, Handler, answer, between, lose_the_answer, relay, say_nothing

from pilogger.destinations import (
    TYPES,
    Accepted,
    Destination,
    Interruptible,
    LockedOut,
    Refused,
    Wait,
)
from pilogger.destinations.http import LONGEST_BODY
from pilogger.destinations.initialstate import Bucket, InitialState
from pilogger.destinations.rudderstack import RudderStack
from pilogger.destinations.tempodb import TempoDB
from pilogger.epoch import nanoseconds, pack
from pilogger.hub import Account, Accounts, Hub
from pilogger.sample import Point, Sample
from pilogger.series import History, find
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock
from pilogger.uploader import Uploader

KEY, SECRET = "key_5up3r", "s3cr3t_of_it"
FIRST = Point(1, "air.temperature", "1795217600.25", 20.5)
POINTS = [Point(n, "air.temperature", f"17952177{n:02}.25", 20 + n / 4) for n in range(2, 10)]

MAKE: dict[str, Callable[[str], Destination]] = {
    "initialstate": lambda url: InitialState(KEY, Bucket("green"), url),
    "rudderstack": lambda url: RudderStack(KEY, url, user_id="pi"),
    "tempodb": lambda url: TempoDB(url, KEY, SECRET),
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    accounts = Accounts([Account("", KEY, SECRET)])
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db", accounts) as hub:
        yield hub


@pytest.fixture
def server(hub: Hub) -> Iterator[Between]:
    with between(hub) as server:
        yield server


@pytest.fixture(params=MAKE)
def destination(request: pytest.FixtureRequest, server: Between) -> Iterator[Destination]:
    made = MAKE[request.param](server.url)
    yield made
    made.close()


@pytest.fixture
def ready(destination: Destination, server: Between) -> Destination:
    """Return a destination that has sent something already: what it makes first is made."""
    assert isinstance(destination.send([FIRST]), Accepted)
    server.seen.clear()
    return destination


@pytest.fixture
def hurried(ready: Destination) -> Destination:
    """Return one with short deadlines."""
    found: Any = ready
    (found.http if hasattr(found, "http") else found._api._http)._times.update(
        connect=1, read=0.3, total=0.6
    )
    return ready


def held(hub: Hub, epoch: str, destination: Destination) -> list[object]:
    """Read which values the hub has of a moment, from this destination."""
    bucket = {"InitialState": "green", "RudderStack": "rudderstack", "TempoDB": ""}
    at = nanoseconds(pack(epoch))
    with closing(open_reader(hub.store.path)) as db:
        found = find(db, "", bucket=bucket[type(destination).__name__])
        history = History(db)
        return [value for one in found for _, _, value in history.read(one.id, at, at + 1)]


def test_every_destination_is_here() -> None:
    """One that is added conforms too."""
    assert set(MAKE) == set(TYPES)


def test_readings_arrive_with_their_exact_epochs(
    destination: Destination, server: Between, hub: Hub
) -> None:
    """And once, however often they are sent; the same readings are the same bytes."""
    points = [point._replace(epoch=f"{point.epoch}1") for point in POINTS]
    assert isinstance(destination.send(points), Accepted)
    last = server.seen[-1].body
    assert isinstance(destination.send(points), Accepted)

    assert server.seen[-1].body == last
    for point in points:
        assert held(hub, point.epoch, destination) == [point.value]


@pytest.mark.fault(9, 59)
def test_a_lost_answer_costs_nothing_and_doubles_nothing(
    ready: Destination, server: Between, hub: Hub
) -> None:
    """What the server stored is sent again, and is there once."""
    server.act = lose_the_answer
    lost = ready.send(POINTS)
    server.act = relay

    assert isinstance(lost, Wait)
    assert not lost.answered
    assert isinstance(ready.send(POINTS), Accepted)
    for point in POINTS:
        assert held(hub, point.epoch, ready) == [point.value]


def identify(destination: Destination, store: Store) -> None:
    """Do what an uploader does first."""
    if isinstance(destination, RudderStack):
        destination.identify(store.identity)


def unsent(body: bytes) -> bytes:
    """Return a body without the time when it was sent."""
    plain = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    return re.sub(rb'"sentAt": ?"[^"]*"', b"", plain)


@pytest.mark.fault(9)
def test_what_was_stored_and_not_noted_is_the_same_batch_again(
    ready: Destination, server: Between, hub: Hub, tmp_path: Path
) -> None:
    """Killed between the hub's answer and our note: the same goes out, and the hub has it once.

    The same bytes too, but for `sentAt`, with which RudderStack learns how wrong a clock is.
    """
    name = type(ready).__name__.lower()
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=3600)
    store.declare("air", {"temperature": "Cel"})
    times = [f"17953{list(TYPES).index(name)}77{n:02}.25" for n in range(50)]
    store.append([Sample("air", {"temperature": n / 4}, n, at) for n, at in enumerate(times)])
    batch = store.outbox(name).take(100)
    assert batch is not None
    identify(ready, store)
    assert isinstance(ready.send(batch.points), Accepted)
    left = tmp_path / "killed"  # what the kernel has when the process is gone
    left.mkdir()
    for file in tmp_path.glob("x.db*"):
        shutil.copy(file, left)
    store.close()
    with closing(Store.open(left / "x.db", FakeClock())) as store:
        again = store.outbox(name).take(100)
        assert again is not None
        with closing(MAKE[name](server.url)) as fresh:
            identify(fresh, store)
            assert isinstance(fresh.send(again.points), Accepted)

    assert again == batch
    assert unsent(server.seen[-1].body) == unsent(server.seen[0].body)
    assert [held(hub, at, ready) for at in times] == [[n / 4] for n in range(50)]


@pytest.mark.fault(60)
def test_a_poison_record_is_set_aside_alone(
    ready: Destination, server: Between, hub: Hub, tmp_path: Path
) -> None:
    """The others of its batch arrive; the server's words are kept with it."""
    poison = "1795218003.5"

    def act(handler: Handler) -> None:
        (answer(400, "poisoned") if b"666.25" in handler.plain() else relay)(handler)

    server.act = act
    clock = FakeClock()
    store = Store.open(tmp_path / "x.db", clock)
    store.declare("air", {"t": "Cel"})
    moments = [f"17952180{n:02}.5" for n in range(8)]
    values = [666.25 if moment == poison else n for n, moment in enumerate(moments)]
    store.append([Sample("air", {"t": n}, 0, at) for n, at in zip(values, moments, strict=True)])
    with closing(store.outbox("it")) as outbox:
        uploader = Uploader(ready, outbox, clock, "it", Random(1))
        for _ in range(60):
            clock.advance(max(uploader.step(), 0.01))
        assert (outbox.pending(), outbox.sent, outbox.refused) == (0, 7, 1)
    store.close()
    with closing(open_reader(tmp_path / "x.db")) as db:
        [(reason,)] = db.execute("SELECT reason FROM set_aside").fetchall()

    assert "poisoned" in reason
    for value, moment in zip(values, moments, strict=True):
        assert held(hub, moment, ready) == ([] if moment == poison else [value])


PAGE = "<!doctype html><html><title>Log in</title></html>"


@pytest.mark.fault(52)
@pytest.mark.parametrize("status", [200, 201, 202, 203])
@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
def test_a_captive_portal_is_no_success(
    ready: Destination, server: Between, status: int, kind: str
) -> None:
    """Whatever it calls itself, a page is not the service; the readings wait."""
    server.act = answer(status, PAGE, Content_Type=kind)
    outcome = ready.send(POINTS)

    assert isinstance(outcome, Wait)
    assert outcome.answered


@pytest.mark.fault(52, 99)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_is_not_followed(
    ready: Destination, server: Between, hub: Hub, status: int
) -> None:
    """Neither readings nor keys go to where nobody sent them."""
    with between(hub) as elsewhere:
        server.act = answer(status, Location=f"{elsewhere.url}/login")
        outcome = ready.send(POINTS)

    assert isinstance(outcome, Wait)
    assert outcome.answered
    assert elsewhere.seen == []


@pytest.mark.fault(55)
def test_a_silent_server_is_waited_for(hurried: Destination, server: Between) -> None:
    """It is told from one in trouble, and costs a deadline."""
    server.act = say_nothing
    outcome = hurried.send(POINTS)

    assert isinstance(outcome, Wait)
    assert not outcome.answered


@pytest.mark.fault(51, 56)
def test_an_answer_that_is_waited_for_can_be_given_up(
    ready: Destination, server: Between, hub: Hub
) -> None:
    """When a network comes, it may come sooner over a new connection."""
    points = [point._replace(epoch=f"{point.epoch}7") for point in POINTS]

    def interrupt(handler: Handler) -> None:
        assert isinstance(ready, Interruptible)
        ready.interrupt()
        say_nothing(handler)

    server.script.append(interrupt)
    outcome = ready.send(points)
    assert isinstance(ready.send(points), Accepted)

    assert isinstance(outcome, Wait)
    assert not outcome.answered
    assert "when a network came" in outcome.reason
    for point in points:
        assert held(hub, point.epoch, ready) == [point.value]


@pytest.mark.fault(57)
def test_a_slow_endless_body_meets_the_deadline(hurried: Destination, server: Between) -> None:
    """Each byte comes in time, the end never."""

    def drip(handler: Handler) -> None:
        handler.send_response_only(200)
        handler.end_headers()
        while not handler.server.done.wait(0.05):
            handler.wfile.write(b"x")

    server.act = drip

    assert isinstance(hurried.send(POINTS), Wait)


@pytest.mark.fault(57)
def test_an_endless_error_is_cut(ready: Destination, server: Between) -> None:
    """The memory holds the start of it, the log a line."""
    server.act = answer(500, "x" * (LONGEST_BODY * 4))
    outcome = ready.send(POINTS)

    assert isinstance(outcome, Wait)
    assert len(outcome.reason) < 1000


@pytest.mark.fault(65)
def test_too_large_is_told_apart(ready: Destination, server: Between) -> None:
    """Smaller batches follow then."""
    server.act = answer(413)
    outcome = ready.send(POINTS)

    assert isinstance(outcome, Refused)
    assert outcome.too_large


NOW = "Sat, 21 Nov 2026 06:00:00 GMT"


@pytest.mark.fault(66)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Sat, 21 Nov 2026 06:01:00 GMT", 60.0),
        ("Saturday, 21-Nov-26 06:01:00 GMT", 60.0),
        ("Sat Nov 21 06:01:00 2026", 60.0),
        ("Sat, 21 Nov 2026 05:59:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_every_form_of_retry_after_is_read(
    ready: Destination, server: Between, status: int, asked: str, seconds: float | None
) -> None:
    """RFC 9110 section 10.2.3, and what servers make of it."""
    server.act = answer(status, Retry_After=asked, Date=NOW)
    outcome = ready.send(POINTS)

    assert isinstance(outcome, Wait)
    assert (outcome.answered, outcome.retry_after) == (True, seconds)


@pytest.mark.fault(60)
@pytest.mark.parametrize("status", [400, 406, 409, 415, 418, 422, 451, 499])
def test_an_unknown_4xx_refuses_with_the_servers_words(
    ready: Destination, server: Between, status: int
) -> None:
    """So the batch is halved until the guilty reading is found."""
    server.act = answer(status, "no such thing")
    outcome = ready.send(POINTS)

    assert isinstance(outcome, Refused)
    assert not outcome.too_large
    assert f"{status}: no such thing" in outcome.reason


@pytest.mark.fault(61, 62)
@pytest.mark.parametrize("status", [401, 402, 403, 407])
def test_a_wrong_key_or_quota_locks_out(ready: Destination, server: Between, status: int) -> None:
    """A person must act; no reading is to blame."""
    server.act = answer(status, "no")

    assert isinstance(ready.send(POINTS), LockedOut)


@pytest.mark.fault(63, 64)
@pytest.mark.parametrize("status", [404, 405, 408, 410, 421, 425, 500, 501, 502, 503, 504, 599])
def test_a_wrong_place_or_a_server_in_trouble_is_waited_for(
    ready: Destination, server: Between, status: int
) -> None:
    """No reading is to blame for these either."""
    server.act = answer(status, "trouble")
    outcome = ready.send(POINTS)

    assert isinstance(outcome, Wait)
    assert outcome.answered


@pytest.mark.fault(91)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 413, 500])
def test_what_is_secret_is_never_quoted(ready: Destination, server: Between, status: int) -> None:
    """A server may send back what it was sent."""

    def echo(handler: Handler) -> None:
        sent = " ".join(handler.headers.values())
        answer(status, f"<p>{sent}", Location=f"/{sent}")(handler)

    server.act = echo
    outcome = ready.send(POINTS)

    assert not isinstance(outcome, Accepted)
    assert KEY not in outcome.reason
    assert b64encode(KEY.encode()).decode()[:8] not in outcome.reason


def test_nobody_there_is_no_answer(ready: Destination, server: Between) -> None:
    """It is told from a server in trouble; when somebody is there again all goes on."""
    port = server.server_port
    with suppress(OSError):
        server.socket.close()
    ready.close()
    outcome = ready.send(POINTS)

    assert isinstance(outcome, Wait)
    assert not outcome.answered
    assert str(port) in outcome.reason


def test_closing_twice_is_fine(ready: Destination) -> None:
    """And sending opens again."""
    ready.close()
    ready.close()

    assert isinstance(ready.send(POINTS), Accepted)
