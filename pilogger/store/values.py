"""A sample's values as the text that the sample log keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite

from pilogger.sample import Value, check_value

encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def text(value: Value) -> str:
    """Write a value as JSON; most are floats, and need not go the general way.

    Raises:
        BadValue: it cannot be held.
    """
    if type(value) is float and isfinite(value):
        return repr(value)
    return encode(check_value(value))


def to_json(values: Sequence[Value | None]) -> str:
    """Write values as a JSON array.

    Raises:
        BadValue: one of them cannot be held.
    """
    return f"[{','.join(['null' if value is None else text(value) for value in values])}]"
