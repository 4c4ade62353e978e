"""TempoDB's wire format: what the original client sends, and what it reads."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.errors import BadValue
from pilogger.protocols import tempodb as wire
from pilogger.protocols.tempodb import Facts, Filters, Item, Rollup

SECOND = 1_000_000_000
NEW_YEAR = 1_325_376_000 * SECOND  # 2012-01-01T00:00:00Z
TS = datetime(2012, 1, 1, 1, 1, tzinfo=UTC)


def test_a_part_of_a_path_is_encoded_whole() -> None:
    """A slash in a key is no slash of the path: measured on the original client."""
    path = wire.encode_path("series", "key", "ke:y/1", "data")

    assert path == "/v1/series/key/ke%3Ay%2F1/data/"
    assert wire.decode_path(path.encode()) == ["series", "key", "ke:y/1", "data"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_key_survives_the_path(key: str) -> None:
    path = wire.encode_path("series", "key", key, "data")

    assert path.isascii()
    assert wire.decode_path(path.encode()) == ["series", "key", key, "data"]


def test_a_query_is_that_of_the_original_client() -> None:
    """Repeated fields for lists, attr[name] for attributes, nothing for what is empty."""
    filters = Filters(["i"], ["a", "b"], ["tag1"], {"room": "7"})
    query = wire.encode_query(filters, start="2012-01-01T00:00:00", function="", tz=None)

    assert query == "id=i&key=a&key=b&tag=tag1&attr%5Broom%5D=7&start=2012-01-01T00%3A00%3A00"
    assert wire.decode_query(query.encode()) == (filters, {"start": "2012-01-01T00:00:00"})


@pytest.mark.parametrize("query", [b"a=%ff", b"\xff=1", b"a=%00"])
def test_a_query_that_is_no_text_is_refused(query: bytes) -> None:
    with pytest.raises(BadValue):
        wire.decode_query(query)


def test_points_are_written_as_documented() -> None:
    """Times as Python writes them; numbers and truth values as JSON has them."""
    naive = datetime(2012, 1, 1, 1, 1)  # noqa: DTZ001 - that is how the original was used
    points = wire.encode_points([(naive, 12.34), (TS, True), (date(2012, 1, 1), 2)])

    assert json.loads(points) == [
        {"t": "2012-01-01T01:01:00", "v": 12.34},
        {"t": "2012-01-01T01:01:00+00:00", "v": True},
        {"t": "2012-01-01", "v": 2},
    ]
    assert wire.decode_points(points) == [
        Item(NEW_YEAR + 3660 * SECOND, 12.34),
        Item(NEW_YEAR + 3660 * SECOND, True),
        Item(NEW_YEAR, 2),
    ]


def test_points_of_one_moment() -> None:
    data = [{"id": "01868c1a", "v": 4.164}, {"key": "foo", "v": 324.991}]
    body = wire.encode_bulk(TS, data)

    assert json.loads(body) == {"t": "2012-01-01T01:01:00+00:00", "data": data}
    assert wire.decode_bulk(body) == [
        Item(NEW_YEAR + 3660 * SECOND, 4.164, id="01868c1a"),
        Item(NEW_YEAR + 3660 * SECOND, 324.991, key="foo"),
    ]


def test_points_of_many_moments_and_what_is_wrong_with_some() -> None:
    """The messages are those of the documentation, in its order."""
    body = wire.encode_multi([{"t": TS, "v": 4.164}, {"t": TS, "id": "38268c3b", "v": 73.13}, {}])

    assert wire.decode_multi(body) == [
        ["Must provide a series ID or key"],
        Item(NEW_YEAR + 3660 * SECOND, 73.13, id="38268c3b"),
        ["Must provide a numeric value", "Must provide a series ID or key"],
    ]


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ("1", "a point is a JSON object"),
        ('{"key": "a", "v": 1}', "Must provide a timestamp"),
        ('{"key": "a", "v": "1", "t": "2012-01-01"}', "Must provide a numeric value"),
        ('{"key": "a", "v": NaN, "t": "2012-01-01"}', "nan is not a number that can be stored"),
        ('{"key": "a", "v": 1e999, "t": "2012-01-01"}', "inf is not a number that can be stored"),
        ('{"key": "a", "v": %s, "t": "2012-01-01"}' % ("9" * 5000), "inf is not"),
        ('{"key": "a", "v": 9223372036854775808, "t": "2012-01-01"}', "at most 64 bits"),
        ('{"key": 1, "v": 1, "t": "2012-01-01"}', "key is not text"),
        ('{"key": "a\\u0000", "v": 1, "t": "2012-01-01"}', "cannot be printed"),
        ('{"key": "a", "v": 1, "t": "yesterday"}', "'yesterday' is no time"),
    ],
)
def test_a_bad_point_costs_itself_only(point: str, message: str) -> None:
    good = '{"key": "b", "v": 1, "t": "2012-01-01"}'
    [wrong, kept] = wire.decode_multi(f"[{point}, {good}]".encode())

    assert isinstance(wrong, list)
    assert message in wrong[0]
    assert kept == Item(NEW_YEAR, 1, key="b")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"1", b"{}", b"[" * 100_000])
def test_a_body_that_is_no_list_of_points_is_refused(body: bytes) -> None:
    for decode in (wire.decode_points, wire.decode_bulk, wire.decode_multi):
        with pytest.raises(BadValue):
            decode(body)


def test_what_json_cannot_hold_is_refused_before_it_is_sent() -> None:
    """NaN: as with the original and a current simplejson, a ValueError."""
    with pytest.raises(ValueError, match="cannot be sent"):
        wire.encode_points([(TS, float("nan"))])


def test_a_multistatus_there_and_back() -> None:
    """On the wire it is the bare object; statuses are text, and numbers are read too."""
    body = wire.encode_multistatus([["Must provide a series ID or key"], []]).decode()

    assert json.loads(body) == {
        "multistatus": [
            {"status": "422", "messages": ["Must provide a series ID or key"]},
            {"status": "200", "messages": []},
        ]
    }
    assert wire.decode_multistatus(body) == [(422, ["Must provide a series ID or key"]), (200, [])]
    assert wire.decode_multistatus('{"multistatus": [{"status": 200}]}') == [(200, [])]
    with pytest.raises(BadValue):
        wire.decode_multistatus("<html>")


def test_a_series_is_changed_by_what_is_said_of_it() -> None:
    now = Facts("0e31", "key2", "", ["old"], {"a": "1"})
    body = b'{"id": "0e31", "key": "key2", "tags": ["tag3"]}'

    assert wire.decode_series(body, now) == Facts("0e31", "key2", "", ["tag3"], {"a": "1"})


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"id": "other"}',
        b'{"key": "other"}',
        b'{"name": 1}',
        b'{"tags": "tag"}',
        b'{"tags": [1]}',
        b'{"attributes": {"a": 1}}',
        b'{"attributes": []}',
        b'{"name": "\\u0000"}',
    ],
)
def test_a_series_cannot_become_just_anything(body: bytes) -> None:
    with pytest.raises(BadValue):
        wire.decode_series(body, Facts("0e31", "key2", "", [], {}))


def test_a_data_set_has_the_shape_that_the_vendor_recorded() -> None:
    facts = Facts("0e31", "key2", "", [], {})
    span = ("2012-01-01T06:00:00.000Z", "2012-01-02T06:00:00.000Z")
    points = [("2012-01-01T06:00:00.000Z", 42.4), ("2012-01-01T06:01:00.000Z", 7)]
    pieces = wire.encode_dataset(facts, span, points, Rollup("PT1H", "max", "UTC"), {"count": 2})

    assert json.loads("".join(pieces)) == {
        "series": {"id": "0e31", "key": "key2", "name": "", "tags": [], "attributes": {}},
        "start": "2012-01-01T06:00:00.000Z",
        "end": "2012-01-02T06:00:00.000Z",
        "data": [
            {"t": "2012-01-01T06:00:00.000Z", "v": 42.4},
            {"t": "2012-01-01T06:01:00.000Z", "v": 7},
        ],
        "rollup": {"interval": "PT1H", "function": "max", "tz": "UTC"},
        "summary": {"count": 2},
    }
