"""Channels: units, ranges and steps."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import pytest

from pilogger.channel import Channel, channels, decade

LIGHT = Channel("lx", 0, 100)


class Reading(NamedTuple):
    illuminance: Annotated[float, LIGHT]
    note: str


def test_a_step_rounds_in_decimal() -> None:
    """21.4567 at a step of 0.01 is stored as 21.46, not as 21.460000000000001."""
    channel = Channel("Cel", -40, 85, 0.01)

    assert channel.round(21.4567) == 21.46
    assert repr(channel.round(0.1 + 0.2)) == "0.3"
    assert Channel("Pa", 0, 10, 10).round(1234.0) == 1230.0


def test_whole_numbers_and_stepless_channels_are_not_touched() -> None:
    """A counter stays a whole number; without a step every bit is kept."""

    assert Channel("1", 0, 9, 0.1).round(7) == 7
    assert isinstance(Channel("1", 0, 9, 0.1).round(7), int)
    assert Channel("lx").round(1 / 3) == 1 / 3


@pytest.mark.parametrize("step", [0.5, 0.0625, 3, 0, -1])
def test_a_step_is_a_power_of_ten(step: float) -> None:
    """Only decimal steps make short numbers."""
    with pytest.raises(ValueError, match="power of ten"):
        Channel("V", 0, 5, step)


def test_an_empty_range_is_refused() -> None:
    """A channel must be able to have a value."""
    with pytest.raises(ValueError, match="empty"):
        Channel("V", 5, 5)


def test_channels_are_the_annotated_fields() -> None:
    """Fields without a Channel are no channels."""

    assert channels(Reading) == {"illuminance": LIGHT}


@pytest.mark.parametrize(("step", "found"), [(0.018, 0.01), (0.01, 0.01), (25, 10), (1e-3, 1e-3)])
def test_a_decade_is_no_coarser_than_the_step(step: float, found: float) -> None:
    assert decade(step) == found


@pytest.mark.parametrize(("factor", "shift"), [(1e-323, 0), (1e308, 0), (1.0, 1e300)])
def test_a_channel_of_which_nothing_is_left_is_refused(factor: float, shift: float) -> None:
    """Not with an error of arithmetic: a config may say so."""
    with pytest.raises(ValueError, match=r"too small or too large|is empty"):
        Channel("%", 0, 1e10, 10 if factor > 1 else 0.01).moved(factor, shift)
