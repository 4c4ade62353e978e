"""The wire format of RudderStack's HTTP API, both directions.

Source: the documentation of the service, and what `rudder-sdk-python` 2.0.2 and 2.1.9 were
seen to send. All requests are POST, with the write key as the user of Basic authentication:

    /v1/batch    {"batch": [{"type": "track", "userId": "greenhouse", "event": "Watered",
                  "properties": {"litres": 2.5}, "timestamp": "2026-11-20T23:35:37.044142+00:00",
                  "messageId": "0d3b..", ...}, ...], "sentAt": "..."}
    /v1/track    one such message, whose type is that of the path; so for the other five

Success is the status 200 and no other. A message without `messageId` gets one. Its
`timestamp` is its time as it stands: it is never corrected by `sentAt`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import uuid4

from pilogger import epoch, periods
from pilogger.errors import BadValue
from pilogger.protocols.untrusted import parse
from pilogger.sample import Value, check_text, check_value, series_key

BATCH_PATH = "/v1/batch"
TYPES = ("identify", "track", "page", "screen", "group", "alias")
OK = "OK"  # the whole answer of the real server

MAX_SERIES = 250  # characters of a series' key, as for Initial State
DEEPEST = 200  # objects and lists in one another; SQLite reads 1000
LONGEST_NUMBER = 400  # digits; a double ends at 309

# json.dumps makes an encoder at each call.
_PLAIN = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_READABLE = json.JSONEncoder(
    separators=(",", ":"), allow_nan=False, ensure_ascii=False, check_circular=False
).encode  # what was parsed has no circles


class Number(NamedTuple):
    """A property that is a number; `series` is its event, a dot and its name."""

    series: str
    value: Value


class Message(NamedTuple):
    """One call as it arrives; `body` is all of it as JSON.

    `epoch` is the time of its timestamp as exact number text, None where that says no time;
    `timestamp` is what was sent. `event` is the name of a track, page or screen.
    """

    id: str
    type: str
    user_id: str | None
    anonymous_id: str | None
    event: str | None
    timestamp: str | None
    epoch: str | None
    numbers: tuple[Number, ...]
    body: str


def path(kind: str) -> str:
    """Name the address of a single call: `/v1/track`."""
    return f"/v1/{kind}"


def authorization(write_key: str) -> str:
    """Write the header that carries the key: it is the user, and the password is empty."""
    return "Basic " + b64encode(f"{write_key}:".encode()).decode("ascii")


def encode_batch(messages: Sequence[str], sent_at: str) -> bytes:
    """Write the body of /v1/batch from messages that are JSON already; `sent_at` is ISO 8601."""
    return f'{{"batch":[{",".join(messages)}],"sentAt":"{sent_at}"}}'.encode()


def decode_batch(body: bytes | str) -> tuple[list[Message], list[str]]:
    """Read the body of /v1/batch: the good messages, and a sentence for each bad one.

    Raises:
        BadValue: when the body as a whole is not JSON, or holds no batch.
    """
    found = _parse(body)
    batch = found.get("batch") if isinstance(found, dict) else None
    if not isinstance(batch, list):
        raise BadValue('Invalid JSON: a batch is like {"batch": [...]}')
    messages: list[Message] = []
    refused: list[str] = []
    for number, item in enumerate(batch, 1):
        try:
            messages.append(_read(item))
        except BadValue as error:
            refused.append(f"message {number}: {error}")
    return messages, refused


def decode_call(kind: str, body: bytes | str) -> Message:
    """Read the body of a single call.

    Raises:
        BadValue: when it is not JSON, or no message that can be kept.
    """
    found = _parse(body)
    return _read(found | {"type": kind} if isinstance(found, dict) else found)


def dump(message: dict[str, Any]) -> str:
    """Write a message as JSON, plain ASCII, the same for the same message.

    Raises:
        BadValue: for NaN, infinities and what is no JSON.
    """
    try:
        return _PLAIN(message)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadValue(f"the message cannot be written as JSON: {error}") from None


def _parse(body: bytes | str) -> Any:
    if not body:
        raise BadValue("Request body is nil")
    return parse(body, float, _whole)


def _whole(digits: str) -> int | float:
    """Read a whole number; one of absurd length is none, which costs its message only."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else float("inf")


def _read(item: object) -> Message:
    if not isinstance(item, dict):
        raise BadValue("Event is not a valid rudder event: it is no JSON object")
    kind = item.get("type")
    if kind not in TYPES:
        raise BadValue(f"Event is not a valid rudder event: its type is none of {', '.join(TYPES)}")
    user, anonymous = _id(item, "userId"), _id(item, "anonymousId")
    if user is None and anonymous is None:
        raise BadValue("Request neither has anonymousId nor userId")
    id = _id(item, "messageId") or str(uuid4())
    given = item.get("timestamp") or item.get("originalTimestamp")
    timestamp = check_text(given) if isinstance(given, str) else None
    event = item.get("event" if kind == "track" else "name")
    event = check_text(event) if isinstance(event, str) and kind in _NAMED else None
    return Message(
        id, kind, user, anonymous, event, timestamp,
        _epoch(timestamp),
        tuple(_numbers(event, item.get("properties"))) if kind == "track" and event else (),
        _body(item | {"messageId": id}),
    )  # fmt: skip


_NAMED = frozenset({"track", "page", "screen"})


def _id(item: dict[str, Any], name: str) -> str | None:
    """Read an id; a number becomes text, as the SDK makes it, and an empty one is none."""
    found = item.get(name)
    if isinstance(found, str):
        return check_text(found) or None
    if isinstance(found, int | float) and not isinstance(found, bool):
        return str(found)
    if found is None:
        return None
    raise BadValue(f"{name} is neither text nor a number")


def _epoch(timestamp: str | None) -> str | None:
    """Turn a timestamp into an epoch; None where it is no time. Without an offset it is UTC."""
    try:
        return None if timestamp is None else epoch.unpack(periods.from_text(timestamp, UTC))
    except BadValue:
        return None


def _numbers(event: str, properties: object) -> list[Number]:
    """Collect the properties that are numbers; nested ones and truth values are none."""
    found: list[Number] = []
    for name, value in properties.items() if isinstance(properties, dict) else ():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        try:
            found.append(Number(_series(event, name), check_value(value)))
        except BadValue:  # a name that is too long, over 64 bits: it stays in the message
            continue
    return found


@lru_cache(maxsize=4096)
def _series(event: str, name: str) -> str:
    key = check_text(series_key(event, name))
    if len(key) > MAX_SERIES:
        raise BadValue(f"a key has at most {MAX_SERIES} characters")
    return key


def _body(item: dict[str, Any]) -> str:
    """Write a message for the store, as people read it.

    Raises:
        BadValue: it holds what JSON, UTF-8 or SQLite cannot.
    """
    try:
        text = _READABLE(item)
    except ValueError:
        raise BadValue("Invalid JSON: NaN and infinities are no JSON numbers") from None
    except RecursionError:
        raise BadValue("it is nested too deeply") from None
    if text.count("{") + text.count("[") > DEEPEST and _depth(item) > DEEPEST:
        raise BadValue(f"objects and lists are nested deeper than {DEEPEST}")
    return check_text(text)


def _depth(item: object) -> int:
    depth, layer = 0, [item]
    while layer := [each for each in layer if isinstance(each, dict | list)]:
        depth += 1
        layer = [
            inner for each in layer for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth
