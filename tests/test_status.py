"""`pilogger status`: a running agent answers, a stopped one has left word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import logger_rig as rig
import pytest

from pilogger import status, tell
from pilogger.errors import StoreBroken
from pilogger.sample import Sample
from pilogger.store import SetAside, Store
from pilogger.testing import FakeClock

AS_NOBODY = """
import encodings.idna, json, os, sys
from pathlib import Path
from pilogger import status
os.setgid(65534); os.setuid(65534)
print(json.dumps(status.find(Path(sys.argv[1]))))
"""


def as_nobody(store: Path) -> status.State:
    found = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(store)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    state: status.State = json.loads(found.stdout)
    return state


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
def test_another_user_may_ask_running_or_not(public_path: Path) -> None:
    """The socket answers everyone; after a clean stop the store does."""
    store = public_path / "pilogger.db"
    with rig.agent(rig.configure(public_path)) as agent:
        rig.eventually(lambda: (status.ask(store) or {})["taken"] > 10)
        running = as_nobody(store)
        rig.stop(agent)
    stopped = as_nobody(store)

    assert running["running"] is True
    assert running["process"] == agent.pid
    assert {sensor["status"] for sensor in running["sensors"]} == {"ok"}
    assert stopped["running"] is False
    assert stopped["taken"] >= running["taken"]
    assert stopped["store"]["readings"] == stopped["taken"]


def test_a_killed_agent_is_not_running(tmp_path: Path) -> None:
    """Its socket is still there, but nobody answers; the tables tell the rest."""
    store = tmp_path / "pilogger.db"
    config = rig.configure(tmp_path, rig.free_port())
    with rig.agent(config) as agent:
        rig.eventually(lambda: (status.ask(store) or {})["taken"] > 10)
        agent.kill()
        agent.wait()
    state = status.find(store)

    assert (tmp_path / "pilogger.db-status").exists()
    assert state["running"] is False
    assert state["destinations"][0]["name"] == "hub"
    assert "it was killed" in tell.status(state)
    with rig.agent(config) as again:
        assert (status.ask(store) or {})["running"] is True
        rig.stop(again)
    assert not (tmp_path / "pilogger.db-status").exists()


def test_the_words_say_what_was_refused_and_why(tmp_path: Path) -> None:
    """Counts, reasons and the bound on a power cut are there for a person to read."""
    store = Store.open(tmp_path / "pilogger.db", FakeClock())
    store.declare("air", {"t": "Cel"})
    store.append([Sample("air", {"t": n}, 0) for n in range(5)])
    outbox = store.outbox("cloud")
    batch = outbox.take(3)
    assert batch is not None
    outbox.settle(batch, [SetAside(batch.points[0], "key too long")])
    store.close()
    words = tell.status(status.find(store.path))

    assert "5 readings" in words
    assert "to cloud: 2 sent, 2 waiting, 1 refused" in words
    assert "refused air.t (1 times): key too long" in words


def test_a_running_agent_in_words(tmp_path: Path) -> None:
    """Sensors, store, clock, and why a destination waits."""
    store = tmp_path / "pilogger.db"
    with rig.agent(rig.configure(tmp_path, rig.free_port())) as agent:
        rig.eventually(lambda: (status.ask(store) or {})["destinations"][0]["outcome"] == "waiting")
        words = tell.status(status.find(store))
        rig.stop(agent)

    assert "rig: running for " in words
    assert "s0  ok" in words
    assert "a power cut can take the last 10 s" in words
    assert "clock  right since 20" in words
    assert ", says this machine's own time (clock.trust)" in words
    assert "next try in" in words


def test_the_clock_in_words() -> None:
    """Since when it is right, who says so, how well, and whether that still holds."""
    store = {"path": "x.db", "size": 0, "free": 0}
    state: status.State = {"running": False, "store": store, "destinations": []}
    sync = {"source": "ntp", "confirmed": True, "since": 1e9, "error": 0.04}
    right = tell.status({**state, "clock": "synced", "sync": sync})
    lost = tell.status({**state, "clock": "synced", "sync": sync | {"confirmed": False}})
    unknown = tell.status({**state, "clock": "unsynced"})

    assert "clock  right since 2001-09-0" in right
    assert ", says NTP; it errs by 40 ms at most" in right
    assert "says NTP; not confirmed now, so it is counted on from then" in lost
    assert "clock  not known to be right; readings are kept until it is" in unknown


def test_no_store_is_a_sentence(tmp_path: Path) -> None:
    """There is nothing to tell of a logger that never ran."""
    with pytest.raises(StoreBroken, match="there is no store at"):
        status.find(tmp_path / "x.db")
    with pytest.raises(StoreBroken, match="cannot be opened"):
        status.find(tmp_path / "no folder" / "x.db")
