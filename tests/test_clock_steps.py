"""The kernel tells of a step of the wall clock at once."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Event

import pytest

from pilogger.kernel import StepWatcher

PATIENCE_S = 30


def set_to_itself() -> bool:
    """Set the machine's clock to what it says; False if that is not allowed."""
    with suppress(PermissionError):
        time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns())
        return True
    return False


@pytest.mark.skipif(not set_to_itself(), reason="setting the clock needs CAP_SYS_TIME")
def test_each_step_is_told_at_once() -> None:
    """Also the second: the timer stays armed."""
    stepped = Event()
    watcher = StepWatcher(stepped.set)
    watcher.start()
    told = []
    for _ in range(2):
        stepped.clear()
        set_to_itself()
        told.append(stepped.wait(PATIENCE_S))
    watcher.stop()

    assert told == [True, True]


def test_it_ends_when_nothing_ever_happened() -> None:
    """A watcher waits for ever, but not for its end."""
    watcher = StepWatcher(lambda: None).start()
    watcher.stop()

    assert not watcher.running


def test_without_such_a_timer_it_just_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old kernel refuses; the look at the clock each second remains."""
    monkeypatch.setattr("pilogger.kernel.TFD_STEPS", 1 << 30)
    watcher = StepWatcher(lambda: None).start()
    waits = watcher.running
    watcher.stop()

    assert waits
