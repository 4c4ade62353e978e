"""Drivers on pins or without a bus, on a machine that is well: the rest of `idle_chips`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import idle_chips
import pytest
from gpiozero import DistanceSensor
from test_distance import Echoes
from test_iio import lay
from test_mcp3008 import Chip, Pins

from pilogger.bus.gpio import PinBus
from pilogger.channel import Channel
from pilogger.driver import find
from pilogger.scheduler.conform import Shape

OPTIONS: dict[str, dict[str, Any]] = {
    "command": {"run": "echo 3.205", "gives": {"level": Channel("m", 0, 12)}},
    "contact": {"pin": 17},
    "distance": {"trigger": 23, "echo": 24},
    "iio": {"device": "dht11@0", "files": ["in_temp_input", "in_humidityrelative_input"]},
    "mcp3008": {},
    "motion": {"pin": 17},
    "pulse": {"pin": 17},
    "simulated": {},
    "system": {},
}


def finish(result: Any, meanwhile: Callable[[], object]) -> tuple[Any, float]:
    """Finish a start or a poll; return its result, and the seconds that it waited."""
    waited = 0.0
    if not isinstance(result, Generator):
        return result, waited
    while True:
        try:
            waited += next(result)
        except StopIteration as stop:
            return stop.value, waited
        meanwhile()


def test_every_driver_is_here_or_among_the_idle_chips() -> None:
    assert set(OPTIONS) == set(idle_chips.registered()) - set(idle_chips.CHIPS)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_well_machine_gives_a_reading_that_the_driver_promised(
    name: str, pins: PinBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each value of its type and within its channel's range, within the usual interval."""
    lay(tmp_path / "sys/bus/iio/devices/iio:device0", {
        "name": "dht11@0", "in_temp_input": "21500", "in_humidityrelative_input": "48000",
    })  # fmt: skip
    echoes = Echoes(*[0.25] * 9)
    monkeypatch.setattr(DistanceSensor, "_read", echoes.method())
    made: dict[str, dict[str, Any]] = {
        "contact": {"bus": pins},
        "distance": {"bus": pins},
        "iio": {"root": str(tmp_path)},
        "mcp3008": {"bus": Pins(Chip(10, [0, 1, 512, 1023] * 2))},
        "motion": {"bus": pins},
        "pulse": {"bus": pins},
    }
    driver = find(name)(**OPTIONS[name], **made.get(name, {}))

    if hasattr(driver, "start"):
        finish(driver.start(), int)
    reading, waited = finish(driver.read(), lambda: echoes.all_heard.wait(10))
    values = Shape(driver).values(reading)
    if hasattr(driver, "close"):
        driver.close()

    assert values
    assert waited < 10
