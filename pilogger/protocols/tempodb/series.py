"""Series and data sets, as TempoDB's API has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pilogger.errors import BadValue
from pilogger.protocols.tempodb.body import encode, parse
from pilogger.sample import check_text

MAX_KEY = 512
"""Longest series key, in characters; TempoDB names no limit."""

KEY = re.compile(r"[A-Za-z0-9.:;\-_/\\ ]*")
"""What the client lets through as a series key; the API has no such rule."""


class Facts(NamedTuple):
    """What the API tells of a series."""

    id: str
    key: str
    name: str
    tags: Sequence[str]
    attributes: Mapping[str, str]


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
