"""SIGHUP: the config is read again, what is the same goes on, nothing taken is lost."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import logger_rig as rig
import pytest
from schedule_rig import Puppet, Reading
from service_rig import Manager, manager
from test_end_to_end import forbid_growing

from pilogger import status
from pilogger.agent import Agent
from pilogger.bus import Kind
from pilogger.config import load
from pilogger.errors import ConfigError
from pilogger.sample import Sample
from pilogger.scheduler import Probe, Scheduler

FAST: dict[str, Any] = {"driver": "simulated", "every": "20ms"}


def sensors(store: Path) -> dict[str, status.State]:
    state = status.ask(store)
    assert state is not None
    return {sensor["id"]: sensor for sensor in state["sensors"]}


def reload(logger: subprocess.Popen[str], heard: Manager) -> None:
    """Send SIGHUP and wait until the logger is ready again."""
    logger.send_signal(signal.SIGHUP)
    heard.wait_for("RELOADING=1\nMONOTONIC_USEC=")
    heard.wait_for("READY=1")


@pytest.mark.fault(83)
def test_only_what_changed_is_changed(tmp_path: Path) -> None:
    """A kept sensor goes on counting, others come, change their channels and go; all is stored."""
    store = tmp_path / "pilogger.db"
    many = {"driver": "command", "run": ["echo", '{"a": 1, "b": 2}'], "every": "50ms"}
    old = {"kept": FAST, "gone": FAST, "other": {**many, "gives": {"a": {"unit": "1"}}}}
    new = {"kept": FAST, "fresh": FAST, "other": {**many, "gives": {"b": {"unit": "1"}}}}
    with manager(tmp_path) as heard:
        config = rig.configure(tmp_path, sensors=old)
        with rig.process("run", "--config", config, **heard.environment) as logger:
            heard.wait_for("READY=1")
            rig.eventually(lambda: all(s["samples"] > 20 for s in sensors(store).values()))
            before = sensors(store)
            rig.configure(tmp_path, sensors=new)
            reload(logger, heard)
            rig.eventually(lambda: all(s["samples"] > 5 for s in sensors(store).values()))
            after = sensors(store)
            said = rig.stop(logger)

    assert logger.returncode == 0
    assert list(after) == ["kept", "fresh", "other"]
    assert after["kept"]["samples"] > before["kept"]["samples"]
    assert after["kept"]["since"] > before["kept"]["since"]
    assert after["kept"]["failures"] == {}
    assert "refused" not in said
    held = rig.held(store)
    assert {series for series, _, _ in held} == {
        *("kept.value", "gone.value", "fresh.value"),
        *("other.a", "other.b"),
    }
    assert status.find(store)["taken"] == len(held)


@pytest.mark.fault(83)
def test_a_bad_config_changes_nothing(tmp_path: Path) -> None:
    """The log and the status say what is wrong and where; the next good one holds."""
    store = tmp_path / "pilogger.db"
    with manager(tmp_path, watchdog=1) as heard:
        config = rig.configure(tmp_path, sensors={"a": FAST})
        good = config.read_text()
        with rig.process("run", "--config", config, **heard.environment) as logger:
            heard.wait_for("READY=1")
            config.write_text(good.replace("simulated", "simulatd"))
            reload(logger, heard)
            said = heard.wait_for("STATUS=1 sensor; ")
            still = sensors(store)
            config.write_text(good.replace('"a"', '"b"'))
            reload(logger, heard)
            rig.eventually(lambda: list(sensors(store)) == ["b"])
            better = heard.wait_for("STATUS=1 sensor; ")
            log = rig.stop(logger)

    assert "the old config stays: " in said
    assert "pilogger.yaml:1:" in said
    assert "simulatd" in said
    assert list(still) == ["a"]
    assert "the old config stays" not in better
    assert "did you mean" in log


def test_destinations_come_and_go(tmp_path: Path) -> None:
    """A new one gets everything, one that is the same keeps its uploader and its counters."""
    store, port = tmp_path / "pilogger.db", rig.free_port()
    more = {
        "type": "initialstate",
        "name": "second",
        "bucket": {"key": "other"},
        "access_key": "key",
        "base_url": f"http://127.0.0.1:{port}",
    }

    def places() -> dict[str, status.State]:
        state = status.ask(store)
        assert state is not None
        return {place["name"]: place for place in state["destinations"]}

    with rig.hub(tmp_path / "hub.db", port), manager(tmp_path) as heard:
        config = rig.configure(tmp_path, port)
        settings = json.loads(config.read_text())
        first = settings["destinations"]
        with rig.process("run", "--config", config, **heard.environment) as logger:
            heard.wait_for("READY=1")
            rig.eventually(lambda: places()["hub"]["sent"] > 50)
            config.write_text(json.dumps({**settings, "destinations": [*first, more]}))
            reload(logger, heard)
            rig.eventually(lambda: places()["second"]["sent"] > 100)
            requests = places()["hub"]["requests"]
            config.write_text(json.dumps({**settings, "destinations": [more]}))
            reload(logger, heard)
            only = places()
            rig.stop(logger)
        agent = Agent(load(config))
        with agent:
            agent.parts.uploaders[0].drain(10)
        hub = rig.by_series(rig.held(tmp_path / "hub.db"))

    assert requests >= 2
    assert list(only) == ["second"]
    assert only["second"]["sent"] > 100
    assert hub


def test_what_needs_a_restart_is_said(tmp_path: Path) -> None:
    """Another store or clock waits for a restart; the rest of that config holds at once."""
    config = rig.configure(tmp_path, sensors={"a": FAST})
    with Agent(load(config)) as agent:
        rig.configure(
            tmp_path,
            sensors={"b": FAST},
            store={"path": "elsewhere.db", "durability": "2s"},
            clock={"trust": "ntp"},
        )
        said = agent.reload(load(config))
        again = agent.reload(load(rig.configure(tmp_path, sensors={"b": FAST})))

        assert said == "the new store.path and clock will hold after a restart"
        assert again == ""
        assert agent.settings.store.path == tmp_path / "pilogger.db"
        assert [sensor["id"] for sensor in agent.state()["sensors"]] == ["b"]
    assert not (tmp_path / "elsewhere.db").exists()


def test_durability_may_change(tmp_path: Path) -> None:
    """With none, what is taken is committed at once."""
    slow = {"driver": "simulated", "every": "1h"}
    store = {"path": str(tmp_path / "pilogger.db")}
    config = rig.configure(tmp_path, sensors={"a": slow}, store={**store, "durability": "1h"})
    with Agent(load(config)) as agent:
        rig.eventually(lambda: agent.store.stored == 1)
        before = agent.store.appender.committed
        rig.configure(tmp_path, sensors={"a": slow, "b": slow}, store={**store, "durability": "0s"})
        agent.reload(load(config))
        rig.eventually(lambda: agent.store.appender.committed > before)

        assert agent.state()["store"]["durability"] == 0


def test_a_drop_in_driver_that_was_edited_is_loaded_anew(tmp_path: Path) -> None:
    """A file that is the same is the same driver; one that is not is another."""
    (tmp_path / "drivers").mkdir()
    file = tmp_path / "drivers" / "mine.py"
    text = (
        "from __future__ import annotations\n"
        "from typing import Annotated, NamedTuple\n"
        "from pilogger.channel import Channel\n"
        "class Reading(NamedTuple):\n"
        "    level: Annotated[float, Channel('1', 0, 1000)]\n"
        "class Mine:\n"
        "    def read(self) -> Reading:\n"
        "        return Reading(1.0)\n"
    )
    file.write_text(text)
    sensors_ = {"mine": {"driver": "mine", "every": "20ms"}}
    config = rig.configure(tmp_path, driver_dirs=["drivers"], sensors=sensors_)
    first, second = load(config), load(config)
    file.write_text(text.replace("1.0", "222.0"))
    third = load(config)

    assert first == second
    assert first != third
    with Agent(first) as agent:
        rig.eventually(lambda: agent.scheduler.taken)
        agent.reload(third)
        rig.eventually(lambda: agent.state()["sensors"][0]["values"] == {"level": 222.0})


def test_a_disk_that_takes_nothing_comes_first(tmp_path: Path) -> None:
    """While samples wait in memory nothing is changed, so that they are stored as they are."""
    store = tmp_path / "pilogger.db"
    with manager(tmp_path, watchdog=1) as heard:
        config = rig.configure(tmp_path, sensors={"a": FAST})
        with rig.process("run", "--config", config, **heard.environment) as logger:
            heard.wait_for("READY=1")
            limit = forbid_growing(logger)
            rig.eventually(lambda: (status.ask(store) or {})["store"]["waiting"] > 10)
            rig.configure(tmp_path, sensors={"b": FAST})
            reload(logger, heard)
            said = heard.wait_for("the old config stays")
            still = sensors(store)
            resource.prlimit(logger.pid, resource.RLIMIT_FSIZE, limit)
            rig.eventually(lambda: (status.ask(store) or {})["store"]["waiting"] == 0)
            reload(logger, heard)
            rig.eventually(lambda: list(sensors(store)) == ["b"])
            rig.stop(logger)

    assert "while samples wait in memory" in said
    assert list(still) == ["a"]
    assert status.find(store)["taken"] == len(rig.held(store))


def test_what_fails_on_the_way_is_tried_again(tmp_path: Path) -> None:
    """A disk too full to remember a new destination: the rest goes on, and it comes when it can."""
    store, port = tmp_path / "pilogger.db", rig.free_port()
    slow = {"driver": "simulated", "every": "1h"}
    with rig.hub(tmp_path / "hub.db", port), manager(tmp_path, watchdog=1) as heard:
        config = rig.configure(tmp_path, sensors={"a": slow})
        with rig.process("run", "--config", config, **heard.environment) as logger:
            heard.wait_for("READY=1")
            rig.eventually(lambda: (status.ask(store) or {})["store"]["stored"] == 1)
            limit = forbid_growing(logger)
            rig.configure(tmp_path, port, sensors={"a": slow, "b": slow})
            reload(logger, heard)
            said = heard.wait_for("the config is not all in force yet: ")
            alive = list(sensors(store))
            resource.prlimit(logger.pid, resource.RLIMIT_FSIZE, limit)
            rig.eventually(lambda: list(sensors(store)) == ["a", "b"])
            state = rig.eventually(
                lambda: (it := status.ask(store)) and it["destinations"][0]["sent"] == 2 and it
            )
            log = rig.stop(logger)

    assert "pilogger.db" in said
    assert alive == ["a"]
    assert [place["name"] for place in state["destinations"]] == ["hub"]
    assert log.count("the config is not all in force yet") == 1
    assert "all of the config is in force now" in log


# -- one bus -------------------------------------------------------------------------------


class Port:
    """A driver of a bus that counts what is done to it."""

    def __init__(self, log: list[str], name: str, hang: threading.Event | None = None) -> None:
        self.log, self.name, self.hang = log, name, hang

    def start(self) -> None:
        self.log.append(f"start {self.name}")

    def read(self) -> Reading:
        if self.hang:
            self.log.append(f"hang {self.name}")
            self.hang.wait(30)
        return Reading(20.0)

    def close(self) -> None:
        self.log.append(f"close {self.name}")


def probe(log: list[str], name: str, kind: Kind, hang: threading.Event | None = None) -> Probe:
    return Probe(name, lambda _bus: Port(log, name, hang), 0.01, kind)


def test_neighbours_on_a_bus_notice_nothing() -> None:
    """A changed sensor is closed before its next driver starts; others keep theirs and the bus."""
    log: list[str] = []
    samples: list[Sample] = []
    kind = Kind("i2c", 1, lambda _name: log.append("open"))
    air, soil = probe(log, "air", kind), probe(log, "soil", kind)
    running = Scheduler([air, soil], samples.append, lambda _sensor, _channels: None)
    running.start()
    rig.eventually(lambda: {"air", "soil"} <= {sample.sensor for sample in samples})
    running.change([air, probe(log, "soil", kind), probe(log, "new", kind)])
    rig.eventually(lambda: log.count("start soil") == 2 and "start new" in log)
    changed = list(log)
    running.change([])
    rig.eventually(lambda: log.count("close air") == 1)
    running.stop()

    assert changed.count("start air") == 1
    assert "close air" not in changed
    assert changed.count("close soil") == 1
    assert changed.index("close soil") < len(changed) - changed[::-1].index("start soil") - 1
    assert running.taken == len(samples)


def test_a_call_that_takes_long_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload does not wait for it, and what it gives later is nobody's any more."""
    monkeypatch.setattr("pilogger.scheduler.LET_GO_S", 0.1)
    log: list[str] = []
    samples: list[Sample] = []
    hang = threading.Event()
    kind = Kind("i2c", 1, lambda _name: None)
    slow, air = probe(log, "slow", kind, hang), probe(log, "air", kind)
    running = Scheduler([air, slow], samples.append, lambda _sensor, _channels: None)
    running.start()
    rig.eventually(lambda: "hang slow" in log)
    running.change([air, Probe("pi", lambda _bus: Puppet(), 0.01)])
    before = len([sample for sample in samples if sample.sensor == "air"])
    rig.eventually(lambda: len([s for s in samples if s.sensor == "air"]) > before + 3)
    hang.set()
    rig.eventually(lambda: "close slow" in log)
    running.stop()

    assert {sample.sensor for sample in samples} == {"air", "pi"}
    assert [state.id for state in running.state()] == ["air", "pi"]
    assert running.taken == len(samples)


def test_a_config_that_describes_nothing_is_an_error(tmp_path: Path) -> None:
    """A file that went away is a bad config, too: the logger goes on."""
    with pytest.raises(ConfigError, match="there is no such file"):
        load(tmp_path / "nowhere.yaml")
