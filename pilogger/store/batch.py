"""What a destination takes at once, made of rows of samples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any, NamedTuple

from pilogger import epoch
from pilogger.sample import Point, Value
from pilogger.store.registry import Source
from pilogger.store.segments import Segments, Standing

Row = tuple[Any, ...]
"""A sample: seq, source, segment, boot, epoch override, values (fresh ones as JSON)."""


class Batch(NamedTuple):
    """Readings to send together; `last` is the number of their last sample."""

    points: tuple[Point, ...]
    last: int


class SetAside(NamedTuple):
    """A reading that the destination will never take, and its words."""

    point: Point
    reason: str


def form(
    rows: Iterable[Row], limit: int, segments: Segments, sources: Mapping[int, Source]
) -> Batch:
    """Make a batch of whole samples, the first of at least one: about `limit` readings."""
    points: list[Point] = []
    last = 0
    for last, source_id, segment_id, boot, given, data in rows:
        if given is None:
            segment = segments[segment_id]
            when, estimated = epoch.from_us(segment.wall(boot)), segment.state == "estimated"
        else:
            when, estimated = epoch.unpack(given), False
        source = sources[source_id]
        for key, value in zip(source.series, values(data), strict=True):
            if value is not None:
                points.append(Point(last, key, when, value, source.bucket, estimated))
        if len(points) >= limit:
            break
    return Batch(tuple(points), last)


def standing(row: Row, segments: Segments) -> Standing:
    """Tell what the time of a sample is worth; one that it was given is right."""
    return "right" if row[4] is not None else segments.standing(row[2])


def leading(rows: Iterable[Row], segments: Segments, *worth: Standing) -> list[Row]:
    """Return the rows before the first whose time is worth something else."""
    return list(takewhile(lambda row: standing(row, segments) in worth, rows))


def readings(row: Row) -> int:
    """Count the readings of a sample."""
    return sum(value is not None for value in values(row[5]))


def values(data: str | list[Value | None]) -> list[Value | None]:
    """Return the values of a sample, fresh or sealed."""
    return json.loads(data) if isinstance(data, str) else data
