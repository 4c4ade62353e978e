"""Readings that keep their driver's promise, and readings that do not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import Channel
from pilogger.driver import Steps
from pilogger.errors import BadReading, NotReady
from pilogger.scheduler.conform import Shape


class Reading(NamedTuple):
    temperature: Annotated[float, Channel("Cel", -40, 85, 0.01)] = 20.0
    strokes: Annotated[int, Channel("1", low=0)] = 7
    closed: Annotated[bool, Channel("1", 0, 1)] = True
    label: Annotated[str, Channel("1")] = "calm"
    pressure: Annotated[float | None, Channel("Pa", 30_000, 110_000)] = None
    level: Annotated[float, Channel("m")] = 1.0
    depth: Annotated[float | None, Channel("m", high=0)] = None


class Chip:
    def read(self) -> Steps[Reading]:
        yield 0.1
        return Reading()


class Program:
    def channels(self) -> dict[str, Channel]:
        return {"level": Channel("m", 0, 12, 0.001), "pump": Channel("1")}

    def read(self) -> Mapping[str, Any]:
        return {}


def test_values_come_back_as_what_they_are() -> None:
    """Whole numbers, truth values and text keep their types; None is an absent channel."""
    values = Shape(Chip()).values(Reading())

    assert [(name, type(value)) for name, value in values.items()] == [
        ("temperature", float),
        ("strokes", int),
        ("closed", bool),
        ("label", str),
        ("level", float),
    ]


@pytest.mark.fault(87)
@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        (Reading(temperature=130.0), "temperature is 130.0 Cel, possible is -40 to 85"),
        (Reading(temperature=math.nan), "temperature is nan Cel, possible is -40 to 85"),
        (Reading(temperature=-math.inf), "temperature is -inf Cel, possible is -40 to 85"),
        (Reading(strokes=-1), "strokes is -1, possible is 0 or more"),
        (Reading(depth=0.5), "depth is 0.5 m, possible is 0 or less"),
        (Reading(strokes=2**64), "strokes: a whole number has at most 64 bits; send it as text"),
        (Reading(level=math.nan), "level is nan m, possible is any finite number"),
        (Reading(level=math.inf), "level: inf is not a number that can be stored"),
        (Reading(temperature=True), "temperature is True, not a number"),
        (Reading(temperature="20"), "temperature is '20', not a number"),  # type: ignore[arg-type]
        (Reading(temperature=None), "temperature is None, not a number"),  # type: ignore[arg-type]
        (Reading(temperature=Decimal(2)), "temperature is Decimal('2'), not a number"),  # type: ignore[arg-type]
        (Reading(closed=1), "closed is 1, not true or false"),  # type: ignore[arg-type]
        (Reading(strokes=1.5), "strokes is 1.5, not a whole number"),  # type: ignore[arg-type]
        (Reading(label="a\0b"), "label: text cannot hold a NUL character"),
        ({"temperature": 20.0}, "the driver gave {'temperature': 20.0}, not its Reading"),
        ((20.0, 7, True, "calm", None, 1.0), "the driver gave (20.0, 7, True, 'calm', None, 1.0)"),
        (None, "the driver gave None, not its Reading"),
    ],
)
def test_a_lie_is_refused_with_a_sentence(reading: object, sentence: str) -> None:
    """A reading that the driver did not promise, or the chip cannot give, is no reading."""
    with pytest.raises(BadReading) as refused:
        Shape(Chip()).values(reading)

    assert str(refused.value).startswith(sentence)


def test_a_float_channel_takes_whole_numbers() -> None:
    """As for a type checker, an int is a float; it stays the int that it is."""
    value = Shape(Chip()).values(Reading(temperature=20))["temperature"]

    assert (value, type(value)) == (20, int)


def test_a_mapping_may_leave_channels_out() -> None:
    """What a program does not give, or gives as None, is absent; any kind of value will do."""
    program = Shape(Program())

    assert program.values({"level": 3.20499}) == {"level": 3.20499}
    assert program.values({"pump": "on", "level": None}) == {"pump": "on"}


def test_a_mapping_is_held_to_its_channels() -> None:
    """An unknown name, an impossible number and an unstorable value are no reading."""
    program = Shape(Program())

    with pytest.raises(BadReading, match="'lvel' is none of the driver's channels"):
        program.values({"lvel": 3.2})
    with pytest.raises(BadReading, match="level is 13 m, possible is 0 to 12"):
        program.values({"level": 13})
    with pytest.raises(BadReading, match=r"pump is \[1\], not a number or"):
        program.values({"pump": [1]})


def test_nothing_at_all_is_a_gap() -> None:
    """A source without any value just now has no fault."""
    with pytest.raises(NotReady):
        Shape(Program()).values({"level": None})


@given(st.floats() | st.integers() | st.text() | st.booleans() | st.none() | st.binary())
def test_what_passes_can_be_stored(value: Any) -> None:
    """Anything else is a BadReading or a gap, and nothing raises anything else."""
    try:
        kept = Shape(Program()).values({"level": value})["level"]
    except (BadReading, NotReady):
        return

    assert isinstance(kept, str | bool) or 0 <= kept <= 12
