"""The clock seam: boot time is measured, wall time is derived.

Samples are stamped with CLOCK_BOOTTIME, which never steps. A *clock segment* is a span
of boot time with one offset to wall time; when the clock first becomes right, correcting
the segment corrects every reading in it. Intervals and deadlines use the monotonic clock.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SYNC_FILE = "PILOGGER_SYNC_FILE"
TRIES = 5
MAXERROR_US = 16_000_000  # above it the kernel's time counts as unsynchronised

State = Literal["unsynced", "synced", "estimated"]


class Clock(Protocol):
    """Everything that pilogger asks of time."""

    boot_id: str

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


class Segment(NamedTuple):
    """A span of boot time; wall time = `offset` + boot time, both in microseconds."""

    id: int
    boot_id: str
    started: int
    offset: int
    state: State


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

    With `trust="ntp"` the time is right when the kernel says that it is disciplined,
    by whichever service; with `trust="system"` it always counts as right.
    """

    def __init__(self, trust: Literal["ntp", "system"] = "ntp") -> None:
        self.boot_id = BOOT_ID.read_text().strip()
        self.synced: Callable[[], bool] = _always if trust == "system" else _sync_source()

    def monotonic(self) -> float:
        return time.monotonic()

    def boot(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def wall(self) -> int:
        return time.time_ns() // 1000


def _always() -> bool:
    return True


def _sync_source() -> Callable[[], bool]:
    """Ask the kernel, or a file that test machines set: it exists when time is right."""
    injected = os.environ.get(SYNC_FILE)
    return Path(injected).exists if injected else kernel_synced


class _Timex(ctypes.Structure):
    """The head of struct timex (adjtimex(2)); the kernel fills 208 bytes at most."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    )


def kernel_synced() -> bool:
    """Ask adjtimex(2), as systemd's timedated does: works for timesyncd, chrony and ntpd."""
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        return False
    return bool(timex.maxerror < MAXERROR_US)
