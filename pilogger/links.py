"""The kernel tells when a network comes: a cable, Wi-Fi, an address, a route.

rtnetlink(7). A message is a header of 16 bytes (length, type, flags, sequence, sender) and what
is of its type; of a link that is `struct ifinfomsg`. Some drivers tell of a link again and
again, so only one that begins to run is news.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import struct
from collections.abc import Callable
from threading import Thread
from typing import Self

log = logging.getLogger("pilogger.links")

LINKS, IPV4_ADDRESSES, IPV4_ROUTES, IPV6_ADDRESSES, IPV6_ROUTES = 0x1, 0x10, 0x40, 0x100, 0x400
GROUPS = LINKS | IPV4_ADDRESSES | IPV4_ROUTES | IPV6_ADDRESSES | IPV6_ROUTES
NEW_LINK, DEL_LINK, NEW_ADDRESS, NEW_ROUTE = 16, 17, 20, 24
RUNNING = 0x40  # IFF_RUNNING: up, and something is plugged in or joined
HEADER = struct.Struct("=IHHII")
LINK = struct.Struct("=BxHiII")  # family, type, index, flags, changed
LARGEST = 1 << 16


class LinkWatcher:
    """Calls `on_up` when a network may be there that was not, in a daemon thread.

    Where the kernel refuses to tell, it does nothing: pauses end by themselves.
    """

    def __init__(self, on_up: Callable[[], None]) -> None:
        self._on_up = on_up
        self._running: set[int] = set()
        self._end = os.eventfd(0)
        self._socket = _listen()
        self._thread = Thread(target=self._run, name="links", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """End; waits until `on_up` is not running any more."""
        os.eventfd_write(self._end, 1)
        self._thread.join()
        self.leave()

    def leave(self) -> None:
        """Close what the kernel tells through; in a child, which has no thread, that is all."""
        os.close(self._end)
        if self._socket:
            self._socket.close()

    def _run(self) -> None:
        if not self._socket:
            return
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        poll.register(self._socket, select.POLLIN)
        while self._end not in [fd for fd, _ in poll.poll()]:
            try:
                came = self._is_news(self._socket.recv(LARGEST))
            except OSError:  # ENOBUFS: so much happened that some of it is lost
                came = True
            if came:
                self._on_up()

    def _is_news(self, data: bytes) -> bool:
        """Whether one of the messages means that a network came."""
        came = False
        while len(data) >= HEADER.size:
            length, kind, *_ = HEADER.unpack_from(data)
            if kind in (NEW_LINK, DEL_LINK):
                _, _, index, flags, _ = LINK.unpack_from(data, HEADER.size)
                runs = kind == NEW_LINK and bool(flags & RUNNING)
                came |= runs and index not in self._running
                (self._running.add if runs else self._running.discard)(index)
            came |= kind in (NEW_ADDRESS, NEW_ROUTE)
            data = data[max(-(-length // 4) * 4, HEADER.size) :]
        return came


def _listen() -> socket.socket | None:
    try:
        found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        found.bind((0, GROUPS))
    except OSError as error:
        log.info("the kernel does not tell when a network comes: %s", error.strerror)
        return None
    return found
