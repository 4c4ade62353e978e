"""What every driver keeps to on a chip that falls silent, at whatever moment, and comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import ne
from typing import Any

import idle_chips
import pytest

from pilogger.driver import find
from pilogger.errors import NoAnswer, SensorError
from pilogger.sample import Value
from pilogger.scheduler.conform import Shape
from pilogger.testing import run

SILENCE = "nobody answers any more"


class Line:
    """The wire to a chip; `answers` says which transfers take place, by their number from 0."""

    def __init__(self, chip: Any, answers: Callable[[int], bool] = lambda _: True) -> None:
        self.chip = chip
        self.answers = answers
        self.transfers = 0

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def transfer(*args: Any) -> Any:
            self.transfers += 1
            if not self.answers(self.transfers - 1):
                raise NoAnswer(SILENCE)
            return getattr(self.chip, verb)(*args)

        return transfer


def made(name: str, line: Line) -> Any:
    return find(name)(line, **idle_chips.OPTIONS.get(name, {}))


def poll(name: str, driver: Any) -> Mapping[str, Value]:
    """Start a driver and read it once; return what the core would store."""
    if hasattr(driver, "start"):
        run(driver.start())
    reading, _ = run(driver.read())
    return Shape(driver).values(reading)


def whole(name: str) -> tuple[int, Mapping[str, Value]]:
    """Return how many transfers a start and a poll make where all is well, and the values."""
    line = Line(idle_chips.CHIPS[name]())
    values = poll(name, made(name, line))
    return line.transfers, values


@pytest.mark.parametrize("name", sorted(idle_chips.CHIPS))
def test_a_bus_that_dies_gives_no_answer_whenever_that_is(name: str) -> None:
    """In the midst of a start or a poll: never a number, a bug, or another chip."""
    transfers, _ = whole(name)

    assert transfers
    for last in range(transfers):
        driver = made(name, Line(idle_chips.CHIPS[name](), range(last).__contains__))
        with pytest.raises(NoAnswer):
            poll(name, driver)


@pytest.mark.parametrize("name", sorted(idle_chips.CHIPS))
def test_a_chip_that_comes_back_is_read_as_if_nothing_had_been(name: str) -> None:
    """By the same driver, started again: what was half done does not matter."""
    transfers, values = whole(name)

    for last in range(transfers):
        line = Line(idle_chips.CHIPS[name](), range(last).__contains__)
        driver = made(name, line)
        with pytest.raises(SensorError):
            poll(name, driver)
        line.chip, line.answers = idle_chips.CHIPS[name](), lambda _: True
        assert poll(name, driver) == values


@pytest.mark.parametrize("name", sorted(idle_chips.CHIPS))
def test_one_transfer_that_fails_is_never_another_value(name: str) -> None:
    """It may be borne, as where a chip is known not to acknowledge; else the slot has none."""
    transfers, values = whole(name)

    for at in range(transfers):
        driver = made(name, Line(idle_chips.CHIPS[name](), partial(ne, at)))
        try:
            found = poll(name, driver)
        except SensorError:
            continue
        assert found == values
