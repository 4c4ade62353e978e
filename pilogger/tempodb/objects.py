"""What goes into TempoDB's client, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any, Self


@dataclass
class DataPoint:
    """One value at one time: a number, a whole number or a truth value.

    A `ts` without a time zone is in UTC; those that are read have one.
    """

    ts: date
    value: float | int | bool

    def __str__(self) -> str:
        return f"t: {self.ts}, v: {self.value}"

    def to_json(self) -> dict[str, Any]:
        """Make what JSON is written of."""
        return {"t": self.ts.isoformat(), "v": self.value}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """Read a point of a data set."""
        return cls(datetime.fromisoformat(found["t"]), found["v"])


@dataclass
class Series:
    """What is known of a series: `id` is given by the server, `key` by whoever made it."""

    id: str
    key: str
    name: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Make what JSON is written of."""
        return {**self.__dict__}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """Read a series."""
        names = ("id", "key", "name", "attributes", "tags")
        return cls(**{name: found[name] for name in names if name in found})


class Summary(SimpleNamespace):
    """Statistics of the readings of a span; None for what no reading has.

    `stddev` is that of a sample (n - 1), `ss` the sum of squared deviations from the mean.
    """

    count: int
    sum: float
    mean: float | None
    min: float | None
    max: float | None
    ss: float | None
    stddev: float | None

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """Read the summary of a data set."""
        return cls(**found)


@dataclass
class DataSet:
    """The readings of a series from `start` up to, not with, `end`."""

    series: Series
    start: datetime
    end: datetime
    data: list[DataPoint] = field(default_factory=list)
    summary: Summary | None = None

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """Read a data set."""
        return cls(
            Series.from_json(found["series"]),
            datetime.fromisoformat(found["start"]),
            datetime.fromisoformat(found["end"]),
            [DataPoint.from_json(point) for point in found["data"]],
            Summary.from_json(found["summary"]) if found.get("summary") else None,
        )


@dataclass
class DeleteSummary:
    """How many series were deleted."""

    deleted: int

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """Read the answer to a deletion."""
        return cls(found["deleted"])
