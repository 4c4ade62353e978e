"""The clock seam: boot time is measured, wall time is derived.

Samples are stamped with CLOCK_BOOTTIME, which never steps. Wall time is boot time plus an
offset, which `pilogger.store.segments` keeps and corrects. Intervals and deadlines use the
monotonic clock.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Literal, Protocol

from pilogger import kernel

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SYNC_FILE = "PILOGGER_SYNC_FILE"
TRIES = 5
EARLIEST = 1_767_225_600_000_000  # 2026, in microseconds: pilogger is not older


class Clock(Protocol):
    """Everything that pilogger asks of time."""

    boot_id: str
    source: str
    """Who says whether it is right: `ntp` or `system`."""

    def monotonic(self) -> float:
        """Seconds for intervals, back-off and deadlines; never steps."""
        ...

    def boot(self) -> int:
        """Microseconds of CLOCK_BOOTTIME: monotonic, and counts suspend."""
        ...

    def wall(self) -> int:
        """Microseconds since 1970, as the system believes now."""
        ...

    def synced(self) -> bool:
        """Whether that belief is known to be right."""
        ...

    def error(self) -> int | None:
        """Microseconds that the belief may err, while it is right; None if nobody says."""
        ...

    def frequency(self) -> int:
        """Parts per billion by which the kernel lets all clocks run faster than the crystal."""
        ...


def offset(clock: Clock) -> int:
    """Measure wall time minus boot time, in microseconds, on a whole millisecond.

    Whole milliseconds, so that a stamp that is a whole millisecond of boot time is one
    of wall time too.
    """
    # On a busy machine this thread may lose the processor between two of the readings: of
    # a few tries the quickest is right.
    _, quickest = min(_measure(clock) for _ in range(TRIES))
    return round(quickest / 1000) * 1000


def _measure(clock: Clock) -> tuple[int, int]:
    before = clock.wall()
    boot = clock.boot()
    after = clock.wall()
    return abs(after - before), (before + after) // 2 - boot


class SystemClock:
    """The clocks of this machine.

    A time before pilogger was written is wrong, whoever says that it is right.
    With `trust="ntp"` the time is right when the kernel says that it is disciplined,
    by whichever service; with `trust="system"` it always counts as right. Test machines,
    which no NTP reaches, name a file that exists when the time is right.
    """

    def __init__(self, trust: Literal["ntp", "system"] = "ntp") -> None:
        self.boot_id = BOOT_ID.read_text().strip()
        self.source: str = trust
        self._injected = os.environ.get(SYNC_FILE)

    def monotonic(self) -> float:
        return time.monotonic()

    def boot(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def wall(self) -> int:
        return time.time_ns() // 1000

    def synced(self) -> bool:
        if self.wall() < EARLIEST:
            return False
        if self.source == "system":
            return True
        return Path(self._injected).exists() if self._injected else kernel.discipline().synced

    def error(self) -> int | None:
        found = kernel.discipline()
        return found.error if self.source == "ntp" and found.synced else None

    def frequency(self) -> int:
        return kernel.discipline().frequency
