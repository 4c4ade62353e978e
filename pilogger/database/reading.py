"""Data sets of series, written piece by piece while they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple, Self

from pilogger.engine import Engine, Info
from pilogger.errors import BadValue
from pilogger.periods import Interval, automatic, find_zone, from_text, to_text
from pilogger.protocols.tempodb import Facts, Rollup, encode_dataset
from pilogger.sample import Value
from pilogger.series.query import fold
from pilogger.stats import EMPTY, FUNCTIONS

PIECE = 1 << 15  # characters that leave together
FIRST = from_text("0001-01-01")  # what can be written


class Span(NamedTuple):
    """What is asked of each series: from `start` up to, not with, `end`, in nanoseconds.

    Without an interval the readings themselves; else each period folded by `function`.
    """

    start: int
    end: int
    interval: Interval | None
    function: str
    zone: tzinfo
    tz: str

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> Self:
        """Read the options of a request; who names no interval gets one that fits.

        Raises:
            BadValue: with a sentence about what is wrong.
        """
        start, end = span(options)
        tz = options.get("tz") or "UTC"
        function = options.get("function") or "mean"
        if function not in FUNCTIONS:
            raise BadValue(
                f"{function[:40]!r} is no function: expected one of {', '.join(FUNCTIONS)}"
            )
        named = options.get("interval")
        interval = Interval.parse(named) if named else automatic(start, end)
        return cls(start, end, interval, function, find_zone(tz), tz)


def span(options: Mapping[str, str]) -> tuple[int, int]:
    """Read `start` and `end`, in nanoseconds; without an offset they are in UTC.

    Raises:
        BadValue: one is missing or no time, or they are in the wrong order.
    """
    for name in ("start", "end"):
        if not options.get(name):
            raise BadValue(f"{name} is missing")
    start, end = from_text(options["start"]), from_text(options["end"])
    if start > end:
        raise BadValue("start is after end")
    return start, end


def write_one(engine: Engine, info: Info, asked: Span) -> Iterator[str]:
    """Write the data set of a series."""
    yield from _together(_dataset(engine, info, asked))


def write_all(engine: Engine, infos: Sequence[Info], asked: Span) -> Iterator[str]:
    """Write a list of the data sets of several series."""

    def pieces() -> Iterator[str]:
        yield "["
        for number, info in enumerate(infos):
            yield "," if number else ""
            yield from _dataset(engine, info, asked)
        yield "]"

    yield from _together(pieces())


def facts(info: Info) -> Facts:
    """Tell what the API tells of a series."""
    return Facts(info.uid, info.key, info.name, info.tags, info.attributes)


def _dataset(engine: Engine, info: Info, asked: Span) -> Iterator[str]:
    start, end, interval, function, zone, tz = asked
    found: Iterator[tuple[int, Value | None]]
    if interval is None:
        rollup = None
        found = engine.read(info.id, start, end)
    else:
        rollup = Rollup(interval.iso, function, tz)
        periods = fold(engine, info.id, (start, end), interval, zone)
        found = ((max(begin, FIRST), stats.get(function)) for begin, stats in periods)
    summary = (engine.summary(info.id, start, end) or EMPTY).summary()
    ends = (_text(start, zone), _text(end, zone))
    points = ((_text(at, zone), value) for at, value in found)
    yield from encode_dataset(facts(info), ends, points, rollup, summary)


def _text(at: int, zone: tzinfo) -> str:
    """Write a time; in UTC where the zone's calendar has ended before, or not begun."""
    try:
        return to_text(at, zone)
    except BadValue:
        return to_text(at)


def _together(pieces: Iterator[str]) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)
