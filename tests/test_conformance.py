"""What every registered driver keeps to; a new entry point is tested without a new test."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_args

import pytest
from gpiozero import InputDevice

from pilogger.bus import gpio, onewire
from pilogger.channel import Channel, Unit
from pilogger.driver import GROUP, bus_kind, channels_of, find, options, sources
from pilogger.errors import NoAnswer
from pilogger.testing import MemoryBus, SerialPort, run

DRIVERS = sorted({point.name for point in entry_points(group=GROUP)})

# Options without a default, so that each driver can be made.
NEEDED: dict[str, dict[str, Any]] = {
    "circuitpython": {"library": "adafruit_tsl2591.TSL2591", "gives": {"lux": Channel("lx")}},
    "contact": {"pin": 17},
    "command": {"run": "no-such-program", "gives": {"level": Channel("m")}},
    "distance": {"trigger": 23, "echo": 17},
    "iio": {"device": "dht11@0", "files": ["in_temp_input"]},
    "motion": {"pin": 17},
    "pulse": {"pin": 17},
}

# What a driver without a bus needs, to find nothing.
DEAD: dict[str, dict[str, Any]] = {
    "command": NEEDED["command"],
    "iio": NEEDED["iio"] | {"root": "/dev/null"},
    "system": {"root": "/dev/null"},
}

Maker = Callable[..., Callable[[], Any]]


@pytest.fixture
def maker(pins: gpio.PinBus, tmp_path: Path) -> Iterator[Maker]:
    """Find a driver, and get ready to make it on a bus where nothing answers."""
    dead = {
        "i2c": MemoryBus({}),
        "onewire": onewire.KernelBus(tmp_path),
        "gpio": pins,
        "serial": SerialPort(),
    }

    def ready(name: str, **given: Any) -> Callable[[], Any]:
        cls = find(name)
        kind = bus_kind(cls)
        bus = {"bus": dead[kind.name]} if kind else {}
        return partial(cls, **bus, **(NEEDED.get(name, {}) | given))

    with pins.device(InputDevice, NEEDED["contact"]["pin"]):  # so it is nobody else's
        yield ready


def touched_by(do: Callable[[], object]) -> list[str]:
    """Do it in a child, and tell what that asked of the outside world.

    Nobody gets rid of an audit hook again; in a process with threads, it lets them in where
    CPython 3.11 cannot bear it.
    """
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        outside = ("open", "os.", "socket.", "subprocess.", "fcntl.", "shutil.", "ctypes.dlopen")
        touched: list[str] = []

        def listen(event: str, arguments: tuple[object, ...]) -> None:
            if event.startswith(outside):
                touched.append(f"{event}{arguments}")

        try:
            sys.addaudithook(listen)
            do()
        except BaseException as error:
            touched.append(repr(error))
        os.write(writing, json.dumps(touched).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        told: list[str] = json.load(answer)
    os.waitpid(child, 0)
    return told


def test_the_watch_sees_input_and_output() -> None:
    """Without this, the next test could not fail."""
    touched = touched_by(Path("/proc/uptime").read_text)

    assert len(touched) == 1


@pytest.mark.parametrize("name", DRIVERS)
def test_making_one_touches_nothing_and_may_be_done_twice(name: str, maker: Maker) -> None:
    """`pilogger check` makes drivers on machines without any hardware."""
    make = maker(name)

    assert touched_by(lambda: (make(), make())) == []


@pytest.mark.parametrize("name", DRIVERS)
def test_every_option_is_typed_and_explained(name: str) -> None:
    cls = find(name)
    text = inspect.getdoc(cls) or ""

    for option, parameter in options(cls).items():
        assert parameter.annotation is not Any, option
        assert re.search(rf"^ +{option}: \S", text, re.MULTILINE), option
    explained = re.findall(r"^ {4}(\w+): ", text, re.MULTILINE)
    assert explained == [*options(cls), *sources(cls)], (
        "in the order of the signature, and no others"
    )


@pytest.mark.parametrize("name", DRIVERS)
def test_every_channel_has_a_unit_and_a_plain_name(name: str, maker: Maker) -> None:
    found = channels_of(maker(name)())

    assert found
    for channel_name, channel in found.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", channel_name)
        assert channel.unit in get_args(Unit)


@pytest.mark.parametrize("name", [name for name in DRIVERS if hasattr(find(name), "close")])
def test_closing_twice_is_fine_even_if_it_never_started(name: str, maker: Maker) -> None:
    driver = maker(name)()

    driver.close()
    driver.close()


@pytest.mark.parametrize("name", [name for name in DRIVERS if name != "simulated"])
def test_where_nothing_answers_there_is_no_number(name: str, maker: Maker) -> None:
    driver = maker(name, **DEAD.get(name, {}))()

    with pytest.raises(NoAnswer) as error:
        run(driver.start() if hasattr(driver, "start") else driver.read())
    assert str(error.value), "a sentence for a person"


@pytest.mark.parametrize("name", DRIVERS)
def test_every_driver_file_states_what_it_is_and_its_quality(name: str) -> None:
    module = inspect.getmodule(find(name))

    assert module is not None
    assert module.__doc__
    assert re.search(r"^# quality: (bench|field|reference)$", inspect.getsource(module), re.M)
