"""Nothing that others wrote works on a terminal, or looks like an entry of a log."""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import wire_rig as wire
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from logger_rig import agent, configure, eventually, stop

from pilogger import status
from pilogger.cli import main
from pilogger.harmless import CONTINUED, Lines
from pilogger.hub import Hub

FORGED = "INFO pilogger: all is well"
EVIL = f"x\x1b[2J\x1b]0;owned\x07\r\n{FORGED}\n\u2028{FORGED}\u202e\x9b31m"
ENTRY = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+: ")


def tricks(said: str) -> list[str]:
    """What in a text is not printable, or is not ours and stands where an entry begins."""
    return [line for line in said.split("\n") if not line.isprintable() or FORGED in line[:40]]


@pytest.mark.fault(95)
@given(st.text(), st.text())
def test_an_entry_is_one_whatever_is_in_it(message: str, error: str) -> None:
    """What follows a line break is marked; everything else that is not printable is escaped."""
    try:
        raise ValueError(error)
    except ValueError as raised:
        trouble = (ValueError, raised, raised.__traceback__)
    record = logging.LogRecord("pilogger", logging.INFO, "x.py", 1, "%s", (message,), trouble)
    first, *rest = Lines("%(levelname)s %(name)s: %(message)s").format(record).split("\n")

    assert ENTRY.match(first)
    assert first.isprintable()
    assert all(line.startswith(CONTINUED) and line.isprintable() for line in rest)


@pytest.fixture
def hostile() -> Iterator[wire.Wire]:
    """A server whose every word is meant to do harm."""

    def talk(server: wire.Wire, connection: socket.socket) -> None:
        while server.request(connection):
            body = EVIL.encode()
            head = f"HTTP/1.1 401 No\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)

    with wire.serving(talk) as server:
        yield server


@pytest.mark.fault(95)
def test_no_server_and_no_program_forges_an_entry(tmp_path: Path, hostile: wire.Wire) -> None:
    """The log of a logger, and what `pilogger status` prints, with a sensor that complains."""
    program = tmp_path / "evil.py"
    program.write_text(f"import sys\nsys.stderr.write({EVIL!r})\nsys.exit(3)\n")
    buggy = tmp_path / "drivers" / "buggy.py"
    buggy.parent.mkdir()
    buggy.write_text(
        "from typing import NamedTuple, Annotated\nfrom pilogger.channel import Channel\n"
        "class Reading(NamedTuple):\n    t: Annotated[float, Channel('Cel')]\n"
        f"class Buggy:\n    def read(self) -> Reading:\n        raise ZeroDivisionError({EVIL!r})\n"
    )
    sensors = {
        "good": {"driver": "simulated", "every": "20ms"},
        "bad": {"driver": "command", "run": ["python3", str(program)], "every": "100ms",
                "gives": {"level": {"unit": "m"}}},
        "worse": {"driver": "buggy", "every": "100ms"},
    }  # fmt: skip
    config = configure(tmp_path, hostile.port, sensors=sensors, driver_dirs=["drivers"])
    store = tmp_path / "pilogger.db"
    with agent(config) as running:
        eventually(
            lambda: (
                (found := status.ask(store))
                and found["destinations"][0]["why"]
                and all(sensor["error"] for sensor in found["sensors"][1:])
            )
        )
        shown = CliRunner().invoke(main, ["status", "--config", str(config)]).stdout
        said = stop(running, signal.SIGTERM)

    assert "401" in said
    assert "ZeroDivisionError" in said
    assert "all is well" in said
    assert "all is well" in shown
    assert (tricks(said), tricks(shown)) == ([], [])
    assert all(ENTRY.match(line) or line.startswith(CONTINUED) for line in said.splitlines())


@pytest.mark.fault(95)
def test_no_client_of_a_hub_writes_to_its_terminal(tmp_path: Path) -> None:
    """A key may be any text, and so may a value; who lists them sees them escaped."""
    path = tmp_path / "hub.db"
    with Hub("127.0.0.1", 0, path) as hub:
        events = [{"key": "key " + EVIL, "value": "value " + EVIL, "epoch": 5}]
        url = f"{hub.url}/api/events?bucketKey=b"
        assert requests.post(url, data=json.dumps(events), timeout=10).status_code == 204
    shown = CliRunner().invoke(main, ["series", "--store", str(path)]).stdout

    assert "key x" in shown
    assert "value x" in shown
    assert tricks(shown) == []
