"""Points of series, as TempoDB's API has them, and what is wrong with each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from pilogger.errors import BadValue
from pilogger.periods import from_text
from pilogger.protocols.tempodb.body import dump, parse
from pilogger.protocols.tempodb.series import check_key
from pilogger.sample import Value, check_value

NO_VALUE = "Must provide a numeric value"
NO_SERIES = "Must provide a series ID or key"
NO_TIME = "Must provide a timestamp"


class Item(NamedTuple):
    """One point as it arrives: its epoch in nanoseconds, its value, its series if it names one."""

    at: int
    value: Value
    id: str = ""
    key: str = ""


def encode_points(points: Iterable[tuple[date, Value]]) -> bytes:
    """Write the points of one series."""
    return dump([{"t": at.isoformat(), "v": value} for at, value in points])


def encode_bulk(at: date, data: Iterable[Mapping[str, Any]]) -> bytes:
    """Write points of one moment: each names its series by `id` or `key`, its value is `v`."""
    return dump({"t": at.isoformat(), "data": [*data]})


def encode_multi(data: Iterable[Mapping[str, Any]]) -> bytes:
    """Write points of many series and moments, each as in `encode_bulk` with its time `t`."""
    return dump(
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


_ref = lru_cache(maxsize=4096)(check_key)


@lru_cache(maxsize=1024)
def _time(text: str) -> int:
    return from_text(text)


def encode_multistatus(messages: Sequence[Sequence[str]]) -> bytes:
    """Write the body of a 207: what is wrong with each point, in their order."""
    return dump(
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


def _list(found: object) -> list[object]:
    if not isinstance(found, list):
        raise BadValue("points are a JSON list")
    return found
