"""What the service manager starts, from its start to its end, in this very process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import logger_rig as rig
import pytest
from service_rig import Manager, manager

from pilogger import daemon
from pilogger.stopping import STOP


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """A service manager that this process has; its signals are given back at the end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, *STOP)}
    with manager(tmp_path, watchdog=1) as heard:
        for name, value in heard.environment.items():
            monkeypatch.setenv(name, value)
        yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_life_from_start_to_end(tmp_path: Path, heard: Manager) -> None:
    """Ready once, and after each reload; what happened is said; nothing is left at the end."""
    slow = {"driver": "simulated", "every": "1h"}
    config = rig.configure(tmp_path, sensors={"a": slow})
    said: list[str] = []
    ended = Event()

    def person() -> None:
        try:
            heard.wait_for("STATUS=1 sensor; 1 reading stored")
            rig.configure(tmp_path, sensors={"a": slow, "b": slow}, clock={"trust": "ntp"})
            os.kill(os.getpid(), signal.SIGHUP)
            said.append(heard.wait_for("STATUS=2 sensors"))
            config.write_text("sensors: {}")
            os.kill(os.getpid(), signal.SIGHUP)
            said.append(heard.wait_for("the old config stays"))
        finally:
            if not ended.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

    watching = Thread(target=person)
    watching.start()
    try:
        daemon.run(config)
    finally:
        ended.set()
        watching.join()

    assert said[0].endswith("; the new clock will hold after a restart")
    assert said[1].startswith("STATUS=2 sensors")
    assert heard.heard.count("READY=1") == 3
    assert "WATCHDOG=1" in heard.heard
    assert {file.name for file in tmp_path.glob("pilogger.db*")} == {
        *("pilogger.db", "pilogger.db-lock")
    }
