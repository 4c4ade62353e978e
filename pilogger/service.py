"""What the service manager is told, with the protocol of sd_notify(3): nothing but datagrams.

Where there is no service manager, or it did not ask, everything here is silent.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress

SEND_S = 1.0
PATIENCE_S = 30.0  # what is asked for while the start takes long, again and again
LOOK_S = 5.0


class Service:
    """The process, as its service manager sees it.

    Takes what the manager left in the environment away, so that no program that a driver
    starts can speak in our name.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        whose = environment.pop("WATCHDOG_PID", str(os.getpid()))
        self._address = "\0" + address[1:] if address.startswith("@") else address
        ours = microseconds.isdecimal() and whose == str(os.getpid())
        self.watchdog = int(microseconds) / 1e6 if ours else 0.0
        """Seconds without a ping after which the manager ends this process; 0: never."""
        self.look = min(LOOK_S, self.watchdog / 2) or LOOK_S
        """Seconds between two pings, and two status texts."""

    def ready(self) -> None:
        """Say that the start, or a reload, is complete."""
        self._tell("READY=1")

    def status(self, text: str) -> None:
        """Say how it goes, in one line for a person."""
        self._tell("STATUS=" + " ".join(text.split()))

    def ping(self) -> None:
        """Keep the watchdog quiet."""
        if self.watchdog:
            self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that a reload begins; `ready` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._tell("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """Ask for patience with a start that takes long."""
        self._tell(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    @contextmanager
    def starting(self, what: str) -> Iterator[None]:
        """Ask for patience as long as the block runs: a migration takes what it takes."""
        done = threading.Event()

        def plead() -> None:
            while not done.is_set():
                self.extend(PATIENCE_S)
                done.wait(PATIENCE_S / 3)

        self.status(what)
        thread = threading.Thread(target=plead, name="starting", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(SEND_S)
            manager.connect(self._address)
            manager.sendall(message.encode())
