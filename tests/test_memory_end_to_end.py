"""Totals over crashes: a real agent that is killed, stopped and reloaded."""

from __future__ import annotations

import signal
from itertools import pairwise
from pathlib import Path

import logger_rig as rig
import pytest

from pilogger import status

METER = '''
from typing import Annotated, NamedTuple
from pilogger.channel import Channel

class Reading(NamedTuple):
    total: Annotated[int, Channel("1", 0)]

class Meter:
    """Counts its polls."""

    state_exact = True

    def __init__(self) -> None:
        self.total = 0

    @property
    def state(self):
        return {"total": self.total}

    @state.setter
    def state(self, state):
        self.total = state["total"]

    def read(self) -> Reading:
        self.total += 1
        return Reading(self.total)
'''


def meter(folder: Path, every: str = "20ms") -> Path:
    (folder / "drivers").mkdir(exist_ok=True)
    (folder / "drivers" / "meter.py").write_text(METER)
    sensor = {"driver": "meter", "every": every, "channels": {"total": {"scale": 2}}}
    return rig.configure(folder, sensors={"m": sensor}, driver_dirs=[str(folder / "drivers")])


def more(folder: Path, than: int) -> bool:
    return int((status.ask(folder / "pilogger.db") or {}).get("taken", 0)) > than


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_total_goes_on_and_never_back(tmp_path: Path, number: signal.Signals) -> None:
    """Killed or stopped: no reading is less than the one before it, nothing is counted twice."""
    for _ in range(3):
        with rig.agent(meter(tmp_path)) as running:
            rig.eventually(lambda: more(tmp_path, 5))
            running.send_signal(number)
            running.wait(10)

    totals = [value for _, _, value in rig.held(tmp_path / "pilogger.db")]
    assert len(totals) > 10
    steps = [b - a for a, b in pairwise(totals)]  # type: ignore[operator]
    assert set(steps) <= {2, 4}, "of a reading that was not stored yet, the state may know already"
    assert steps.count(4) <= 3


def test_a_total_goes_on_when_its_settings_change(tmp_path: Path) -> None:
    with rig.agent(meter(tmp_path)) as running:
        rig.eventually(lambda: more(tmp_path, 5))
        meter(tmp_path, "30ms")
        running.send_signal(signal.SIGHUP)
        rig.eventually(lambda: more(tmp_path, 20))
        rig.stop(running)

    totals = [value for _, _, value in rig.held(tmp_path / "pilogger.db")]
    assert totals == [2 * n for n in range(1, len(totals) + 1)]
