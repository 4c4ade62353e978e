"""The settings as a whole: from a file, from text, from Python."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from platform import node
from typing import Any

import pytest
from config_rig import SENSOR, mistake

from pilogger.config import from_dict, load, loads, store_path
from pilogger.errors import ConfigError

DATA: dict[str, Any] = {"sensors": {"air": {"driver": "bme280"}}}


def test_what_is_not_said_has_a_default() -> None:
    """A sensor is all that a config needs."""
    settings = loads(SENSOR)

    assert settings.device == node()
    assert settings.destinations == ()
    assert settings.store.path == Path("/var/lib/pilogger/pilogger.db")
    assert settings.store.durability == 10.0
    assert settings.clock.trust == "ntp"
    assert settings.clock.unsynced == "hold"
    assert settings.driver_dirs == ()


def test_relative_paths_start_at_the_folder_of_the_config(tmp_path: Path) -> None:
    """So that a config means the same wherever the program is started."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "a.yaml").write_text(SENSOR + "store: {path: a.db}\ndriver_dirs: [mine, /]\n")
    settings = load(tmp_path / "a.yaml")

    assert settings.store.path == tmp_path / "a.db"
    assert settings.driver_dirs == (tmp_path / "mine", Path("/"))


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a shell."""
    monkeypatch.setenv("HOME", "/home/someone")

    assert loads(SENSOR + "store: {path: ~/a.db}").store.path == Path("/home/someone/a.db")


@pytest.mark.parametrize("path", ["''", ".", "/", "a/.."])
def test_the_store_is_a_file(path: str) -> None:
    """These would be folders."""
    found = mistake(f"{SENSOR}store: {{path: {path}}}")

    assert found == "2:15: store.path: expected the path of a file"


@pytest.mark.parametrize(
    ("name", "said"),
    [("nope.yaml", "there is no such file"), (".", "cannot be read: Is a directory")],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, said: str) -> None:
    """In the same shape as every other mistake."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / name)

    assert str(caught.value) == f"{tmp_path / name}:1:1: {said}"


def test_a_path_that_no_system_takes_is_a_mistake_too() -> None:
    """Python raises a ValueError for it."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load("a\0b")


def test_settings_can_be_written_in_python() -> None:
    """The same shape, through the same checks; paths may be paths."""
    data = DATA | {"device": "a", "store": {"path": Path("/x.db"), "durability": "1s"}}

    settings = from_dict(data)

    assert settings == loads(
        SENSOR + "device: a\nstore: {path: /x.db, durability: 1s}\n", "other.yaml"
    )


def test_mistakes_in_python_have_a_path_and_no_line() -> None:
    """They stand in no file."""
    with pytest.raises(ConfigError) as caught:
        from_dict({"sensors": {"a": {"driver": "bme280", "address": "x"}, "b": {}}}, "demo")

    assert [mistake[:4] for mistake in caught.value.mistakes] == [
        ("demo", 0, 0, "sensors.a.address"),
        ("demo", 0, 0, "sensors.b"),
    ]


def test_values_that_yaml_cannot_say_are_mistakes_in_python() -> None:
    """Whatever they are."""
    ring: list[Any] = []
    ring.append(ring)
    for value in (b"x", object(), {1: 2}, float("nan"), 2**64, "\ud800", {1, 2}, ring):
        with pytest.raises(ConfigError):
            from_dict(DATA | {"device": value})


def test_settings_are_frozen() -> None:
    """A config that changed under a running agent would be two configs."""
    settings = loads(SENSOR)

    with pytest.raises(FrozenInstanceError):
        settings.device = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        settings.store.durability = 1.0  # type: ignore[misc]


def test_only_what_is_named_is_imported() -> None:
    """On a Pi Zero each import counts."""
    script = (
        "import sys; from pilogger.config import loads;"
        "loads('sensors: {a: {driver: bh1750}}'); print(*sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    modules = out.stdout.split()
    assert [m for m in modules if m.startswith("pilogger.sensors.")] == ["pilogger.sensors.bh1750"]
    assert not {"gpiozero", "requests", "sqlite_utils", "click", "pilogger.store"} & {*modules}
    assert not [m for m in modules if m.startswith("pilogger.destinations.")]


@pytest.mark.parametrize(
    "text",
    [
        "store: {path: a.db}\nsensors: {air: {driver: nope, key: !secret mine}}\n",
        "store: {path: a.db, durability: soon}\nx: !env NO_SUCH_THING_HERE\n",
    ],
)
def test_the_store_is_found_whatever_else_is_wrong(tmp_path: Path, text: str) -> None:
    """Who only asks how a logger is doing needs neither its secrets nor its drivers."""
    (tmp_path / "secrets.yaml").mkdir()  # which nobody can read
    (tmp_path / "a.yaml").write_text(text)

    assert store_path(tmp_path / "a.yaml") == tmp_path / "a.db"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("store: {path: 3}\n", "a.yaml:1:15: store.path: expected text"),
        ("store: {path: !secret x}\n", "a.yaml:1:15: store.path: there is no secret x"),
        ("- store\n", "a.yaml:1:1: expected a mapping"),
        ("store: [\n", "a.yaml:2:1: this is not YAML"),
        (None, "a.yaml:1:1: there is no such file"),
    ],
)
def test_a_store_that_is_not_told_is_an_error(tmp_path: Path, text: str | None, said: str) -> None:
    """Never another store than the one that was meant."""
    if text is not None:
        (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        store_path(tmp_path / "a.yaml")
