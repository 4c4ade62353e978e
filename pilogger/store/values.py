"""A sample's values as the text that the sample log keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite

from pilogger.sample import Value, check_value

encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def to_json(values: Sequence[Value | None]) -> str:
    """Write values as a JSON array; most are floats, and need not go the general way.

    Raises:
        BadValue: one of them cannot be held.
    """
    texts = [
        repr(value)
        if type(value) is float and isfinite(value)
        else encode(value if value is None else check_value(value))
        for value in values
    ]
    return f"[{','.join(texts)}]"
