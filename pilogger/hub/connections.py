"""Connections to a hub: how many at once, and for how long."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 256  # connections that are served at once
LINE = 512  # that wait for one of these to end
HEAD_S = 10.0

Line = deque["Connection"]
"""Those that wait for their turn, the first one first."""


class Connection(H11Protocol):
    """Closes itself when its next request does not begin in time (slow loris).

    A request has begun when its head is complete; its body has a deadline in `read_body`. What
    is too much at once is read later: an old client gives up after three answers of 503.
    """

    _deadline: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, line: Line, **more: Any) -> None:
        super().__init__(*args, **more)
        self._line = line

    @property
    def is_receiving(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY

    @property
    def is_idle(self) -> bool:
        idle = self.conn.their_state is h11.IDLE
        return idle and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if len(self.connections) - len(self._line) > MOST:
            self._line.append(self)
            self.loop.call_soon(self._pause)  # Debian's Python 3.11.2 begins to read after this
            if len(self._line) > LINE:
                transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._line and self.is_idle:
            self.timeout_keep_alive_handler()  # somebody waits for its place

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)
        if self in self._line:
            self._line.remove(self)
        elif self._line:
            self._line.popleft()._begin()

    def _pause(self) -> None:
        if self in self._line:
            self.transport.pause_reading()

    def _begin(self) -> None:
        """Take the place of one that ended."""
        self._unwatch()
        self._watch()
        self.transport.resume_reading()

    def _watch(self) -> None:
        begun = self.conn.their_state is not h11.IDLE
        answered = getattr(self.cycle, "response_complete", False)  # none: it was no HTTP
        if begun and not answered:
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self.timeout_keep_alive_handler)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
