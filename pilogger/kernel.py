"""What the kernel knows of its clock: adjtimex(2), and a timer that a step cancels.

Python 3.11 has neither, so both are called through ctypes.
"""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from time import CLOCK_REALTIME
from typing import NamedTuple, Self

MAXERROR_US = 16_000_000  # above it the kernel's time counts as unsynchronised
USUAL_TICK_US = 10_000
TFD_CLOEXEC = os.O_CLOEXEC
TFD_STEPS = 3  # TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET

libc = ctypes.CDLL(None, use_errno=True)


class Discipline(NamedTuple):
    """How the kernel's clock is kept.

    `error` is the most that it may err, in microseconds; it grows while nobody corrects it.
    `frequency` is what the kernel adds to the crystal's pace, in parts per billion.
    """

    synced: bool
    error: int
    frequency: int


class _Timex(ctypes.Structure):
    """The head of struct timex (adjtimex(2)); the kernel fills 208 bytes at most."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),  # ppm, with 16 bits behind the point
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),  # microseconds in a hundredth of a second
        ("rest", ctypes.c_byte * 256),
    )


def discipline() -> Discipline:
    """Ask adjtimex(2), as systemd's timedated does: works for timesyncd, chrony and ntpd."""
    timex = _Timex()
    if libc.adjtimex(ctypes.byref(timex)) < 0:
        return Discipline(synced=False, error=MAXERROR_US, frequency=0)
    ticks = (timex.tick - USUAL_TICK_US) * 100_000
    return Discipline(
        timex.maxerror < MAXERROR_US, timex.maxerror, timex.freq * 1000 // 65_536 + ticks
    )


class _Itimerspec(ctypes.Structure):
    """Seconds and nanoseconds of the interval, and of when it ends first."""

    _fields_ = (("interval", ctypes.c_long * 2), ("value", ctypes.c_long * 2))


NEVER_S = 2**33 if ctypes.sizeof(ctypes.c_long) == 8 else 2**31 - 1


class StepWatcher:
    """Calls `on_step` at once when somebody sets the wall clock, in a daemon thread.

    Where the kernel has no such timer, it does nothing.
    """

    def __init__(self, on_step: Callable[[], None]) -> None:
        self._on_step = on_step
        self._end = os.eventfd(0)
        self._timer = _step_timer()
        self._thread = Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """End; waits until `on_step` is not running any more."""
        os.eventfd_write(self._end, 1)
        self._thread.join()
        for fd in (self._end, self._timer):
            if fd >= 0:
                os.close(fd)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        if self._timer >= 0:
            poll.register(self._timer, select.POLLIN)
        while self._end not in [fd for fd, _ in poll.poll()]:
            with suppress(OSError):  # ECANCELED is how the kernel says that the clock was set
                os.read(self._timer, 8)
            self._on_step()


def _step_timer() -> int:
    """Make a timerfd(2) that only a step of the wall clock ends; -1 if the kernel refuses."""
    timer: int = libc.timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC)
    end = _Itimerspec(value=(ctypes.c_long * 2)(NEVER_S, 0))
    if timer >= 0 and libc.timerfd_settime(timer, TFD_STEPS, ctypes.byref(end), None) < 0:
        os.close(timer)
        return -1
    return timer
