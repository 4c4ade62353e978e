"""What the service manager hears: the protocol of sd_notify, from real processes."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import logger_rig as rig
import requests
from service_rig import Manager, manager

from pilogger import status, tell
from pilogger.daemon import SWITCH_S
from pilogger.service import Service


def test_each_fact_is_one_datagram(tmp_path: Path) -> None:
    """As sd_notify(3) has it; a status is a single line whatever its text."""
    with manager(tmp_path, watchdog=3) as heard:
        service = Service(dict(heard.environment))
        service.ready()
        service.status("two\nlines")
        service.ping()
        service.reloading()
        service.stopping()
        service.extend(1.5)
        said = [heard.hear() for _ in range(6)]

    reloading, microseconds = said.pop(3).split("\nMONOTONIC_USEC=")
    assert said == [
        "READY=1",
        "STATUS=two lines",
        "WATCHDOG=1",
        "STOPPING=1",
        "EXTEND_TIMEOUT_USEC=1500000",
    ]
    assert reloading == "RELOADING=1"
    assert int(microseconds) > 0


def test_an_abstract_socket_is_heard() -> None:
    """Its name begins with @ in the environment, and with NUL for the kernel."""
    heard = Manager(f"@pilogger-test-{os.getpid()}")
    with heard.socket:
        Service(dict(heard.environment)).ready()

        assert heard.hear() == "READY=1"


def test_the_environment_is_taken(tmp_path: Path) -> None:
    """No program that a driver starts can speak in our name."""
    with manager(tmp_path, watchdog=30) as heard:
        environment = {**heard.environment, "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
        service = Service(environment)

    assert environment == {"HOME": "/"}
    assert service.watchdog == 30
    assert service.look == 5


def test_a_watchdog_of_another_process_is_none() -> None:
    """It is fed by whom WATCHDOG_PID names, at half its time, and only if there is one."""
    other = Service({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"})

    assert other.watchdog == 0
    assert Service({"WATCHDOG_USEC": "2000000"}).look == 1
    assert Service({}).look == 5


def test_nobody_who_listens_is_no_trouble(tmp_path: Path) -> None:
    """Neither without a manager, nor with one that went away, nor with one that is deaf."""
    Service({}).ready()
    Service({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.bind(str(tmp_path / "stream"))
        Service({"NOTIFY_SOCKET": str(tmp_path / "stream")}).ready()


def test_a_long_start_asks_for_patience(tmp_path: Path) -> None:
    """While a block runs the manager is told why, and asked to wait longer."""
    with manager(tmp_path) as heard:
        with Service(dict(heard.environment)).starting("migrating"):
            said = [heard.hear(), heard.hear()]

        assert said == ["STATUS=migrating", "EXTEND_TIMEOUT_USEC=30000000"]


def test_a_logger_is_ready_without_hub_clock_and_sensor(tmp_path: Path) -> None:
    """Its status is a sentence, its children do not know the manager, its end is announced."""
    shown = "import json, os; print(json.dumps('NOTIFY_SOCKET' in os.environ))"
    program = tmp_path / "shown.py"
    program.write_text(shown)
    command = {"driver": "command", "gives": {"told": {"unit": "1"}}, "every": "1h"}
    config = rig.configure(
        tmp_path,
        rig.free_port(),
        clock={"trust": "ntp"},
        sensors={
            "child": {**command, "run": [sys.executable, str(program)]},
            "gone": {**command, "run": [str(tmp_path / "nowhere")]},
        },
    )
    with manager(tmp_path, watchdog=1) as heard:
        environment = {**heard.environment, "PILOGGER_SYNC_FILE": str(tmp_path / "synced")}
        with rig.process("run", "--config", config, **environment) as logger:
            heard.wait_for("READY=1")
            before = list(heard.heard)
            heard.wait_for("STATUS=2 sensors, 1 failing; 1 reading stored, 1 waiting for hub")
            heard.wait_for("WATCHDOG=1")
            said = rig.stop(logger)
        heard.wait_for("STOPPING=1")

    assert logger.returncode == 0, said
    assert "STATUS=opening the store" in before
    assert not any(message.startswith("STATUS=2 sensors") for message in before)
    assert [value for _, _, value in rig.held(tmp_path / "pilogger.db")] == [False]


def test_a_hub_is_ready_when_it_answers(tmp_path: Path) -> None:
    """READY comes with an open port, then pings and a sentence, then the end."""
    port = rig.free_port()
    with (
        manager(tmp_path, watchdog=1) as heard,
        rig.process(
            "hub", "--port", port, "--store", tmp_path / "hub.db", **heard.environment
        ) as hub,
    ):
        heard.wait_for("READY=1")
        health = requests.get(f"http://127.0.0.1:{port}/api/health", timeout=10).json()
        heard.wait_for(f"STATUS=listening on http://127.0.0.1:{port}; 0 readings stored")
        assert heard.pings(2) >= 2
        rig.stop(hub)
        heard.wait_for("STOPPING=1")

    assert health["status"] == "ok"
    assert hub.returncode == 0


def test_the_status_says_what_is_wrong() -> None:
    """Set aside sensors, a store in trouble and a clock that is not right are in the sentence."""
    state = json.loads(
        """{"sensors": [{"status": "ok"}, {"status": "hung"}, {"status": "set aside"}],
        "store": {"stored": 1234, "trouble": "disk full"}, "clock": "unsynced",
        "destinations": [{"name": "hub", "pending": 56, "outcome": "accepted"}]}"""
    )

    assert tell.summary(state) == (
        "3 sensors, 1 failing, 1 set aside after crashes; 1,234 readings stored, "
        "56 waiting for hub; disk full; the clock is not right yet"
    )


COUNTER = """
from __future__ import annotations
import sys
from typing import Annotated, NamedTuple
from pilogger.channel import Channel

class Reading(NamedTuple):
    interval: Annotated[float, Channel("s", 0, 1)]

class Counter:
    def read(self) -> Reading:
        return Reading(sys.getswitchinterval())
"""


def test_threads_take_turns_often(tmp_path: Path) -> None:
    """A poll that is due does not wait for the 5 ms that Python lets a busy thread have."""
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers" / "counter.py").write_text(COUNTER)
    sensors = {"n": {"driver": "counter", "every": "50ms"}}
    config = rig.configure(tmp_path, driver_dirs=["drivers"], sensors=sensors)
    with rig.agent(config) as running:
        rig.eventually(lambda: (status.ask(tmp_path / "pilogger.db") or {}).get("taken"))
        rig.stop(running)
    found = rig.held(tmp_path / "pilogger.db")

    assert {value for _, _, value in found} == {SWITCH_S}
