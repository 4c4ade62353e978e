"""The command line as a person meets it: exit codes, sentences, no tracebacks."""

from __future__ import annotations

import json
import os
from importlib.metadata import entry_points
from pathlib import Path

import logger_rig as rig
import pytest
import requests
from click.testing import CliRunner, Result

from pilogger import __version__
from pilogger.cli import main

MISSING = "driver: command, run: no-such-program, gives: {value: {unit: '%'}}"
GOOD = """
device: test
sensors:
  air: {driver: simulated, unit: Cel, low: 18, high: 24, channels: {value: {offset: 100}}}
store: {path: pilogger.db}
clock: {trust: system}
"""

BAD = """
sensors:
  air: {driver: simulatd}
  sea: {driver: simulated, every: 10 s, hight: 3}
colour: red
"""


def pilogger(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


def test_check_says_that_nothing_is_wrong(folder: Path) -> None:
    """A good config: one line, exit 0; `--config` and plain names are the same."""
    said = pilogger("check", "good.yaml")

    assert (said.exit_code, said.output) == (
        0,
        "good.yaml: 1 sensor, 0 destinations, no mistakes\n",
    )
    assert pilogger("check", "--config", "good.yaml").output == said.output


def test_check_says_every_mistake_at_once(folder: Path) -> None:
    """Each with its place and the nearest valid word; exit 2; good files are named too."""
    said = pilogger("check", "bad.yaml", "good.yaml", "none.yaml")

    assert said.exit_code == 2
    assert said.stdout == "good.yaml: 1 sensor, 0 destinations, no mistakes\n"
    lines = said.stderr.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("bad.yaml:3:17: sensors.air.driver: ")
    assert "did you mean simulated?" in lines[0]
    assert lines[-1] == "none.yaml:1:1: there is no such file"


@pytest.mark.parametrize("command", ["run", "read air", "status", "check"])
def test_no_config_is_a_usage_error(folder: Path, command: str) -> None:
    """Where there is no config, every command says where it looked."""
    said = pilogger(*command.split())

    assert said.exit_code == 2
    assert "there is no /etc/pilogger/pilogger.yaml and no ./pilogger.yaml" in said.stderr


def test_the_config_of_this_folder_is_found(folder: Path) -> None:
    """Without --config, ./pilogger.yaml is taken."""
    (folder / "pilogger.yaml").write_text(GOOD)

    assert pilogger("check").exit_code == 0


def test_read_takes_one_sample_and_prints_it(folder: Path) -> None:
    """As the agent would: with offset and unit; `--json` for programs."""
    words = pilogger("read", "air", "--config", "good.yaml")
    numbers = pilogger("read", "air", "--config", "good.yaml", "--json")

    assert (words.exit_code, words.output) == (0, "value  121 °C\n")
    assert json.loads(numbers.output) == {"value": 121.0}
    assert not (folder / "pilogger.db").exists()


def test_read_asks_those_that_a_sensor_is_wired_to(folder: Path) -> None:
    """What is derived is there at once; one that does not answer costs only that."""
    warm = "derive: {dew_point: {temperature: value, humidity: wet.value}}"
    text = (
        f"sensors:\n  warm: {{driver: simulated, low: 20, high: 30, unit: Cel, {warm}}}\n"
        "  wet: {driver: simulated, low: 40, high: 60, unit: '%'}\n"
    )
    (folder / "two.yaml").write_text(text)
    (folder / "one.yaml").write_text(
        text.replace("driver: simulated, low: 40, high: 60, unit: '%'", MISSING)
    )

    both = pilogger("read", "warm", "--config", "two.yaml", "--json")
    one = pilogger("read", "warm", "--config", "one.yaml", "--json")

    assert json.loads(both.output) == {"value": 25.0, "dew_point": 13.85}
    assert json.loads(one.output) == {"value": 25.0}


def test_read_says_why_there_is_none(folder: Path) -> None:
    """A sensor that is not there, and one that nobody configured: exit 1 and a sentence."""
    (folder / "light.yaml").write_text("sensors: {light: {driver: bh1750, bus: 77}}")
    unplugged = pilogger("read", "light", "--config", "light.yaml")
    unknown = pilogger("read", "sun", "--config", "light.yaml")

    assert (unplugged.exit_code, unknown.exit_code) == (1, 1)
    assert unplugged.stderr.startswith("pilogger: light: no answer: ")
    assert "Traceback" not in unplugged.output
    assert unknown.stderr == "pilogger: no sensor is called 'sun'; the config has light\n"


def test_drivers_lists_every_driver_with_channels_units_and_options() -> None:
    """Every entry point is there, in words and as JSON."""
    words = pilogger("drivers").output
    described = {
        driver["driver"]: driver for driver in json.loads(pilogger("drivers", "--json").output)
    }

    assert set(described) >= {point.name for point in entry_points(group="pilogger.drivers")}
    assert all(f"{name}" in words for name in described)
    assert described["bme280"]["channels"]["temperature"] == {
        "unit": "Cel",
        "low": -40,
        "high": 85,
    }
    assert described["bme280"]["bus"] == "i2c"
    assert described["bme280"]["addresses"] == [0x76, 0x77]
    assert "address=0x76" in words
    assert described["sgp40"]["compensate"] == {"temperature": "Cel", "humidity": "%"}
    assert "\n    options: interval=10\n    compensate: temperature, humidity\n" in words


def test_drivers_tells_of_a_drop_in_that_cannot_be_loaded(tmp_path: Path) -> None:
    """The others are listed all the same."""
    (tmp_path / "mine.py").write_text("import there_is_no_such_module")
    said = pilogger("drivers", "--dir", tmp_path)

    assert said.exit_code == 0
    assert "there_is_no_such_module" in said.output
    assert "bme280" in said.output


def test_the_schema_is_json() -> None:
    """Editors read it."""
    found = json.loads(pilogger("schema").output)

    assert "sensors" in found["properties"]


def test_a_store_in_use_is_a_sentence(folder: Path) -> None:
    """The second agent of a store says who has it, and exits 1."""
    config = rig.configure(folder)
    with rig.agent(config) as first:
        with rig.process("run", "--config", config) as second:
            said, _ = second.communicate(timeout=30)
        rig.stop(first)

    assert second.returncode == 1
    assert f"is being written by another pilogger (process {first.pid})" in said
    assert "Traceback" not in said


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
def test_a_folder_without_permission_is_a_sentence(tmp_path: Path) -> None:
    """What cannot be written is named, with what to do; exit 1."""
    config = rig.configure(tmp_path, store={"path": "/proc/pilogger.db"})
    with rig.process("run", "--config", config) as agent:
        said, _ = agent.communicate(timeout=30)

    assert agent.returncode == 1
    assert "/proc cannot be written" in said
    assert "Traceback" not in said


def test_a_wrong_config_ends_run_with_2(folder: Path) -> None:
    """The same sentences as `check`."""
    said = pilogger("run", "--config", "bad.yaml")

    assert said.exit_code == 2
    assert said.stderr == pilogger("check", "bad.yaml").stderr


def test_a_hub_without_an_account_stays_on_loopback(tmp_path: Path) -> None:
    """It refuses an address that others could reach, and says what to do."""
    with rig.process("hub", "--host", "0.0.0.0", "--port", 0, "--store", tmp_path / "h.db") as hub:
        said, _ = hub.communicate(timeout=30)

    assert hub.returncode == 1
    assert "PILOGGER_HUB_ACCESS_KEY" in said
    assert "Traceback" not in said


def test_help_and_version() -> None:
    """The first two things anybody types."""

    assert pilogger("--version").output == f"pilogger {__version__}\n"
    for command in main.commands:
        said = pilogger(command, "--help")
        assert said.exit_code == 0
        assert main.commands[command].help
        assert "Usage: " in said.output


def test_a_pipe_is_no_config(folder: Path) -> None:
    """Nobody is waited for."""
    os.mkfifo(folder / "pipe.yaml")

    assert "pipe.yaml:1:1: cannot be read: it is a pipe" in pilogger("check", "pipe.yaml").stderr


def test_a_driver_file_that_exits_is_a_mistake(folder: Path) -> None:
    """It ends nobody but itself."""
    (folder / "drivers").mkdir()
    (folder / "drivers" / "exits.py").write_text("import sys; sys.exit(3)")
    (folder / "exits.yaml").write_text("driver_dirs: [drivers]\nsensors: {a: {driver: exits}}")
    said = pilogger("check", "exits.yaml")

    assert said.exit_code == 2
    assert "SystemExit(3)" in said.stderr
    assert "bme280" in pilogger("drivers", "--dir", "drivers").output


def test_what_a_driver_prints_does_not_disturb_the_answer(folder: Path) -> None:
    """Standard output holds the sample, and nothing else."""
    (folder / "drivers").mkdir()
    (folder / "drivers" / "prints.py").write_text(
        "from typing import Annotated, NamedTuple\n"
        "from pilogger.channel import Channel\n"
        "class Reading(NamedTuple):\n"
        "    level: Annotated[float, Channel('m')]\n"
        "class Driver:\n"
        "    def read(self) -> Reading:\n"
        "        print('hello')\n"
        "        return Reading(1.5)\n"
    )
    (folder / "prints.yaml").write_text("driver_dirs: [drivers]\nsensors: {a: {driver: prints}}")
    said = pilogger("read", "a", "--config", "prints.yaml", "--json")

    assert json.loads(said.stdout) == {"level": 1.5}
    assert "hello" in said.stderr


def test_a_bad_duration_is_a_usage_error() -> None:
    """The demo takes the durations of a config."""
    said = pilogger("demo", "--for", "10 s")

    assert said.exit_code == 2
    assert "did you mean 10s?" in said.stderr


def test_accounts_are_added_listed_and_removed(folder: Path) -> None:
    """The key and the secret are shown once, and let a client in; the hub need not be there."""
    added = pilogger("hub", "accounts", "add", "ann", "--store", "h.db", "--json")
    ann = json.loads(added.stdout)
    bob = pilogger("hub", "--store", "h.db", "accounts", "add", "bob")
    listed = json.loads(pilogger("hub", "accounts", "list", "--store", "h.db", "--json").stdout)
    words = pilogger("hub", "accounts", "list", "--store", "h.db").stdout
    gone = pilogger("hub", "accounts", "remove", "bob", "--store", "h.db")

    assert [(one["name"], one["secret"]) for one in listed] == [("ann", True), ("bob", True)]
    assert [line.split()[:4] for line in words.splitlines()] == [
        ["ann", "key", "and", "secret"],
        ["bob", "key", "and", "secret"],
    ]
    assert [line.split()[0] for line in bob.stdout.splitlines()] == ["access", "secret"]
    assert gone.stdout.startswith("bob was removed")
    auth = (ann["access_key"], ann["secret"])
    port = rig.free_port()
    with rig.hub(folder / "h.db", port):
        url = f"http://127.0.0.1:{port}/v1/series/"
        assert requests.get(url, auth=auth, timeout=10).json() == []
        assert requests.get(url, auth=(auth[0], "x"), timeout=10).status_code == 403


def test_an_account_takes_the_key_that_clients_have(folder: Path) -> None:
    """Typed in, not given as an argument that others could see; nothing is printed of it."""
    said = CliRunner().invoke(
        main, ["hub", "accounts", "add", "ann", "--ask"], input="the key\nthe secret\n"
    )

    assert said.exit_code == 0
    assert "the key" not in said.output
    assert "the secret" not in said.output
    assert (folder / "pilogger-hub.db-accounts").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["remove", "ann"], "pilogger: there is no account ann; there are: none\n"),
        (["add", " "], "pilogger: an account's name has 1 to 200 printable characters"),
    ],
)
def test_a_slip_with_accounts_is_a_sentence(folder: Path, arguments: list[str], words: str) -> None:
    """Exit 1, no traceback."""
    said = pilogger("hub", "accounts", *arguments)

    assert (said.exit_code, said.stderr[: len(words)]) == (1, words)


def test_a_key_without_a_certificate_is_a_usage_error(folder: Path) -> None:
    """Nobody believes then that the hub speaks TLS."""
    assert "--key needs --cert" in pilogger("hub", "--key", "k.pem").stderr
