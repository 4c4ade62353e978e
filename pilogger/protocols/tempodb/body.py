"""JSON as TempoDB's API has it, in and out."""

from __future__ import annotations

import json
from math import inf
from typing import Any

from pilogger.errors import BadValue
from pilogger.protocols import untrusted

encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def parse(body: bytes) -> Any:
    """Parse JSON of unknown origin; a number that no value can be becomes infinite.

    Raises:
        BadValue: it is none.
    """
    return untrusted.parse(body, float, _int)


def _int(text: str) -> float:
    return int(text) if len(text) < 24 else inf  # 20 digits are over 64 bits already


def dump(content: object) -> bytes:
    """Write JSON, in ASCII; times may be inside.

    Raises:
        BadValue: it has what JSON cannot hold.
    """
    try:
        return encode(content).encode("ascii")
    except (ValueError, TypeError) as error:
        raise BadValue(f"this cannot be sent: {error}") from None
