"""From the arguments of a call to the message that is sent."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from numbers import Number
from typing import Any
from uuid import uuid4

from pilogger import __version__, epoch, periods
from pilogger.errors import BadValue
from pilogger.protocols.rudderstack import dump

log = logging.getLogger("pilogger.rudderstack")

Timestamp = datetime | str
"""A datetime, or ISO 8601 text, which is sent as it is given."""

Object = Mapping[Any, Any]

EVERYWHERE = {"All": True}
LIBRARY = {"name": "pilogger", "version": __version__}
JUST_NOW = timedelta(seconds=5)


class BadCall(BadValue, AssertionError):
    """An argument that no message can have; the original raises AssertionError."""


class TooLarge(BadValue, RuntimeError):
    """A message over the size limit; the original raises RuntimeError."""


def build(
    kind: str,
    fields: Object,
    *,
    context: Object | None,
    timestamp: Timestamp | None,
    integrations: Object | None,
    message_id: object,
) -> dict[str, Any]:
    """Make the message of a call; what cannot be sent in it is left out, with a warning.

    Raises:
        BadCall: an argument is of the wrong kind.
    """
    found = clean(
        {
            **fields,
            "type": kind,
            "timestamp": text(datetime.now(UTC) if timestamp is None else timestamp),
            "messageId": str(uuid4() if message_id is None else message_id),
            "context": {**check_object("context", context), "library": LIBRARY},
            "integrations": check_object("integrations", integrations) or EVERYWHERE,
            "channel": "server",
        }
    )
    assert isinstance(found, dict)
    return found


def encode(message: dict[str, Any], largest: int) -> str:
    """Write a message as it is kept and sent.

    Raises:
        TooLarge: it has more than `largest` bytes.
    """
    found = dump(message)
    if len(found) > largest:  # it is plain ASCII
        raise TooLarge(
            f"a message has at most {largest} bytes, this {message['type']} has {len(found)}: "
            "nothing of it was sent; see max_message_size"
        )
    return found


def moment(timestamp: str) -> str:
    """Return the time of a message as an epoch's exact text."""
    return epoch.unpack(periods.from_text(timestamp, UTC))


def text(timestamp: object) -> str:
    """Write a timestamp in ISO 8601.

    A datetime without an offset is local time if it is of the last five seconds, else UTC, as
    the original guesses.

    Raises:
        BadCall: it is no time.
    """
    if isinstance(timestamp, str):
        try:
            periods.from_text(timestamp, UTC)
        except BadValue as error:
            raise BadCall(f"timestamp: {error}") from None
        return timestamp
    if not isinstance(timestamp, datetime):
        raise BadCall(f"timestamp is a datetime or ISO 8601 text, not {timestamp!r}"[:200])
    if timestamp.utcoffset() is None:
        recent = datetime.now() - timestamp.replace(tzinfo=None) < JUST_NOW  # noqa: DTZ005
        timestamp = timestamp.astimezone() if recent else timestamp.replace(tzinfo=UTC)
    return timestamp.isoformat()


def check_id(what: str, *ids: object) -> list[str | None]:
    """Return ids as text, None for those that are missing.

    Raises:
        BadCall: all are missing, or one is neither text nor a number.
    """
    for id in ids:
        if id is not None and (isinstance(id, bool) or not isinstance(id, str | Number)):
            raise BadCall(f"{what}: an id is text or a number, not {type(id).__name__}")
    found = [None if id is None or id == "" else str(id) for id in ids]
    if not any(found):
        raise BadCall(f"{what} is missing")
    return found


def check_text(what: str, given: object) -> str:
    """Return text.

    Raises:
        BadCall: it is none, or empty.
    """
    if not isinstance(given, str) or not given:
        raise BadCall(
            f"{what} is text, not {type(given).__name__}" if given else f"{what} is missing"
        )
    return given


def check_object(what: str, given: Object | None) -> Object:
    """Return a dict, an empty one for None.

    Raises:
        BadCall: it is something else.
    """
    if given is not None and not isinstance(given, Mapping):
        raise BadCall(f"{what} is a dict, not {type(given).__name__}")
    return given or {}


class _NoJson(Exception):
    """There is no JSON for it."""


def clean(item: object) -> object:
    """Turn what Python has into what JSON has.

    Decimals and fractions become numbers, sets and tuples lists, enums their values, dates ISO
    8601, bytes text. A value of another type costs its key only, and so do NaN and infinities.

    Raises:
        BadCall: it holds itself.
    """
    try:
        return _clean(item)
    except RecursionError:
        raise BadCall("it is nested too deeply, or holds itself") from None


def _clean(item: object) -> object:  # noqa: PLR0911  # a table of types
    match item:
        case Enum():
            return _clean(item.value)
        case None | bool():
            return item
        case int():
            return int(item)
        case float() | Decimal() | Fraction():
            if not math.isfinite(item):
                raise _NoJson(str(item))
            return float(item)
        case str():
            return _unbroken(item)
        case bytes():
            try:
                return item.decode()
            except UnicodeDecodeError:
                raise _NoJson("bytes that are not UTF-8") from None
        case datetime() | date():
            return item.isoformat()
        case Mapping():
            return dict(pair for key in item if (pair := _pair(key, item[key])))
        case list() | tuple() | set() | frozenset():
            return [_clean(each) for each in item]
    if hasattr(item, "dtype") and hasattr(item, "tolist"):  # numpy's
        return _clean(item.tolist())
    raise _NoJson(f"a value of type {type(item).__name__}")


def _pair(key: object, value: object) -> tuple[str, object] | None:
    try:
        if not isinstance(key, str | int | float | None):
            raise _NoJson(f"a key of type {type(key).__name__}")
        return _unbroken(str(key)), _clean(value)
    except _NoJson as error:
        log.warning("%r is left out of a message: %s is no JSON", key, error)
        return None


def _unbroken(found: str) -> str:
    try:
        found.encode()
    except UnicodeEncodeError:
        raise _NoJson("half a surrogate pair") from None
    return found
