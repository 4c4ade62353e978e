"""Plain values that remember where they stood, and what was wrong with them."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

from pilogger.config.names import Trail, dotted
from pilogger.errors import BadValue, Mistake
from pilogger.sample import check_text

DEEPEST = 20  # levels; ours needs 6, and no parser's stack suffers


class Place(NamedTuple):
    """Where something stands, counted from 1; 0 where there is no text."""

    line: int
    column: int


START = Place(1, 1)
NOWHERE = Place(0, 0)


class Document:
    """Mappings, lists, text, numbers and truth values, each with its place."""

    def __init__(self, name: str, start: Place = START) -> None:
        self.name = name
        self.value: Any = None
        self.mistakes: list[Mistake] = []
        self.places: dict[Trail, Place] = {(): start}
        self.keys: dict[Trail, Place] = {}
        self._broken: set[Trail] = set()

    def mistake(self, trail: Trail, what: str, at: Place | None = None) -> None:
        """Note what is wrong with a value, or elsewhere; a broken value is told once."""
        if not any(trail[:length] in self._broken for length in range(len(trail) + 1)):
            place = at or self._place(trail)
            self.mistakes.append(Mistake(self.name, *place, dotted(trail), what))

    def broken(self, trail: Trail, what: str = "") -> None:
        """Note that there is no value to look at; without a sentence if the reason is told."""
        if what:
            self.mistake(trail, what)
        self._broken.add(trail)

    def intact(self, trail: Trail) -> bool:
        """Whether there is a value at and everywhere below a trail."""
        return not any(broken[: len(trail)] == trail for broken in self._broken)

    def _place(self, trail: Trail) -> Place:
        while trail not in self.places:
            trail = trail[:-1]
        return self.places[trail]


def number(value: float) -> str:
    """Say why a number cannot be in a config; an empty text if it can."""
    if isinstance(value, int):
        return "" if -(2**63) <= value < 2**63 else "a whole number has at most 64 bits"
    return "" if math.isfinite(value) else "a number must be finite"


def text(value: str) -> str:
    """Say why text cannot be in a config; an empty text if it can."""
    try:
        check_text(value)
    except BadValue as error:
        return str(error)
    return ""


def plain(data: object, name: str) -> Document:
    """Take Python values, which have no places."""
    document = Document(name, NOWHERE)
    document.value = _plain(document, data, ())
    return document


def _plain(document: Document, data: object, trail: Trail) -> Any:
    if isinstance(data, os.PathLike):
        data = os.fsdecode(data)
    match data:
        case dict() | list() | tuple() if len(trail) >= DEEPEST:
            why = f"this is nested deeper than {DEEPEST} levels"
        case dict():
            keys = [key for key in data if _is_key(document, key, trail)]
            return {key: _plain(document, data[key], (*trail, key)) for key in keys}
        case list() | tuple():
            return [_plain(document, inner, (*trail, at)) for at, inner in enumerate(data)]
        case str():
            why = text(data)
        case int() | float():
            why = number(data)
        case _:
            why = "" if data is None else f"a config holds no {type(data).__name__}"
    if why:
        document.broken(trail, why)
        return None
    return data


def _is_key(document: Document, key: object, trail: Trail) -> bool:
    why = text(key) if isinstance(key, str) else f"a key is text, not {type(key).__name__}"
    if why:
        document.mistake(trail, why)
    return not why
