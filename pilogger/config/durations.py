"""Durations: a number and a unit, as in `500ms`, `10s`, `5m`."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

UNITS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(7 * 86_400),
    "y": Decimal(365 * 86_400),
}
NAMES = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "y": "year",
    "ms": "millisecond",
}
PATTERN = rf"[0-9]{{1,9}}(\.[0-9]{{1,9}})?({'|'.join(UNITS)})"
LOOSE = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]*)\s*")
HOW = f"expected a duration, a number and one of {' '.join(UNITS)}, as in 500ms, 10s or 5m"


def seconds(text: str) -> float:
    """Turn a duration into seconds; a year has 365 days.

    Raises:
        ValueError: it is none; the sentence says how one is written.
    """
    if not re.fullmatch(PATTERN, text):
        raise ValueError(HOW + _suggestion(text))
    number = text.rstrip("".join(UNITS))
    return float(Decimal(number) * UNITS[text[len(number) :]])


def _suggestion(text: str) -> str:
    """Mend a space, a missing unit or a unit's full name."""
    if not (match := LOOSE.fullmatch(text.lower())):
        return ""
    number, word = match.groups()
    units = (unit for unit, name in NAMES.items() if name.startswith(word.rstrip("s")))
    unit = word if word in UNITS else next(units, "")
    return f" (did you mean {number}{unit}?)" if unit else ""


def _between(low: str, high: str, *, or_zero: bool = False) -> Callable[[object], float]:
    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(HOW)  # noqa: TRY004 - pydantic collects ValueErrors
        if or_zero and value in (0, "0s"):
            return 0.0
        found = seconds(str(value))
        if not seconds(low) <= found <= seconds(high):
            raise ValueError(f"must be from {low} to {high}" + " or 0" * or_zero)
        return found

    return check


TEXT = {"type": "string", "pattern": f"^{PATTERN}$"}
EXAMPLES = ["500ms", "10s", "5m"]

Interval = Annotated[
    float,
    BeforeValidator(_between("10ms", "1y")),
    WithJsonSchema({**TEXT, "examples": EXAMPLES}),
]
"""Seconds, from 10 ms to a year."""

Window = Annotated[
    float,
    BeforeValidator(_between("1ms", "1h", or_zero=True)),
    WithJsonSchema({"anyOf": [TEXT, {"const": 0}], "examples": EXAMPLES}),
]
"""Seconds, up to an hour; 0 for none at all."""

Age = Annotated[
    float,
    BeforeValidator(_between("1d", "1000y")),
    WithJsonSchema({**TEXT, "examples": ["90d", "2y"]}),
]
"""Seconds, from a day to a thousand years."""

READINGS = (2, 1000)


def _span(value: object) -> int | float:
    if isinstance(value, str):
        return _between("1s", "1h")(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("expected a number of readings, as in 5, or a time, as in 1m")  # noqa: TRY004
    if not READINGS[0] <= value <= READINGS[1]:
        raise ValueError(
            f"must be from {READINGS[0]} to {READINGS[1]} readings, or a time, as in 1m"
        )
    return value


Span = Annotated[
    int | float,
    BeforeValidator(_span),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": READINGS[0], "maximum": READINGS[1]}, TEXT]}
    ),
]
"""A number of readings, or seconds as a float: from 1 s to an hour."""
