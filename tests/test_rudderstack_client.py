"""The drop-in for RudderStack's SDK: its calls and what they make."""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from rudderstack_rig import Plane, answer, serving

import pilogger
import pilogger.rudderstack as rudder_analytics
from pilogger.errors import BadValue
from pilogger.hub import Hub
from pilogger.rudderstack import BadCall, Client, TooLarge
from pilogger.store import open_reader

WHEN = datetime(2026, 11, 20, 23, 35, 37, 250000, UTC)
ISO = "2026-11-20T23:35:37.250000+00:00"
COMMON: dict[str, Any] = {
    "timestamp": WHEN,
    "context": {"ip": "1"},
    "integrations": {"All": False},
    "message_id": "m-1",
}
SENT = {
    "timestamp": ISO,
    "context": {"ip": "1", "library": {"name": "pilogger", "version": pilogger.__version__}},
    "integrations": {"All": False},
    "messageId": "m-1",
    "channel": "server",
    "userId": "u",
    "anonymousId": "a",
}

Make = Callable[..., Client]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what is not sent is kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "pilogger"


@pytest.fixture
def plane() -> Iterator[Plane]:
    with serving() as plane:
        yield plane


@pytest.fixture
def make(plane: Plane) -> Iterator[Make]:
    """Makes clients; what they send arrives fast."""
    made: list[Client] = []

    def client(**options: Any) -> Client:
        usual = {"write_key": "key", "host": plane.url, "upload_interval": 0.01}
        made.append(Client(**{**usual, **options}))
        return made[-1]

    yield client
    for each in made:
        each.join()


@pytest.fixture
def unsent() -> Client:
    """A client that checks and sends nothing."""
    return Client("key", send=False)


@pytest.fixture
def module(plane: Plane) -> Iterator[Any]:
    """The module as a program finds it, with its settings for the plane."""
    fresh: Any = importlib.reload(rudder_analytics)
    fresh.write_key, fresh.dataPlaneUrl = "key", plane.url
    yield fresh
    if fresh.default_client:
        fresh.join()
    importlib.reload(rudder_analytics)


# -- the six calls -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "arguments", "fields"),
    [
        ("identify", ["u", {"name": "Ann"}], {"context": SENT["context"]}),
        (
            "track",
            ["u", "Watered", {"litres": 2.5}],
            {"event": "Watered", "properties": {"litres": 2.5}},
        ),
        (
            "page",
            ["u", "Cat", "Docs", {"n": 1}],
            {"category": "Cat", "name": "Docs", "properties": {"n": 1}},
        ),
        (
            "screen",
            ["u", "Cat", "Home", {"n": 1}],
            {"category": "Cat", "name": "Home", "properties": {"n": 1}},
        ),
        ("group", ["u", "g", {"size": 5}], {"groupId": "g", "traits": {"size": 5}}),
    ],
)
def test_a_call_arrives_with_all_its_fields(
    make: Make, plane: Plane, call: str, arguments: list[Any], fields: dict[str, Any]
) -> None:
    """As the original sends it; the call returns the very message."""
    client = make()
    taken, message = getattr(client, call)(*arguments, anonymous_id="a", **COMMON)
    client.flush()

    expected = SENT | fields | {"type": call}
    if call == "identify":
        expected["context"] = {**fields["context"], "traits": {"name": "Ann"}}
    assert taken
    assert plane.messages == [expected]
    assert message == expected


def test_an_alias_arrives(make: Make, plane: Plane) -> None:
    """The former id goes first."""
    client = make()
    client.alias("old", "u", **COMMON)
    client.flush()

    expected = SENT | {"type": "alias", "previousId": "old", "anonymousId": None}
    assert plane.messages == [expected]


def test_what_is_not_given_is_made(unsent: Client) -> None:
    """A new id, the time of now, all destinations; ids are text, always both."""
    before = datetime.now(UTC)
    _, first = unsent.track(7, "Watered")
    _, second = unsent.page(anonymous_id=1.5)

    assert before <= datetime.fromisoformat(first["timestamp"]) <= datetime.now(UTC)
    assert first["messageId"] != second["messageId"]
    assert first["integrations"] == {"All": True}
    assert first["properties"] == {}
    assert (first["userId"], first["anonymousId"]) == ("7", None)
    assert (second["userId"], second["anonymousId"]) == (None, "1.5")
    assert (second["category"], second["name"]) == (None, None)


def test_the_callers_objects_are_left_alone(unsent: Client) -> None:
    """The original adds to the context that it is given."""
    context: dict[str, Any] = {}
    unsent.identify("u", {"a": 1}, context)

    assert context == {}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (WHEN, ISO),
        (WHEN.astimezone(timezone(timedelta(hours=2))), "2026-11-21T01:35:37.250000+02:00"),
        (WHEN.replace(tzinfo=None), ISO),
        ("2026-11-20T23:35:37.25Z", "2026-11-20T23:35:37.25Z"),
        ("2026-11-20", "2026-11-20"),
    ],
)
def test_a_timestamp_may_be_a_datetime_or_text(unsent: Client, given: Any, sent: str) -> None:
    """Text is sent as it is given; a datetime without an offset is UTC."""
    assert unsent.track("u", "e", timestamp=given)[1]["timestamp"] == sent


def test_a_datetime_of_just_now_is_local_time(unsent: Client) -> None:
    """As from datetime.now()."""
    now = datetime.now()  # noqa: DTZ005
    _, message = unsent.track("u", "e", timestamp=now)

    assert datetime.fromisoformat(message["timestamp"]) == now.astimezone()


class Colour(Enum):
    RED = "red"


class Scalar:
    """Like those of numpy."""

    dtype = "int64"

    def tolist(self) -> int:
        return 5


def test_values_of_python_become_json(unsent: Client) -> None:
    """As in the original, and some more."""
    _, message = unsent.track(
        "u",
        "e",
        {
            "decimal": Decimal("1.5"), "fraction": Fraction(1, 4), "set": {1}, "tuple": (1, [2]),
            "enum": Colour.RED, "date": date(2026, 1, 2), "datetime": WHEN, "bytes": b"\xc3\xa4",
            "none": None, "bool": True, "big": 2**70, "scalar": Scalar(), 5: {None: 1},
        },
    )  # fmt: skip

    assert message["properties"] == {
        "decimal": 1.5, "fraction": 0.25, "set": [1], "tuple": [1, [2]],
        "enum": "red", "date": "2026-01-02", "datetime": ISO, "bytes": "ä",
        "none": None, "bool": True, "big": 2**70, "scalar": 5, "5": {"None": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    "bad", [float("nan"), Decimal("inf"), object(), 1j, b"\xff", "\ud800", [object()]]
)
def test_a_value_that_is_no_json_costs_its_key(
    unsent: Client, caplog: pytest.LogCaptureFixture, bad: object
) -> None:
    """With a warning; the message goes without it."""
    _, message = unsent.track("u", "e", {"good": 1, "bad": bad, ("k",): 2})

    assert message["properties"] == {"good": 1}
    assert "'bad' is left out of a message" in caplog.text
    assert "('k',) is left out of a message: a key of type tuple" in caplog.text


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("track", {"event": "e"}, "user_id or anonymous_id is missing"),
        ("track", {"user_id": "", "event": "e"}, "user_id or anonymous_id is missing"),
        ("track", {"user_id": ["u"], "event": "e"}, "an id is text or a number, not list"),
        ("track", {"user_id": True, "event": "e"}, "an id is text or a number, not bool"),
        ("track", {"user_id": "u"}, "event is missing"),
        ("track", {"user_id": "u", "event": 5}, "event is text, not int"),
        ("track", {"user_id": "u", "event": "e", "properties": 5}, "properties is a dict"),
        ("track", {"user_id": "u", "event": "e", "context": [1]}, "context is a dict"),
        ("track", {"user_id": "u", "event": "e", "integrations": [1]}, "integrations is a dict"),
        ("track", {"user_id": "u", "event": "e", "timestamp": 5}, "timestamp is a datetime"),
        ("track", {"user_id": "u", "event": "e", "timestamp": "soon"}, "'soon' is no time"),
        ("identify", {"user_id": "u", "traits": [1]}, "traits is a dict"),
        ("identify", {"user_id": "u", "context": [1]}, "context is a dict"),
        ("page", {"user_id": "u", "category": 5}, "category is text, not int"),
        ("screen", {"user_id": "u", "name": 5}, "name is text, not int"),
        ("group", {"user_id": "u"}, "group_id is missing"),
        ("alias", {"user_id": "u"}, "previous_id is missing"),
        ("alias", {"previous_id": "u"}, "user_id is missing"),
    ],
)
def test_a_wrong_argument_is_an_error_of_the_call(
    unsent: Client, call: str, arguments: dict[str, Any], words: str
) -> None:
    """In words; who caught the original's AssertionError catches this one."""
    with pytest.raises(BadCall, match=words) as caught:
        getattr(unsent, call)(**arguments)

    assert isinstance(caught.value, AssertionError)


def test_what_holds_itself_is_refused(unsent: Client) -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop

    with pytest.raises(BadCall, match="holds itself"):
        unsent.track("u", "e", loop)


def test_a_message_over_the_limit_is_refused_at_the_call(make: Make, plane: Plane) -> None:
    """32 KB as documented, or more where it is allowed; the original raises RuntimeError too."""
    large = {"text": "x" * 32_768}
    client = make()
    with pytest.raises(TooLarge, match="at most 32768 bytes") as caught:
        client.track("u", "e", large)
    client.join()
    other = make(max_message_size=100_000)
    other.track("u", "e", large)
    other.flush()

    assert isinstance(caught.value, RuntimeError)
    assert [message["properties"] for message in plane.messages] == [large]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"write_key": None}, "write_key is text"),
        ({"write_key": ""}, "write_key is text of 1 or more"),
        ({"write_key": "a:b"}, "without a colon"),
        ({"write_key": "k", "host": "hub.local"}, "dataPlaneUrl is like https"),
        ({"write_key": "k", "upload_size": 0}, "upload_size and timeout are above 0"),
        ({"write_key": "k", "timeout": 0}, "upload_size and timeout are above 0"),
    ],
)
def test_a_client_that_cannot_work_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadValue, match=words):
        Client(**options)


# -- the module --------------------------------------------------------------------------------


def test_the_module_is_used_as_in_the_documentation(module: Any, plane: Plane) -> None:
    """Every call of the documentation; like the original's they return nothing."""
    returned = [
        module.identify("1hKOmRA4GRlm", {"email": "alex@example.com", "friends": 16}),
        module.track("123456", "Article Read", {"title": "The Independence"}),
        module.page("userid", "Documentation", "Sample Doc", {"url": "http://rudderstack.com"}),
        module.screen("userid", "Settings", "Brightness", {"from": "Settings Screen"}),
        module.group("1hKOmRA4GRlm", "12", {"name": "Company", "domain": "IT"}),
        module.alias("previous_id", "user_id"),
        module.flush(),
    ]
    module.track("123456", "Late")
    module.shutdown()

    assert set(returned) == {None}
    assert [message["type"] for message in plane.messages] == [
        "identify", "track", "page", "screen", "group", "alias", "track",
    ]  # fmt: skip


def test_the_settings_of_the_module_reach_the_client(
    module: Any, plane: Plane, state: Path
) -> None:
    """Also those that the original ignores there: upload_size and upload_interval."""
    module.gzip, module.upload_size, module.upload_interval = False, 10, 1e6
    module.store = state / "one.db"
    for number in range(35):
        module.track("u", "e", {"n": number})
    module.flush()

    assert [len(batch) for batch in plane.batches] == [10, 10, 10, 5]
    assert "Content-Encoding" not in plane.requests[0][1]
    assert (state / "one.db").exists()


def test_the_other_settings_of_the_module_reach_it_too(
    module: Any, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    """Here with send off: the call makes a client, and nothing is sent."""
    caplog.set_level(logging.WARNING, "pilogger.rudderstack")  # debug is taken back afterwards
    settings = {
        "debug": True, "send": False, "sync_mode": True, "max_queue_size": 7, "timeout": 3,
        "max_message_size": 99_999,
    }  # fmt: skip
    for name, value in settings.items():
        setattr(module, name, value)
    module.track("u", "e")

    assert {name: getattr(module.default_client, name) for name in settings} == settings
    assert plane.requests == []


def test_on_error_of_the_module_hears_after_its_max_retries(module: Any, plane: Plane) -> None:
    """Of each event with all the fields that were sent."""
    told = threading.Event()
    heard: list[tuple[Any, list[dict[str, Any]]]] = []

    def on_error(error: Any, events: list[dict[str, Any]]) -> None:
        heard.append((error, events))
        told.set()

    module.on_error, module.max_retries, module.upload_interval = on_error, 0, 0.01
    plane.always = answer(503, "no")
    module.track("u", "Watered", {"litres": 2.5}, anonymous_id="a", **COMMON)

    assert told.wait(10)
    [(error, events)] = heard
    fields = {"type": "track", "event": "Watered", "properties": {"litres": 2.5}}
    assert (error.status, error.message) == (503, "no")
    assert events == [SENT | fields]


def test_the_documented_defaults() -> None:
    module = importlib.reload(rudder_analytics)

    assert (module.on_error, module.debug, module.send, module.sync_mode) == (
        None, False, True, False,
    )  # fmt: skip
    assert (module.max_queue_size, module.gzip, module.timeout) == (10000, True, 15)
    assert (module.max_retries, module.upload_interval, module.upload_size) == (10, 0.5, 100)


def test_host_is_the_former_name_of_the_address(module: Any, plane: Plane) -> None:
    module.dataPlaneUrl, module.host = None, f"{plane.url}/prefix/"
    module.track("u", "e")
    module.flush()

    assert plane.requests[0][0] == "/prefix/v1/batch"


@pytest.mark.parametrize(
    "call",
    ["__init__", "identify", "track", "page", "screen", "group", "alias", "flush", "join",
     "shutdown"],
)  # fmt: skip
def test_the_parameters_are_the_originals(call: str) -> None:
    """In the same order and with the same defaults; ours come by name only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        original = importlib.import_module("rudderstack.analytics.client").Client

    def parameters(client: type) -> list[tuple[str, object]]:
        found = inspect.signature(getattr(client, call)).parameters.values()
        return [(it.name, it.default) for it in found if it.kind is it.POSITIONAL_OR_KEYWORD]

    assert parameters(Client) == parameters(original)


# -- options -----------------------------------------------------------------------------------


def test_the_request_is_the_originals(make: Make, plane: Plane) -> None:
    """Basic authentication with the key, gzip, batch and sentAt."""
    client = make()
    client.track("u", "e")
    client.flush()
    path, headers, _ = plane.requests[0]

    assert path == "/v1/batch"
    assert headers["Authorization"] == "Basic a2V5Og=="
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Encoding"] == "gzip"


def test_nothing_is_sent_nor_kept_if_send_is_false(plane: Plane, state: Path) -> None:
    """The calls return what they would have sent."""
    client = Client("key", plane.url, send=False)
    taken, message = client.track("u", "e")
    client.shutdown()

    assert (taken, message["event"], client.pending) == (True, "e", 0)
    assert plane.requests == []
    assert not state.exists()


def test_debug_logs_every_step(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("pilogger.rudderstack")
    level = log.level
    client = make(debug=True)
    client.track("u", "e")
    client.flush()
    log.setLevel(level)

    assert "queueing: " in caplog.text
    assert "sending 1 messages" in caplog.text


def test_debug_prints_where_a_program_does_not_log(
    unsent: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody would see it."""
    log = logging.getLogger("pilogger.rudderstack")
    level = log.level
    monkeypatch.setattr(log, "propagate", False)
    Client("key", debug=True, send=False)
    handlers = list(log.handlers)
    for handler in handlers:
        log.removeHandler(handler)
    log.setLevel(level)

    assert [type(handler) for handler in handlers] == [logging.StreamHandler]


@pytest.mark.parametrize("schemeless", [True, False])
def test_a_proxy_is_used(make: Make, plane: Plane, schemeless: bool) -> None:
    """For all addresses, or by scheme."""
    proxy = plane.url.removeprefix("http://")
    client = make(host="http://no.such.host", proxies=proxy if schemeless else {"http": plane.url})
    client.track("u", "e")
    client.flush()

    assert plane.requests[0][0] == "http://no.such.host/v1/batch"


def test_the_hub_takes_what_the_client_sends(tmp_path: Path) -> None:
    """Whole messages, and their numbers as series."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        client = Client("key", hub.url)
        client.track("u", "Watered", {"litres": 2.5}, timestamp=WHEN)
        client.identify("u", {"name": "Ann"})
        client.shutdown()
        with closing(open_reader(hub.store.path)) as db:
            kinds = db.execute("SELECT type FROM message ORDER BY id").fetchall()
            readings = db.execute("SELECT series, epoch, value FROM reading").fetchall()
            (body,) = db.execute("SELECT body FROM message WHERE type = 'track'").fetchone()

    assert kinds == [("track",), ("identify",)]
    assert readings == [("Watered.litres", 1795217737.25, 2.5)]
    assert json.loads(body)["properties"] == {"litres": 2.5}
