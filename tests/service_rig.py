"""A service manager for tests: the other end of NOTIFY_SOCKET, a real datagram socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 30.0


class Manager:
    """Hears what a service says; `environment` is what the service must be started with."""

    def __init__(self, address: str, watchdog: float = 0.0) -> None:
        self.environment = {"NOTIFY_SOCKET": address}
        if watchdog:
            self.environment["WATCHDOG_USEC"] = str(round(watchdog * 1e6))
        self.heard: list[str] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def hear(self, patience: float = PATIENCE_S) -> str:
        """Return the next message; empty if none comes."""
        self.socket.settimeout(patience)
        try:
            message = self.socket.recv(65536).decode()
        except TimeoutError:
            return ""
        self.heard.append(message)
        return message

    def wait_for(self, words: str) -> str:
        """Hear messages until one contains the words; returns that one."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if words in (message := self.hear(end - time.monotonic())):
                return message
        raise AssertionError(f"never said {words!r}, but {self.heard[-20:]}")

    def pings(self, seconds: float) -> int:
        """Count the watchdog's pings of the next seconds."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            count += self.hear(left) == "WATCHDOG=1"
        return count

    def forget(self) -> None:
        """Throw away what was said before now."""
        while self.hear(0.01):
            pass


@contextmanager
def manager(folder: Path, watchdog: float = 0.0) -> Iterator[Manager]:
    """Run a manager whose socket is in a folder."""
    running = Manager(str(folder / "notify"), watchdog)
    with running.socket:
        yield running
