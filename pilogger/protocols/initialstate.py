"""The wire format of Initial State's events API, both directions.

Source: the documentation of the service (repository initialstate/public-api-docs) and
what the streamer `ISStreamer` 2.0.0 was seen to send. Two requests exist, both POST:

    /api/buckets    {"bucketKey": "greenhouse", "bucketName": "Greenhouse"}
    /api/events     [{"key": "air.temperature", "value": 21.4, "epoch": 1795217624.483}]

Events may also be one bare object, and carry `iso8601` in place of `epoch`, or be parameters
of the address: /api/events?accessKey=..&bucketKey=greenhouse&temperature=21.4. A number
keeps its text on the way through, so an epoch comes out as it went in; the service's
habit of replacing epochs of ten years ago with its own time is not followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

from pilogger import epoch
from pilogger.epoch import NUMBER
from pilogger.errors import BadValue
from pilogger.protocols.untrusted import parse
from pilogger.sample import Point, Value, check_text, check_value

BUCKETS_PATH = "/api/buckets"
EVENTS_PATH = "/api/events"

ACCESS_KEY_HEADER = "X-IS-AccessKey"
BUCKET_KEY_HEADER = "X-IS-BucketKey"
VERSION_HEADER = "Accept-Version"
VERSION = "<=0.0.4"  # a semver range; 0.0.1 to 0.0.4 exist
BUCKET_REMOVED = "BUCKET_REMOVED"  # {"message": {"error": {"type": ...}}} of a 400

MAX_KEY = 250
"""Longest event key, bucket key and bucket name, in characters.

The streamer's README says 250 for event keys, the service's documentation 100. Ours is
the larger: the streamer checks nothing, so data with such keys exists and is worth
keeping, and a service that takes less answers for itself.
"""

ISO = re.compile(
    r"(\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d(?::?\d\d)?)"
    r"(?:[.,](\d{1,12}))?"
    r"(Z|[+-]\d\d(?::?\d\d)?)",
    re.ASCII,
)
UNIX = datetime(1970, 1, 1, tzinfo=UTC)


class Event(NamedTuple):
    """One reading as it arrives; `epoch` is exact number text, None the server's time."""

    key: str
    value: Value
    epoch: str | None


def encode_events(points: Sequence[Point]) -> bytes:
    """Write the body of /api/events; the same points always give the same bytes.

    The values are those that `pilogger.sample.check_value` lets through.
    """
    return ("[" + ",\n".join([_event(point) for point in points]) + "]").encode("ascii")


def decode_events(body: bytes | str) -> tuple[list[Event], list[str]]:
    """Read the body of /api/events: the good events, and a sentence for each bad one.

    An event whose value is null says that there is no reading; it is neither.

    Raises:
        BadValue: when the body as a whole is not JSON, or holds no events.
    """
    found = _parse(body)
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise BadValue("events are a JSON object, or a list of them")
    events: list[Event] = []
    refused: list[str] = []
    for number, item in enumerate(found, 1):
        try:
            if event := _read(item):
                events.append(event)
        except BadValue as error:
            refused.append(f"event {number}{_named(item)}: {error}")
    return events, refused


def decode_parameters(parameters: Sequence[tuple[str, str]]) -> tuple[list[Event], list[str]]:
    """Read events from the parameters of an address, without those that are keys.

    Each is an event, at the `epoch` or `iso8601` among them. What looks like a JSON number,
    true or false is one; everything else is text.

    Raises:
        BadValue: when the epoch is none.
    """
    moments: dict[str, str | bytes] = {
        name: value for name, value in parameters if name in ("epoch", "iso8601")
    }
    given = dict(parameters).get("epoch", "")
    if NUMBER.fullmatch(given):
        moments["epoch"] = given.encode()
    when = _epoch(moments)
    events: list[Event] = []
    refused: list[str] = []
    for key, value in parameters:
        if key in moments:
            continue
        try:
            literal = NUMBER.fullmatch(value) or value in ("true", "false")
            events.append(Event(check_key(key), _value(_parse(value) if literal else value), when))
        except BadValue as error:
            refused.append(f"parameter {key[:40]!r}: {error}")
    return events, refused


def encode_bucket(key: str, name: str) -> bytes:
    """Write the body of /api/buckets."""
    return json.dumps({"bucketKey": key, "bucketName": name}).encode("ascii")


def decode_bucket(body: bytes | str) -> tuple[str, str]:
    """Read the body of /api/buckets: key and name; a bucket without a name has ''.

    Raises:
        BadValue: when it is not JSON or names no bucket that can be kept.
    """
    found = _parse(body)
    if not isinstance(found, dict):
        raise BadValue("a bucket is a JSON object")
    key = check_key(found.get("bucketKey"), "bucketKey")
    name = found.get("bucketName")
    return key, "" if name is None or name == "" else check_key(name, "bucketName")


def check_key(key: object, what: str = "key") -> str:
    """Return the key if it is text of 1 to `MAX_KEY` characters.

    Raises:
        BadValue: with a sentence that calls it by `what`.
    """
    if not isinstance(key, str):
        raise BadValue(f"{what} is missing" if key is None else f"{what} is not text")
    if not 1 <= len(key) <= MAX_KEY:
        raise BadValue(f"{what} has {len(key)} characters; 1 to {MAX_KEY} are possible")
    return check_text(key)


_checked = lru_cache(maxsize=4096)(check_key)


@lru_cache(maxsize=4096)
def _key(key: str) -> str:
    return json.dumps(key)


# json.dumps is ten times slower.
_WRITERS: dict[type, Callable[[Any], str]] = {float: float.__repr__, int: int.__repr__}


def _event(point: Point) -> str:
    value = _WRITERS.get(type(point.value), json.dumps)(point.value)
    return f'{{"key": {_key(point.series)}, "value": {value}, "epoch": {point.epoch}}}'


def _parse(body: bytes | str) -> Any:
    """Parse JSON; numbers become bytes, their text as it was written."""
    return parse(body, str.encode, str.encode)


def _read(item: object) -> Event | None:
    if not isinstance(item, dict):
        raise BadValue("an event is a JSON object")
    key, value = item.get("key"), item.get("value")
    key = _checked(key) if isinstance(key, str) else check_key(key)
    if value is None:
        if "value" not in item:
            raise BadValue("value is missing")
        return None
    return Event(key, _value(value), _epoch(item))


def _value(value: object) -> Value:
    if not isinstance(value, bytes):
        return check_value(value)
    if value.lstrip(b"-").isdigit():
        return check_value(int(value[:24]))  # 24 digits are over 64 bits already
    number = float(value)
    return number if isfinite(number) else check_value(number)


@lru_cache(maxsize=4096)  # events of one moment come together
def _exact(number: bytes) -> str:
    return epoch.text(number.decode())


def _epoch(item: Mapping[str, Any]) -> str | None:
    found = item.get("epoch")
    if isinstance(found, bytes):
        return _exact(found)
    if found is not None:
        raise BadValue("epoch is not a number of seconds")
    moment = item.get("iso8601")
    return None if moment is None else _from_iso(moment)


def _from_iso(moment: object) -> str:
    """Turn ISO 8601 with an offset into an epoch with the same decimals."""
    match = ISO.fullmatch(moment) if isinstance(moment, str) else None
    if not match:
        raise BadValue("iso8601 is not like 2026-01-31T13:45:00.25Z, offset included")
    date_time, decimals, offset = match.groups()
    try:
        whole = (datetime.fromisoformat(date_time + offset) - UNIX) // timedelta(seconds=1)
    except (ValueError, OverflowError) as error:
        raise BadValue(f"iso8601 is no moment: {error}") from None
    return epoch.text(format(whole + Decimal(f"0.{decimals}"), "f") if decimals else whole)


def _named(item: object) -> str:
    key = item.get("key") if isinstance(item, dict) else None
    return f" ({key[:40]!r})" if isinstance(key, str) else ""
