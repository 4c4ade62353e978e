"""The wire format of TempoDB's API, both directions.

Source: the README of the Python client `tempodb` 0.5.0, what that client was seen to send,
and answers of the service that its vendor recorded for the tests of other clients. All
paths start with /v1 and end in a slash; a series goes by its id or by its key, which is
percent-encoded whole:

    series/                      POST {"key": k} makes one; GET and DELETE choose by filters
    series/id/{id}/              PUT its name, tags and attributes
    series/{id|key}/{ref}/data/  POST [{"t": time, "v": value}]; GET and DELETE a span
    series/{id|key}/{ref}/increment/   POST, as data
    data/  increment/            POST {"t": time, "data": [{"id" or "key", "v"}]}; GET data/
    multi/  multi/increment/     POST [{"t", "id" or "key", "v"}]

Times are ISO 8601; one without an offset is in UTC. Success is 200 and nothing else, its body
empty where there is nothing to tell; 207 has a status for each point.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from math import inf
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

from pilogger.errors import BadValue
from pilogger.periods import from_text
from pilogger.protocols import untrusted
from pilogger.sample import Value, check_text, check_value

VERSION = "v1"
IDEMPOTENCY_KEY = "Idempotency-Key"
"""Names a request, so that a repetition is answered and not done again. Not TempoDB's."""

MAX_KEY = 512
"""Longest series key, in characters; TempoDB names no limit."""

KEY = re.compile(r"[A-Za-z0-9.:;\-_/\\ ]*")
"""What the client lets through as a series key; the API has no such rule."""

NO_VALUE = "Must provide a numeric value"
NO_SERIES = "Must provide a series ID or key"
NO_TIME = "Must provide a timestamp"

encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class Item(NamedTuple):
    """One point as it arrives: its epoch in nanoseconds, its value, its series if it names one."""

    at: int
    value: Value
    id: str = ""
    key: str = ""


class Facts(NamedTuple):
    """What the API tells of a series."""

    id: str
    key: str
    name: str
    tags: Sequence[str]
    attributes: Mapping[str, str]


class Filters(NamedTuple):
    """Which series are meant: one of `ids` or `keys`, all `tags`, all `attributes`."""

    ids: Sequence[str] = ()
    keys: Sequence[str] = ()
    tags: Sequence[str] = ()
    attributes: Mapping[str, str] = {}


ALL = Filters()


# -- addresses ---------------------------------------------------------------------------


def encode_path(*parts: str) -> str:
    """Write a path; nothing in a part keeps a meaning, so `ke:y/1` is one part."""
    return "/".join(["", VERSION, *(quote(part, safe="") for part in parts), ""])


def decode_path(raw: bytes) -> list[str]:
    """Read the parts of a path that nobody has decoded yet, without the version.

    Raises:
        BadValue: a part is not UTF-8.
    """
    try:
        return [unquote_to_bytes(part).decode() for part in raw.strip(b"/").split(b"/")[1:]]
    except UnicodeDecodeError:
        raise BadValue("the path is not UTF-8") from None


def encode_query(filters: Filters = ALL, **options: str | None) -> str:
    """Write a query; what is empty is left out."""
    pairs = [
        *(("id", each) for each in filters.ids),
        *(("key", each) for each in filters.keys),
        *(("tag", each) for each in filters.tags),
        *((f"attr[{name}]", value) for name, value in filters.attributes.items()),
        *((name, value) for name, value in options.items() if value),
    ]
    return urlencode(pairs)


def decode_query(query: bytes) -> tuple[Filters, dict[str, str]]:
    """Read a query: filters, and the rest.

    Raises:
        BadValue: it is not UTF-8, or no store could hold such text.
    """
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadValue("the query is not UTF-8, or has too many fields") from None
    found: dict[str, list[str]] = {"id": [], "key": [], "tag": []}
    attributes: dict[str, str] = {}
    options: dict[str, str] = {}
    for name, value in pairs:
        check_text(name + value)
        if name in found:
            found[name].append(value)
        elif name.startswith("attr[") and name.endswith("]"):
            attributes[name[5:-1]] = value
        else:
            options[name] = value
    return Filters(found["id"], found["key"], found["tag"], attributes), options


# -- points ------------------------------------------------------------------------------


def encode_points(points: Iterable[tuple[date, Value]]) -> bytes:
    """Write the points of one series."""
    return _body([{"t": at.isoformat(), "v": value} for at, value in points])


def encode_bulk(at: date, data: Iterable[Mapping[str, Any]]) -> bytes:
    """Write points of one moment: each names its series by `id` or `key`, its value is `v`."""
    return _body({"t": at.isoformat(), "data": [*data]})


def encode_multi(data: Iterable[Mapping[str, Any]]) -> bytes:
    """Write points of many series and moments, each as in `encode_bulk` with its time `t`."""
    return _body(
        [
            {name: v.isoformat() if isinstance(v, date) else v for name, v in item.items()}
            for item in data
        ]
    )


def decode_points(body: bytes) -> list[Item | list[str]]:
    """Read the points of one series; a point that is none becomes what is wrong with it.

    Raises:
        BadValue: the body as a whole is no list of points.
    """
    return [_item(found, named=False) for found in _list(parse(body))]


def decode_bulk(body: bytes) -> list[Item | list[str]]:
    """Read points of one moment, as `decode_points` does."""
    found = parse(body)
    if not isinstance(found, dict):
        raise BadValue('points of one moment are like {"t": ..., "data": [...]}')
    at = found.get("t")
    if not isinstance(at, str):
        raise BadValue("t is missing, or is no text")
    _time(at)
    return [
        _item({**item, "t": at} if isinstance(item, dict) else item)
        for item in _list(found.get("data"))
    ]


def decode_multi(body: bytes) -> list[Item | list[str]]:
    """Read points of many series and moments, as `decode_points` does."""
    return [_item(found) for found in _list(parse(body))]


def _item(found: object, *, named: bool = True) -> Item | list[str]:
    """Read one point, or say all that is wrong with it; a missing time only if nothing else is."""
    if not isinstance(found, dict):
        return ["a point is a JSON object"]
    wrong = []
    value = found.get("v")
    id, key = (found.get("id") or "", found.get("key") or "") if named else ("", "")
    if not isinstance(value, bool | int | float):
        wrong.append(NO_VALUE)
    if named and not (id or key):
        wrong.append(NO_SERIES)
    at = found.get("t")
    try:
        if not wrong:
            check_value(value)
        for name, text in (("id", id), ("key", key)):
            if text != "":
                check = _ref if isinstance(text, str) else check_key
                check(text, name)
        if not wrong and isinstance(at, str):
            return Item(_time(at), value, id, key)  # type: ignore[arg-type]  # it is a number
    except BadValue as error:
        wrong.append(str(error))
    return wrong or [NO_TIME]


@lru_cache(maxsize=1024)
def _time(text: str) -> int:
    return from_text(text)


def encode_multistatus(messages: Sequence[Sequence[str]]) -> bytes:
    """Write the body of a 207: what is wrong with each point, in their order."""
    return _body(
        {
            "multistatus": [
                {"status": "422" if wrong else "200", "messages": [*wrong]} for wrong in messages
            ]
        }
    )


def decode_multistatus(body: str) -> list[tuple[int, list[str]]]:
    """Read the body of a 207: a status and messages for each point; statuses may be numbers.

    Raises:
        BadValue: it is something else.
    """
    try:
        return [
            (int(one["status"]), [str(each) for each in one.get("messages", [])])
            for one in json.loads(body)["multistatus"]
        ]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise BadValue("the answer 207 has no list multistatus") from None


# -- series ------------------------------------------------------------------------------


def encode_series(facts: Facts) -> dict[str, Any]:
    """Make what JSON is written of."""
    return {
        "id": facts.id,
        "key": facts.key,
        "name": facts.name,
        "tags": [*facts.tags],
        "attributes": {**facts.attributes},
    }


def decode_new(body: bytes) -> str:
    """Read the key of a series that is to be made; '' if it is to get one.

    Raises:
        BadValue: the body is no JSON object, or the key cannot be one.
    """
    found = parse(body) if body.strip() else {}
    if not isinstance(found, dict):
        raise BadValue("a series is a JSON object")
    key = found.get("key")
    return "" if key in (None, "") else check_key(key)


def decode_series(body: bytes, now: Facts) -> Facts:
    """Read what a series is to be; what is not said stays as it is `now`.

    Raises:
        BadValue: it is not JSON, of another series, or has what no series can have.
    """
    found = parse(body)
    if not isinstance(found, dict):
        raise BadValue("a series is a JSON object")
    if found.get("id", now.id) != now.id:
        raise BadValue("the id in the body is not that of the address")
    if found.get("key", now.key) != now.key:
        raise BadValue("a series keeps its key: make another, and delete this one")
    name, tags = found.get("name", now.name), found.get("tags", now.tags)
    attributes = found.get("attributes", now.attributes)
    if not isinstance(name, str):
        raise BadValue("name is not text")
    if not (isinstance(tags, list | tuple) and all(isinstance(tag, str) for tag in tags)):
        raise BadValue("tags is not a list of text")
    texts = attributes.values() if isinstance(attributes, dict) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise BadValue("attributes is not an object whose values are text")
    check_text("".join([name, *tags, *attributes, *texts]))
    return Facts(now.id, now.key, name, tags, attributes)


def check_key(key: object, what: str = "key") -> str:
    """Return the id or key of a series if it can be one.

    Raises:
        BadValue: with a sentence that calls it by `what`.
    """
    if not isinstance(key, str):
        raise BadValue(f"{what} is not text")
    if not 1 <= len(key) <= MAX_KEY:
        raise BadValue(f"{what} has {len(key)} characters; 1 to {MAX_KEY} are possible")
    if key in (".", ".."):
        raise BadValue(f"{what} cannot be {key!r}: on its way an address would lose it")
    if not key.isprintable():
        raise BadValue(f"{what} has characters that cannot be printed")
    return check_text(key)


_ref = lru_cache(maxsize=4096)(check_key)


# -- data sets ---------------------------------------------------------------------------


class Rollup(NamedTuple):
    """How points were rolled up: `interval` is an ISO 8601 period such as PT1H."""

    interval: str
    function: str
    tz: str


def encode_dataset(
    facts: Facts,
    span: tuple[str, str],
    points: Iterable[tuple[str, float | str | None]],
    rollup: Rollup | None,
    summary: Mapping[str, float | None],
) -> Iterator[str]:
    """Write points as they come, so that none of them waits for the last."""
    head = {"series": encode_series(facts), "start": span[0], "end": span[1]}
    tail = {"rollup": rollup._asdict() if rollup else None, "summary": {**summary}}
    yield encode(head)[:-1] + ',"data":['
    comma = ""
    for at, value in points:
        yield f'{comma}{{"t":"{at}","v":{encode(value)}}}'
        comma = ","
    yield "]," + encode(tail)[1:]


# -- JSON --------------------------------------------------------------------------------


def parse(body: bytes) -> Any:
    """Parse JSON of unknown origin; a number that no value can be becomes infinite.

    Raises:
        BadValue: it is none.
    """
    return untrusted.parse(body, float, _int)


def _int(text: str) -> float:
    return int(text) if len(text) < 24 else inf  # 20 digits are over 64 bits already


def _list(found: object) -> list[object]:
    if not isinstance(found, list):
        raise BadValue("points are a JSON list")
    return found


def _body(content: object) -> bytes:
    """Write JSON, in ASCII; times may be inside.

    Raises:
        BadValue: it has what JSON cannot hold.
    """
    try:
        return encode(content).encode("ascii")
    except (ValueError, TypeError) as error:
        raise BadValue(f"this cannot be sent: {error}") from None
