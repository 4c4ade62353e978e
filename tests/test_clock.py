"""The clocks of the machine, and the measured offset between them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pilogger import clock, kernel
from pilogger.testing import FakeClock


def test_the_offset_turns_boot_time_into_wall_time() -> None:
    """Boot time plus offset is the system's time, to the millisecond."""
    system = clock.SystemClock("system")
    wall = system.boot() + clock.offset(system)

    assert abs(wall / 1e6 - time.time()) < 0.5
    assert clock.offset(system) % 1000 == 0


def test_the_offset_does_not_mind_a_busy_machine() -> None:
    """A thread that loses the processor between two readings of the clocks measures again."""

    class Busy(FakeClock):
        stalls = 3

        def boot(self) -> int:
            now = super().boot()
            if self.stalls:
                self.stalls -= 1
                self.advance(0.4)
            return now

    busy, calm = Busy(), FakeClock()

    assert clock.offset(busy) == clock.offset(calm)


def test_system_time_can_be_trusted() -> None:
    """On a machine with a clock chip the time always counts as right."""

    assert clock.SystemClock("system").synced() is True


def test_the_sync_source_can_be_injected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file stands for the kernel's word: it exists when the time is right."""
    monkeypatch.setenv(clock.SYNC_FILE, str(tmp_path / "synced"))
    system = clock.SystemClock("ntp")
    before = system.synced()
    (tmp_path / "synced").touch()

    assert (before, system.synced()) == (False, True)


def test_the_kernel_is_asked_for_its_sync_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """adjtimex answers, and agrees with what its status bits say on a free-running machine."""
    monkeypatch.delenv(clock.SYNC_FILE, raising=False)

    assert clock.SystemClock("ntp").synced() is kernel.discipline().synced


def test_boot_time_is_what_the_kernel_counts() -> None:
    """CLOCK_BOOTTIME in microseconds, and the id of this boot."""
    system = clock.SystemClock("system")
    uptime = float(Path("/proc/uptime").read_text().split()[0])

    assert abs(system.boot() / 1e6 - uptime) < 5
    assert system.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert system.monotonic() <= time.monotonic()
