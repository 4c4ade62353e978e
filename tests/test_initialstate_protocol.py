"""Initial State's wire format: what goes in comes out, and a bad event costs only itself."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger import epoch
from pilogger.errors import BadValue
from pilogger.protocols.initialstate import (
    Event,
    decode_bucket,
    decode_events,
    encode_bucket,
    encode_events,
)
from pilogger.sample import Point

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
KEY = TEXT.filter(lambda text: 1 <= len(text) <= 250)
VALUE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    TEXT,
)
EPOCH = st.one_of(
    st.integers(-(10**12), 10**15).map(epoch.text),
    st.floats(allow_nan=False, allow_infinity=False).map(epoch.text),
    st.decimals(-(10**12), 10**12, places=12).map(epoch.text),
    st.sampled_from(["1.5e9", "1E+2", "-0", "0.10", "1795217624.000"]).map(epoch.text),
)


def only(body: str) -> Event:
    events, refused = decode_events(body)
    assert refused == []
    (event,) = events
    return event


def why(body: str) -> str:
    events, refused = decode_events(body)
    assert events == []
    (sentence,) = refused
    return sentence


@given(st.lists(st.builds(Point, st.just(1), KEY, EPOCH, VALUE)))
def test_readings_come_out_as_they_went_in(points: list[Point]) -> None:
    """Values keep their kind, epochs their very text."""
    events, refused = decode_events(encode_events(points))

    assert refused == []
    assert events == [(point.series, point.value, point.epoch) for point in points]
    kinds = [type(event.value) for event in events]
    assert kinds == [type(point.value) for point in points]


@given(st.lists(st.builds(Point, st.just(1), KEY, EPOCH, VALUE)))
def test_the_body_is_plain_ascii_json(points: list[Point]) -> None:
    """Any JSON parser reads it, whatever the charset it assumes."""
    plain = json.loads(encode_events(points).decode("ascii"))

    assert [event["key"] for event in plain] == [point.series for point in points]
    assert [event["value"] for event in plain] == [point.value for point in points]


def test_the_body_of_the_real_streamer_is_understood() -> None:
    """As recorded from ISStreamer 2.0.0."""
    event = only('[{"key": "temperature", "value": 32, "epoch": 1795217624.4833982}]')

    assert event == Event("temperature", 32, "1795217624.4833982")


def test_one_event_needs_no_list() -> None:
    assert only('{"key": "a", "value": "on"}') == Event("a", "on", None)


@pytest.mark.parametrize(
    ("fields", "exact"),
    [
        ('"epoch": 1795217624', "1795217624"),
        ('"epoch": 1.50', "1.50"),
        ('"epoch": 0', "0"),
        ('"epoch": 32503680000000', "32503680000000"),
        ('"epoch": null', None),
        ('"epoch": 7, "iso8601": "2014-01-01T00:00:00Z"', "7"),
        ('"iso8601": "2014-01-01T00:00:00.250Z"', "1388534400.250"),
        ('"iso8601": "2014-01-01T00:00:00.25-05:00"', "1388552400.25"),
        ('"iso8601": "20140101T000000,123456789+0100"', "1388530800.123456789"),
        ('"iso8601": "1969-12-31T23:59:59.25Z"', "-0.75"),
        ('"iso8601": "2014-01-01 00:00Z"', "1388534400"),
    ],
)
def test_the_epoch_keeps_its_text(fields: str, exact: str | None) -> None:
    """A number as written; ISO 8601 keeps its decimals; a number wins over ISO 8601."""
    assert only(f'[{{"key": "a", "value": 1, {fields}}}]').epoch == exact


def test_null_says_that_there_is_no_reading() -> None:
    """Old clients send None as null: not a mistake, and nothing to keep."""

    assert decode_events('[{"key": "a", "value": null}, {"key": "b", "value": 0}]') == (
        [Event("b", 0, None)],
        [],
    )


BAD = [
    ('{"key": "a", "value": NaN}', "nan"),
    ('{"key": "a", "value": -Infinity}', "-inf"),
    ('{"key": "a", "value": 1e999}', "inf"),
    ('{"key": "a", "value": [1]}', "not list"),
    ('{"key": "a", "value": {"b": 1}}', "not dict"),
    ('{"key": "a", "value": 9223372036854775808}', "64 bits"),
    ('{"key": "a", "value": -%s}' % ("9" * 5000), "64 bits"),
    ('{"key": "a", "value": "\\ud800"}', "surrogate"),
    ('{"key": "a", "value": "\\u0000"}', "NUL"),
    ('{"key": "a"}', "value is missing"),
    ('{"value": 1}', "key is missing"),
    ('{"key": 7, "value": 1}', "key is not text"),
    ('{"key": "", "value": 1}', "key has 0 characters"),
    ('{"key": "%s", "value": 1}' % ("k" * 251), "key has 251 characters"),
    ('{"key": "a", "value": 1, "epoch": "now"}', "epoch is not a number"),
    ('{"key": "a", "value": 1, "epoch": true}', "epoch is not a number"),
    ('{"key": "a", "value": 1, "epoch": NaN}', "epoch is not a number"),
    ('{"key": "a", "value": 1, "epoch": %s}' % ("9" * 65), "an epoch is a number"),
    ('{"key": "a", "value": 1, "iso8601": 5}', "offset included"),
    ('{"key": "a", "value": 1, "iso8601": "2014-01-01T00:00:00"}', "offset included"),
    ('{"key": "a", "value": 1, "iso8601": "2014-01-01-05:00"}', "offset included"),
    ('{"key": "a", "value": 1, "iso8601": "2014-02-30T00:00:00Z"}', "no moment"),
    ('"a"', "JSON object"),
]


@pytest.mark.fault(73, 75, 76)
@pytest.mark.parametrize(("bad", "sentence"), BAD)
def test_a_bad_event_costs_only_itself(bad: str, sentence: str) -> None:
    """Its neighbours are kept, and the sentence tells which one and why."""
    good = '{"key": "good", "value": 1}'

    events, (refused,) = decode_events(f"[{good}, {bad}, {good}]")

    assert [event.key for event in events] == ["good", "good"]
    assert refused.startswith("event 2")
    assert sentence in refused


def test_a_sentence_names_the_key_in_harmless_characters() -> None:
    """Line ends and escape sequences of a stranger stay out of our log."""
    assert why('{"key": "a\\n\\u001b[31m"}') == "event 1 ('a\\n\\x1b[31m'): value is missing"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"[{]", "not JSON"),
        (b'"text"', "a list of them"),
        (b"5", "a list of them"),
        (b'[{"key": "\xff"}]', "not UTF-8: byte 10"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_holds_no_events_is_refused_as_a_whole(body: bytes, sentence: str) -> None:
    with pytest.raises(BadValue, match=sentence):
        decode_events(body)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(
            st.sampled_from(["key", "value", "epoch", "iso8601", "bucketKey", "bucketName"]),
            inner,
        ),
    ),
)
ISO_LIKE = st.from_regex(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}[T ][0-9:.,+Z-]{0,30}", fullmatch=True)


ISO_EVENT = ISO_LIKE.map(lambda moment: json.dumps({"key": "a", "value": 1, "iso8601": moment}))


@given(st.one_of(st.binary(), JSON.map(json.dumps), ISO_EVENT))
def test_nothing_but_bad_value_comes_out_of_a_strangers_body(body: bytes | str) -> None:
    """And each event is counted: taken or refused; but null says that there is no reading."""
    try:
        events, refused = decode_events(body)
    except BadValue:
        return
    found = json.loads(body)
    items = found if isinstance(found, list) else [found]
    nulls = sum(isinstance(item, dict) and item.get("value", "") is None for item in items)

    assert len(items) - nulls <= len(events) + len(refused) <= len(items)


@given(KEY, st.one_of(st.just(""), KEY))
def test_a_bucket_comes_out_as_it_went_in(key: str, name: str) -> None:
    assert decode_bucket(encode_bucket(key, name)) == (key, name)


def test_a_bucket_needs_no_name() -> None:
    assert decode_bucket('{"bucketKey": "k"}') == ("k", "")
    assert decode_bucket('{"bucketKey": "k", "bucketName": null}') == ("k", "")


@pytest.mark.fault(76)
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("[]", "a bucket is a JSON object"),
        ("{}", "bucketKey is missing"),
        ('{"bucketKey": 5}', "bucketKey is not text"),
        ('{"bucketKey": ""}', "bucketKey has 0 characters"),
        ('{"bucketKey": "%s"}' % ("k" * 251), "bucketKey has 251 characters"),
        ('{"bucketKey": "k", "bucketName": 5}', "bucketName is not text"),
        ("{", "not JSON"),
    ],
)
def test_a_bucket_that_cannot_be_kept_is_refused(body: str, sentence: str) -> None:
    with pytest.raises(BadValue, match=sentence):
        decode_bucket(body)
