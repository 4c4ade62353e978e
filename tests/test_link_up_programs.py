"""The logger, and programs that log through a client of ours, use a network that comes at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from logger_rig import configure

from pilogger.initialstate import Streamer
from pilogger.rudderstack import Client
from pilogger.uploader import loop

alone = pytest.mark.skipif(os.getuid() != 0, reason="a network of its own needs root")

HOURS_LATER = """
import subprocess, sys, time
from pathlib import Path
from pilogger.hub import Account, Accounts, Hub
from pilogger.uploader import backoff

backoff.HOPEFUL = 0.0
backoff.SHORTEST = backoff.LONGEST = 1e6

def address(what):
    subprocess.run(["ip", "address", what, "192.0.2.1/32", "dev", "lo"], check=True)

def wait(fact):
    while not (found := fact()):
        time.sleep(0.02)
    return found

subprocess.run("ip link set lo up".split(), check=True)
address("add")
place = Path(sys.argv[1])
with Hub("192.0.2.1", 0, place.parent / "hub.db", Accounts([Account("", "key")])) as hub:
    address("del")
"""
LOGGER = """
    from pilogger.agent import Agent
    from pilogger.config import load

    def tell(fact):
        (found,) = agent.parts.destinations()
        return found[fact]

    place.write_text(place.read_text().replace("http://hub", hub.url))
    with Agent(load(place)) as agent:
        print(wait(lambda: tell("why")))
        address("add")
        print(wait(lambda: tell("sent")) > 0)
"""
STREAMER = """
    from pilogger.initialstate import Streamer

    streamer = Streamer("b", "b", "key", base_url=hub.url, store=place)
    streamer.log("a", 1)
    print(wait(lambda: streamer._spool.trouble))
    address("add")
    print(wait(lambda: streamer.pending == 0))
    streamer.close()
"""
RUDDERSTACK = """
    from pilogger.rudderstack import Client

    client = Client("key", host=hub.url, store=place)
    client.track("u", "e")
    print(wait(lambda: client._spool.trouble))
    address("add")
    print(wait(lambda: client._spool.pending() == 0))
    client.shutdown()
"""


def hours_later(program: str, place: Path) -> list[str]:
    """Run a program beside a hub that it cannot reach at first; returns what it said."""
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", HOURS_LATER + program, place],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@alone
@pytest.mark.fault(51)
def test_the_logger_sends_when_the_link_is_back(tmp_path: Path) -> None:
    """Its pause would be days otherwise."""
    config = configure(tmp_path, 1)
    config.write_text(config.read_text().replace("http://127.0.0.1:1", "http://hub"))
    said = hours_later(LOGGER, config)

    assert "unreachable" in said[0]
    assert said[1] == "True"


@alone
@pytest.mark.fault(51)
@pytest.mark.parametrize("program", [STREAMER, RUDDERSTACK], ids=["streamer", "rudderstack"])
def test_a_client_sends_when_the_link_is_back(tmp_path: Path, program: str) -> None:
    """So does a program that logs through a client of ours."""
    said = hours_later(program, tmp_path / "x.db")

    assert "unreachable" in said[0]
    assert said[1] == "True"


def streamer(url: str, file: Path) -> Streamer:
    made = Streamer("b", "b", "key", base_url=url, store=file)
    made.log("a", 1)
    return made


def rudderstack(url: str, file: Path) -> Client:
    made = Client("key", host=url, store=file)
    made.track("u", "e")
    return made


@pytest.mark.fault(51, 56)
@pytest.mark.parametrize("make", [streamer, rudderstack])
def test_a_clients_request_on_a_dead_connection_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[str, Path], Streamer | Client]
) -> None:
    """Nobody ever answers at this port; a client would wait for 10 s at least."""
    monkeypatch.setattr(loop, "LONG", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = make(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path / "x.db")
        spool = client._spool
        assert spool
        assert spool._sender
        while not (why := spool.trouble):
            spool._sender.uploader.network_came()
            Event().wait(0.01)
        spool.close(0)

    assert "had not answered when a network came" in why
