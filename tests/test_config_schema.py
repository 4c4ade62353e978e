"""The JSON Schema, and the examples that name it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pilogger import driver
from pilogger.config import load, schema
from pilogger.destinations import TYPES

EXAMPLES = Path(__file__).parent.parent / "examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))


def definition(name: str) -> dict[str, Any]:
    """Return what the schema says about a driver's sensor."""
    found = schema()
    branches = found["properties"]["sensors"]["additionalProperties"]["allOf"]
    (ref,) = (
        branch["then"]["$ref"]
        for branch in branches
        if branch["if"]["properties"]["driver"]["const"] == name
    )
    part: dict[str, Any] = found["$defs"][ref.removeprefix("#/$defs/")]
    return part


def test_the_schema_beside_the_examples_is_that_of_this_code() -> None:
    """If not: pilogger schema > examples/pilogger.schema.json."""
    written = json.loads((EXAMPLES / "pilogger.schema.json").read_text())

    assert written == schema()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_example_is_a_config(file: Path) -> None:
    """Short, valid, and known to editors."""
    lines = file.read_text().splitlines()
    settings = load(file)

    assert lines[0] == "# yaml-language-server: $schema=pilogger.schema.json"
    assert len(lines) < 30
    assert settings.sensors


def test_there_are_examples() -> None:
    """Or the test above would test nothing."""

    assert len(FILES) >= 3


def test_the_schema_is_plain_json() -> None:
    """Without the infinities that Python would write."""

    assert json.loads(json.dumps(schema(), allow_nan=False)) == schema()


def test_every_driver_and_destination_is_in_it() -> None:
    """With a line about each, from its docstring."""
    properties = schema()["properties"]
    sensor = properties["sensors"]["additionalProperties"]["properties"]["driver"]["oneOf"]
    place = properties["destinations"]["items"]["properties"]["type"]["oneOf"]

    assert [choice["const"] for choice in sensor] == list(driver.available())
    assert [choice["const"] for choice in place] == list(TYPES)
    assert all(choice["description"] for choice in sensor + place)


def test_a_drivers_options_are_those_of_its_signature() -> None:
    """With their types, their defaults, and what its docstring says about them."""
    part = definition("contact")

    assert part["required"] == ["driver", "pin"]
    assert part["additionalProperties"] is False
    assert part["properties"]["pull"]["enum"] == ["up", "down"]
    assert part["properties"]["pull"]["default"] == "up"
    assert part["properties"]["pin"]["description"].startswith("the GPIO (BCM) number")


def test_durations_are_text_with_a_default_as_people_write_it() -> None:
    """An editor fills in `10s`, not 10.0."""
    every = definition("bme280")["properties"]["every"]

    assert every["type"] == "string"
    assert every["default"] == "10s"


def test_only_a_driver_on_a_bus_has_the_option_bus() -> None:
    """As reading a config has it."""

    assert "bus" in definition("bme280")["properties"]
    assert "bus" not in definition("system")["properties"]


def test_a_drop_in_driver_is_in_it_and_one_that_fails_is_named(tmp_path: Path) -> None:
    """Whether it can be imported here says nothing about elsewhere."""
    (tmp_path / "mine.py").write_text(
        "class Mine:\n"
        "    def __init__(self, size: int, hook: object = None, ends: type = int): ...\n"
        "    def read(self): ...\n"
    )
    (tmp_path / "elsewhere.py").write_text("import a_library_that_is_not_here")
    found = schema([tmp_path])
    sensor = found["properties"]["sensors"]["additionalProperties"]
    names = [choice["const"] for choice in sensor["properties"]["driver"]["oneOf"]]

    assert {"mine", "elsewhere"} < set(names)
    assert found["$defs"]["Mine"]["required"] == ["driver", "size"]
    assert found["$defs"]["AnySensor"]["required"] == ["driver"]
