"""What a new machine starts with."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from pilogger import first
from pilogger.config import load

EXAMPLE = Path(__file__).parents[1] / "examples/pi.yaml"
ME = pwd.getpwuid(os.geteuid()).pw_name
BOTH = ("pilogger-hub", "pilogger")


def begin(etc: Path, *services: str) -> dict[str, str]:
    """Begin, and return what is there then, with its mode."""
    first.begin(services, etc, EXAMPLE, ME)
    return {file.name: f"{file.stat().st_mode & 0o777:o}" for file in etc.iterdir()}


def test_a_logger_alone_logs_itself_and_sends_nothing(tmp_path: Path) -> None:
    """It has a config, and a file for secrets that nobody else reads."""
    found = begin(tmp_path / "etc", "pilogger")

    assert found == {"pilogger.yaml": "644", "secrets.yaml": "600"}
    settings = load(tmp_path / "etc/pilogger.yaml")
    assert ([each.id for each in settings.sensors], settings.destinations) == (["pi"], ())


def test_a_hub_alone_has_a_key(tmp_path: Path) -> None:
    """And nothing that is of a logger."""
    found = begin(tmp_path, "pilogger-hub")

    assert found == {"hub.env": "600"}
    name, _, key = (tmp_path / "hub.env").read_text().strip().partition("=")
    assert (name, len(key)) == ("PILOGGER_HUB_ACCESS_KEY", 32)


@pytest.mark.parametrize("key", ["", "1e5", "a: b #c", "[x"])
def test_a_logger_beside_a_hub_sends_to_it(tmp_path: Path, key: str) -> None:
    """With its key, whether that was made now or before, and looks like YAML or not."""
    if key:
        (tmp_path / "hub.env").write_text(f"# mine\nPILOGGER_HUB_ACCESS_KEY={key}\n")
    begin(tmp_path, *BOTH)

    (destination,) = load(tmp_path / "pilogger.yaml").destinations
    key = key or (tmp_path / "hub.env").read_text().strip().partition("=")[2]
    assert (destination.name, destination.options["access_key"]) == ("hub", key)


def test_what_is_there_stays(tmp_path: Path) -> None:
    """Each of the three is a person's once it is there; and secrets are not added to."""
    mine = {name: f"# {name}\n" for name in ("hub.env", "pilogger.yaml", "secrets.yaml")}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    begin(tmp_path, *BOTH)

    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == mine

    (tmp_path / "pilogger.yaml").unlink()
    begin(tmp_path, *BOTH)

    assert (tmp_path / "secrets.yaml").read_text() == mine["secrets.yaml"]
    assert load(tmp_path / "pilogger.yaml").destinations == ()


def test_what_broke_off_begins_anew(tmp_path: Path) -> None:
    """There was no room for the config: it comes the next time, and with the hub in it."""
    (tmp_path / ".pilogger.yaml.new").mkdir()
    with pytest.raises(OSError, match=r"pilogger\.yaml\.new"):
        begin(tmp_path, *BOTH)
    (tmp_path / ".pilogger.yaml.new").rmdir()
    begin(tmp_path, *BOTH)

    assert load(tmp_path / "pilogger.yaml").destinations[0].name == "hub"
