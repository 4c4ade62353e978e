"""Sizes: a number and a unit, as in `500MB`, `4GB`."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
PATTERN = rf"[0-9]{{1,9}}(\.[0-9]{{1,12}})?({'|'.join(UNITS)})"
LOOSE = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,12})?)\s*([kmgt])(?:i?b|bytes)?\s*")
HOW = f"expected a size, a number and one of {' '.join(UNITS)}, as in 500MB or 4GB"


def count(text: str) -> int:
    """Turn a size into bytes; a kB has 1000, as on the box of a card.

    Raises:
        ValueError: it is none; the sentence says how one is written.
    """
    if not re.fullmatch(PATTERN, text):
        raise ValueError(HOW + _suggestion(text))
    return int(Decimal(text[:-2]) * UNITS[text[-2:]])


def write(size: int) -> str:
    """Write bytes as `count` reads them."""
    unit = next((u for u, length in reversed(UNITS.items()) if size >= length), "kB")
    return f"{Decimal(size) / UNITS[unit]:f}{unit}"


def _suggestion(text: str) -> str:
    """Mend a space, a letter's case or a unit that is cut short."""
    if not (match := LOOSE.fullmatch(text.lower())):
        return ""
    number, letter = match.groups()
    return f" (did you mean {number}{letter if letter == 'k' else letter.upper()}B?)"


def _between(low: str, high: str, *, or_zero: bool = False) -> Callable[[object], int]:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(HOW)  # noqa: TRY004 - pydantic collects ValueErrors
        if or_zero and value == 0:
            return 0
        found = count(str(value))
        if not count(low) <= found <= count(high):
            raise ValueError(f"must be from {low} to {high}" + " or 0" * or_zero)
        return found

    return check


TEXT = {"type": "string", "pattern": f"^{PATTERN}$"}
EXAMPLES = ["500MB", "4GB"]

Limit = Annotated[
    int,
    BeforeValidator(_between("10MB", "1000TB")),
    WithJsonSchema({**TEXT, "examples": EXAMPLES}),
]
"""Bytes, from 10 MB on."""

Reserve = Annotated[
    int,
    BeforeValidator(_between("1MB", "1000TB", or_zero=True)),
    WithJsonSchema({"anyOf": [TEXT, {"const": 0}], "examples": EXAMPLES}),
]
"""Bytes, from 1 MB on; 0 for none at all."""
