"""The watchdog: fed while everything moves, full disk or not; not once a thread is dead.

A drop-in driver is the saboteur: it ends a thread of the logger from inside.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import logger_rig as rig
import pytest
from service_rig import Manager, manager

from pilogger import status
from pilogger.pulse import Pulse

SABOTEUR = """
from __future__ import annotations
import ctypes, gc, pathlib, threading, time
from typing import Annotated, NamedTuple
from pilogger.channel import Channel
from pilogger.store.writer import Writer

class Reading(NamedTuple):
    level: Annotated[float, Channel("1", 0, 10)]

class Saboteur:
    def __init__(self, go: str, victim: str) -> None:
        self.go, self.victim = pathlib.Path(go), victim

    def read(self) -> Reading:
        if self.go.exists() and self.victim == "me":
            time.sleep(60)
        if self.go.exists() and self.victim == "disk":
            self.go.unlink()
            stores = (it for it in gc.get_objects() if isinstance(it, Writer))
            with next(stores).lock:  # as a write does that a full card stalls
                time.sleep(4)
        if self.go.exists():
            for thread in threading.enumerate():
                if thread.name == self.victim:
                    end = ctypes.pythonapi.PyThreadState_SetAsyncExc
                    end(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        return Reading(1.0)
"""
WATCHDOG_S = 1.0  # so a ping comes each half second


@contextmanager
def logger(folder: Path, victim: str) -> Iterator[tuple[subprocess.Popen[str], Manager]]:
    """Run a logger with a saboteur, which waits for a file `go`."""
    (folder / "drivers").mkdir()
    (folder / "drivers" / "saboteur.py").write_text(SABOTEUR)
    saboteur = {"driver": "saboteur", "go": str(folder / "go"), "victim": victim}
    config = rig.configure(
        folder,
        driver_dirs=["drivers"],
        sensors={
            "good": {"driver": "simulated", "every": "20ms"},
            "bad": {**saboteur, "every": "50ms", "deadline": "300ms"},
        },
    )
    with (
        manager(folder, WATCHDOG_S) as heard,
        rig.process("run", "--config", config, **heard.environment) as running,
    ):
        heard.wait_for("READY=1")
        assert heard.pings(2) >= 2
        yield running, heard


@pytest.mark.fault(15)
@pytest.mark.parametrize("victim", ["store", "supervisor", "recorder", "alone good"])
def test_a_dead_thread_starves_the_watchdog(tmp_path: Path, victim: str) -> None:
    """Committer, supervisor, recorder or worker: pings end, and the status names it."""
    with logger(tmp_path, victim) as (_, heard):
        (tmp_path / "go").touch()
        heard.wait_for(f"STATUS=no sign of life: {victim}")

        assert heard.pings(3) == 0


def test_a_full_disk_does_not(tmp_path: Path) -> None:
    """Nothing gets better by a restart, which would throw away what waits in memory."""
    store = tmp_path / "pilogger.db"
    with logger(tmp_path, "nobody") as (running, heard):
        limit = resource.prlimit(running.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (1, limit[1]))
        rig.eventually(lambda: (status.ask(store) or {})["store"]["waiting"] > 50)
        heard.forget()
        pings = heard.pings(4)
        said = heard.wait_for("STATUS=")
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, limit)
        rig.eventually(lambda: (status.ask(store) or {})["store"]["waiting"] == 0)
        rig.stop(running)

    assert pings >= 4
    assert "pilogger.db" in said


@pytest.mark.fault(33)
def test_a_disk_that_stalls_does_not(tmp_path: Path) -> None:
    """Nor does anything else that only has to wait for it, such as the status."""
    with logger(tmp_path, "disk") as (running, heard):
        (tmp_path / "go").touch()
        rig.eventually(lambda: not (tmp_path / "go").exists())
        heard.forget()
        pings = heard.pings(3)
        heard.wait_for("STATUS=2 sensors")
        rig.stop(running)

    assert pings >= 4


def test_a_driver_that_hangs_does_not(tmp_path: Path) -> None:
    """Its worker is replaced, so everything moves."""
    with logger(tmp_path, "me") as (running, heard):
        (tmp_path / "go").touch()
        heard.wait_for("STATUS=2 sensors, 1 failing")

        assert heard.pings(3) >= 3
        rig.stop(running)


@pytest.mark.fault(15)
def test_a_stopped_process_is_silent(tmp_path: Path) -> None:
    """SIGSTOP starves the watchdog; when it may go on, it feeds it again."""
    with logger(tmp_path, "nobody") as (running, heard):
        running.send_signal(signal.SIGSTOP)
        heard.forget()
        silent = heard.pings(2)
        running.send_signal(signal.SIGCONT)
        alive = heard.pings(3)
        rig.stop(running)

    assert silent == 0
    assert alive >= 3


def test_a_promise_that_is_broken_is_no_life() -> None:
    """A thread that waits longer than it promised has stopped; one that ended well has not."""
    pulse, steps = Pulse("x", margin=0.0), [threading.Event() for _ in range(2)]

    def work() -> None:
        for within, step in zip((1000.0, 0.0), steps, strict=True):
            pulse.beat(within)
            step.wait(30)
        pulse.end()

    thread = threading.Thread(target=work)
    before = pulse.stopped
    thread.start()
    meanwhile = pulse.stopped
    steps[0].set()
    rig.eventually(lambda: pulse.stopped)
    steps[1].set()
    thread.join()

    assert (before, meanwhile, pulse.stopped) == (False, False, False)
