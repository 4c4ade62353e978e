"""The whole path with real processes: agent, HTTP, hub; stopped, killed and cut off."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import logger_rig as rig
import pytest

from pilogger import status
from pilogger.agent import Agent
from pilogger.config import load


def counts(store: Path) -> status.State:
    state = status.ask(store)
    assert state is not None
    return state


def wait_for_more(store: Path) -> None:
    """Wait until the hub has accepted something."""
    sent = counts(store)["destinations"][0]["sent"]
    rig.eventually(lambda: counts(store)["destinations"][0]["sent"] > sent)


def send_the_rest(folder: Path, port: int) -> None:
    """Start the agent once more, almost without sensors, until nothing waits."""
    once = {"once": {"driver": "simulated", "every": "1y"}}
    with rig.agent(rig.configure(folder, port, sensors=once)) as agent:
        rig.eventually(lambda: counts(folder / "pilogger.db")["taken"] == 1)
        rig.eventually(lambda: counts(folder / "pilogger.db")["destinations"][0]["pending"] == 0)
        rig.stop(agent)


def everything_arrived(folder: Path) -> None:
    """Check that the hub holds what the device holds: once, in order, with its own time."""
    device, hub = rig.held(folder / "pilogger.db"), rig.held(folder / "hub.db")

    assert len(device) > 100
    assert rig.by_series(hub) == rig.by_series(device)


@pytest.mark.fault(51)
def test_an_outage_of_the_hub_costs_nothing(tmp_path: Path) -> None:
    """Stopped under load and started again: every reading, once, in order, with its epoch."""
    port = rig.free_port()
    store = tmp_path / "pilogger.db"
    with rig.agent(rig.configure(tmp_path, port)) as agent:
        with rig.hub(tmp_path / "hub.db", port):
            rig.eventually(lambda: counts(store)["destinations"][0]["sent"] > 100)
        rig.eventually(lambda: counts(store)["destinations"][0]["outcome"] == "waiting")
        waiting = counts(store)["destinations"][0]["pending"]
        rig.eventually(lambda: counts(store)["destinations"][0]["pending"] > waiting + 200)
        with rig.hub(tmp_path / "hub.db", port):
            rig.eventually(lambda: counts(store)["destinations"][0]["pending"] < 100)
            said = rig.stop(agent)
            send_the_rest(tmp_path, port)

    everything_arrived(tmp_path)
    assert said.count("not delivered") == 1
    assert said.count("delivers again") == 1


@pytest.mark.fault(9, 13)
def test_a_killed_agent_loses_nothing_confirmed(tmp_path: Path) -> None:
    """kill -9 at five moments: what was stored is there, and the next start sends it."""
    port = rig.free_port()
    store = tmp_path / "pilogger.db"
    config = rig.configure(tmp_path, port)
    with rig.hub(tmp_path / "hub.db", port):
        confirmed = 0
        for moment in (0.1, 0.35, 0.6, 0.85, 1.1):
            with rig.agent(config) as agent:
                time.sleep(moment)
                confirmed += counts(store)["store"]["stored"]
                agent.kill()
                agent.wait()
        send_the_rest(tmp_path, port)

    assert len(rig.held(store)) >= confirmed > 0
    everything_arrived(tmp_path)


@pytest.mark.fault(13, 59)
def test_a_killed_hub_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """kill -9 of the hub under load: nothing acknowledged is missing, nothing is doubled."""
    port = rig.free_port()
    store = tmp_path / "pilogger.db"
    with rig.agent(rig.configure(tmp_path, port)) as agent:
        for _ in range(4):
            with rig.hub(tmp_path / "hub.db", port) as hub:
                wait_for_more(store)
                hub.kill()
        with rig.hub(tmp_path / "hub.db", port):
            rig.stop(agent)
            send_the_rest(tmp_path, port)

    everything_arrived(tmp_path)


@pytest.mark.fault(14)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_waits_for_no_network(tmp_path: Path, number: int) -> None:
    """With no hub to reach, everything taken is stored and the agent ends with 0."""
    store = tmp_path / "pilogger.db"
    with rig.agent(rig.configure(tmp_path, rig.free_port())) as agent:
        rig.eventually(lambda: counts(store)["taken"] > 50)
        said = rig.stop(agent, number)
        state = status.find(store)

        assert agent.returncode == 0
        assert "stopped; everything is stored" in said
        assert "Traceback" not in said
        assert state["running"] is False
        assert state["taken"] == state["store"]["stored"] == state["store"]["readings"]
        assert state["taken"] == len(rig.held(store))


def forbid_growing(agent: subprocess.Popen[str]) -> tuple[int, int]:
    """Let no file of a process grow, as on a full disk; returns the limit to set again."""
    limit = resource.prlimit(agent.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (1, limit[1]))
    return limit


@pytest.mark.fault(18)
def test_a_full_disk_costs_nothing_while_memory_lasts(tmp_path: Path) -> None:
    """Samples wait, the status says why, and when there is room again all are stored."""
    store = tmp_path / "pilogger.db"
    with rig.agent(rig.configure(tmp_path)) as agent:
        limit = forbid_growing(agent)
        rig.eventually(lambda: counts(store)["store"]["waiting"] > 50)
        trouble = counts(store)["store"]["trouble"]
        resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, limit)
        rig.eventually(lambda: counts(store)["store"]["waiting"] == 0)
        said = rig.stop(agent)

    assert trouble
    assert said.count("samples wait in memory") == 1
    assert status.find(store)["taken"] == len(rig.held(store))


def test_a_stop_on_a_full_disk_says_what_is_lost(tmp_path: Path) -> None:
    """The agent ends at once, with 1, a count and no traceback; what was stored is there."""
    store = tmp_path / "pilogger.db"
    with rig.agent(rig.configure(tmp_path)) as agent:
        rig.eventually(lambda: counts(store)["store"]["stored"] > 50)
        forbid_growing(agent)
        rig.eventually(lambda: counts(store)["store"]["waiting"] > 50)
        stored = counts(store)["store"]["stored"]
        said = rig.stop(agent)

    assert agent.returncode == 1
    assert "samples could not be stored" in said
    assert "Traceback" not in said
    with rig.agent(rig.configure(tmp_path)) as again:
        rig.stop(again)
    assert len(rig.held(store)) >= stored


def test_a_sensor_that_fails_costs_only_itself(tmp_path: Path) -> None:
    """Of a driver that raises, one that lies and one that hangs, the others notice nothing."""
    (tmp_path / "drivers").mkdir()
    for name, body in {
        "raises": "raise RuntimeError('a bug\\nin two lines')",
        "lies": "return Reading(float('nan'))",
        "hangs": "time.sleep(60)",
    }.items():
        (tmp_path / "drivers" / f"{name}.py").write_text(
            "from __future__ import annotations\n"
            "import time\n"
            "from typing import Annotated, NamedTuple\n"
            "from pilogger.channel import Channel\n"
            "LEVEL = Channel('1', 0, 10)\n"
            "class Reading(NamedTuple):\n"
            "    level: Annotated[float, LEVEL]\n"
            "class Driver:\n"
            "    def read(self) -> Reading:\n"
            f"        {body}\n"
        )
    bad = {"every": "50ms", "deadline": "200ms"}
    config = rig.configure(
        tmp_path,
        driver_dirs=["drivers"],
        sensors={
            "good": {"driver": "simulated", "every": "20ms"},
            "raises": {"driver": "raises", **bad},
            "lies": {"driver": "lies", **bad},
            "hangs": {"driver": "hangs", **bad},
        },
    )
    store = tmp_path / "pilogger.db"
    with rig.agent(config) as agent:

        def sensors() -> dict[str, status.State]:
            return {sensor["id"]: sensor for sensor in counts(store)["sensors"]}

        rig.eventually(lambda: all(s["failures"] for n, s in sensors().items() if n != "good"))
        before = sensors()["good"]["samples"]
        rig.eventually(lambda: sensors()["good"]["samples"] > before + 20)
        found = sensors()
        rig.stop(agent)

    assert found["good"]["status"] == "ok"
    assert found["good"]["failures"] == {}
    assert "RuntimeError" in found["raises"]["error"] or "a bug" in found["raises"]["error"]
    assert "nan" in found["lies"]["error"]
    assert found["hangs"]["status"] == "hung"
    assert {series for series, _, _ in rig.held(store)} == {"good.value"}


def test_a_disk_that_is_full_at_the_start_is_a_sentence(tmp_path: Path) -> None:
    """After kill -9 the journal must be committed: no room for that is no traceback."""
    config = rig.configure(tmp_path)
    with rig.agent(config) as agent:
        rig.eventually(lambda: counts(tmp_path / "pilogger.db")["store"]["stored"] > 20)
        agent.kill()
        agent.wait()
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1, -1));"
        f"sys.argv = ['pilogger', 'run', '--config', {str(config)!r}];"
        "runpy.run_module('pilogger', run_name='__main__')"
    )
    found = subprocess.run(
        [sys.executable, "-c", limited], capture_output=True, text=True, check=False, timeout=30
    )

    assert found.returncode == 1
    assert "cannot be written" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.fault(14)
def test_a_disk_that_is_too_slow_does_not_hold_up_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What the last commit cannot take in time is in the journal."""
    agent = Agent(load(rig.configure(tmp_path)))
    agent.start()
    rig.eventually(lambda: agent.store.stored > 20)
    slow = threading.Event()
    close = agent.store.close
    monkeypatch.setattr(agent.store, "close", lambda: slow.wait() and close())
    agent.stop()
    complete, said = agent.complete, caplog.text
    slow.set()
    rig.eventually(lambda: agent.complete)

    assert not complete
    assert "the disk is slow" in said


def test_a_logger_runs_without_a_socket_for_its_status(tmp_path: Path) -> None:
    """Something is in its place: that is logged, and readings are taken all the same."""
    (tmp_path / "pilogger.db-status").mkdir()
    with rig.process("run", "--config", rig.configure(tmp_path)) as agent:
        rig.eventually((tmp_path / "pilogger.db").exists)
        time.sleep(0.5)
        said = rig.stop(agent)

    assert agent.returncode == 0
    assert "no command can ask this logger" in said
    assert status.find(tmp_path / "pilogger.db")["taken"] > 0
