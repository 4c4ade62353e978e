"""RudderStack's wire format: a message is kept as it came, and a bad one costs only itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.errors import BadValue
from pilogger.protocols.rudderstack import (
    TYPES,
    Message,
    Number,
    authorization,
    decode_batch,
    decode_call,
    dump,
    encode_batch,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
MESSAGE = st.fixed_dictionaries(
    {
        "type": st.sampled_from(TYPES),
        "userId": st.text("abc", min_size=1),
        "messageId": st.uuids().map(str),
    },
    optional={"properties": JSON, "traits": JSON, "event": JSON, "name": JSON, "timestamp": JSON},
)

TRACK: dict[str, Any] = {
    "type": "track",
    "userId": "greenhouse",
    "anonymousId": None,
    "event": "Watered",
    "properties": {"litres": 2.5, "valves": 3, "by": "hand", "ok": True, "at": {"bed": 1}},
    "timestamp": "2026-11-20T23:35:37.044142+00:00",
    "messageId": "m-1",
}


def body(*messages: object) -> bytes:
    return json.dumps({"batch": messages, "sentAt": "2026-11-20T23:35:37Z"}).encode()


def only(message: object) -> Message:
    messages, refused = decode_batch(body(message))
    assert refused == []
    (found,) = messages
    return found


def why(message: object) -> str:
    messages, refused = decode_batch(body({**TRACK}, message))
    assert [each.id for each in messages] == ["m-1"]
    (sentence,) = refused
    return sentence


@given(st.lists(MESSAGE, max_size=5))
def test_messages_come_out_as_they_went_in(messages: list[dict[str, Any]]) -> None:
    """Whatever JSON is in them."""
    sent = encode_batch([dump(message) for message in messages], "2026-11-20T23:35:37Z")
    found, refused = decode_batch(sent)

    assert refused == []
    assert [json.loads(each.body) for each in found] == messages


@given(st.binary() | JSON.map(json.dumps).map(str.encode) | JSON.map(body))
def test_whatever_arrives_is_read_or_refused(anything: bytes) -> None:
    """No body makes it fail in another way."""
    try:
        messages, refused = decode_batch(anything)
    except BadValue:
        return

    assert all(json.loads(each.body)["messageId"] == each.id for each in messages)
    assert all(refused)


def test_a_track_is_understood() -> None:
    """Numbers at the top of its properties become series; truth values and text do not."""
    found = only(TRACK)

    assert found[:6] == ("m-1", "track", "greenhouse", None, "Watered", TRACK["timestamp"])
    assert found.epoch == "1795217737.044142"
    assert found.numbers == (Number("Watered.litres", 2.5), Number("Watered.valves", 3))
    assert json.loads(found.body) == TRACK


@pytest.mark.parametrize(
    ("kind", "fields", "event"),
    [
        ("page", {"name": "Docs", "properties": {"a": 1}}, "Docs"),
        ("screen", {"name": None}, None),
        ("identify", {"name": "Ann", "traits": {"age": 5}}, None),
        ("group", {"groupId": "g"}, None),
        ("alias", {"previousId": "old"}, None),
    ],
)
def test_other_calls_have_no_series(kind: str, fields: dict[str, Any], event: str | None) -> None:
    """A page and a screen have a name, the others none."""
    found = only({"type": kind, "userId": "u"} | fields)

    assert (found.type, found.event, found.numbers) == (kind, event, ())


@pytest.mark.parametrize(
    ("timestamp", "epoch"),
    [
        ("2026-11-20T23:35:37Z", "1795217737"),
        ("2026-11-20T23:35:37.5+01:00", "1795214137.5"),
        ("2026-11-20T23:35:37", "1795217737"),
        ("yesterday", None),
        (None, None),
        (5, None),
    ],
)
def test_the_time_is_that_of_the_timestamp(timestamp: object, epoch: str | None) -> None:
    """In UTC without an offset; a message whose timestamp is no time is kept all the same."""
    assert only(TRACK | {"timestamp": timestamp}).epoch == epoch


def test_an_original_timestamp_serves_where_there_is_no_other() -> None:
    """As SDKs of other languages send it."""
    found = only(TRACK | {"timestamp": None, "originalTimestamp": "1970-01-01T00:00:05.000Z"})

    assert found.epoch == "5"


def test_a_number_is_an_id_too() -> None:
    assert only(TRACK | {"userId": 7, "anonymousId": 1.5})[2:4] == ("7", "1.5")


def test_a_message_without_an_id_gets_one() -> None:
    """Each its own, because two equal clicks are two."""
    nameless = {key: value for key, value in TRACK.items() if key != "messageId"}
    first, second = only(nameless), only(nameless)

    assert first.id != second.id
    assert json.loads(first.body) == nameless | {"messageId": first.id}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"userId": None}, "message 2: Request neither has anonymousId nor userId"),
        ({"userId": ""}, "neither has anonymousId nor userId"),
        ({"userId": ["u"]}, "userId is neither text nor a number"),
        ({"userId": True}, "userId is neither text nor a number"),
        ({"userId": "a\0"}, "NUL"),
        ({"type": "merge"}, "its type is none of identify, track"),
        ({"type": ["track"]}, "its type is none of"),
        ({"properties": {"a": float("nan")}}, "NaN and infinities"),
        ({"properties": {"a": "\ud800"}}, "half a surrogate pair"),
    ],
)
def test_a_bad_message_costs_only_itself(change: dict[str, Any], words: str) -> None:
    """The reason says which message, and what is wrong."""
    assert words in why(TRACK | change)


def test_what_is_no_message_costs_only_itself() -> None:
    assert "is no JSON object" in why(5)


def test_deep_nesting_costs_only_itself() -> None:
    """SQLite could not read it; what is merely long is no trouble."""
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]

    assert "nested deeper than 200" in why(TRACK | {"properties": {"a": deep}})
    assert only(TRACK | {"properties": {"a": [[]] * 300}}).id == "m-1"


def test_numbers_that_cannot_be_a_reading_stay_in_the_message() -> None:
    """Over 64 bits, or with a name too long for a series."""
    found = only(TRACK | {"properties": {"a": 2**64, "b" * 250: 1}})

    assert found.numbers == ()
    assert json.loads(found.body)["properties"]["a"] == 2**64


def test_a_number_of_absurd_length_costs_only_its_message() -> None:
    text = '{"batch": [{"type": "track", "userId": "u", "event": "e", "n": %s}, %s]}'
    messages, refused = decode_batch(text % ("9" * 5000, json.dumps(TRACK)))

    assert [each.id for each in messages] == ["m-1"]
    assert len(refused) == 1


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "Request body is nil"),
        (b"{", "the body is not JSON"),
        (b"\xff", "not UTF-8: byte 0"),
        (b"[]", "a batch is like"),
        (b"{}", "a batch is like"),
        (b'{"batch": {}}', "a batch is like"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_batch_is_refused_in_words(sent: bytes, words: str) -> None:
    with pytest.raises(BadValue, match=words):
        decode_batch(sent)


def test_a_single_call_has_the_type_of_its_path() -> None:
    """Whether it says one or not."""
    sent = {key: value for key, value in TRACK.items() if key != "type"}

    assert decode_call("track", json.dumps(sent)).type == "track"
    assert decode_call("page", json.dumps(TRACK)).type == "page"
    with pytest.raises(BadValue, match="is no JSON object"):
        decode_call("page", "[]")


def test_what_is_no_json_cannot_be_sent() -> None:
    with pytest.raises(BadValue, match="cannot be written as JSON"):
        dump({"a": float("inf")})


def test_the_key_is_the_user_of_basic_authentication() -> None:
    assert authorization("key") == "Basic a2V5Og=="
