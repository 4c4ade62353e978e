"""What is between a call and the server: the question goes out, the answer is judged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import uuid4

from pilogger.protocols import tempodb as wire
from pilogger.protocols.tempodb import ALL, Filters
from pilogger.tempodb.errors import partly, refused


class Server(Protocol):
    """Whoever is asked."""

    def ask(self, method: str, path: str, query: str, body: bytes, once: str) -> tuple[int, str]:
        """Return the status and the text of an answer; `once` names what must be done once."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class Asker:
    """Asks one server; both ways raise TempoDBApiException where it refuses."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def close(self) -> None:
        """Let go of what is open; may be called twice."""
        self._server.close()

    def told(
        self,
        method: str,
        path: Sequence[str],
        filters: Filters = ALL,
        options: Mapping[str, str | None] | None = None,
        body: bytes = b"",
        *,
        once: bool = False,
    ) -> Any:
        """Ask for something that JSON tells."""
        text = self._ask(method, path, filters, options or {}, body, once=once)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise refused(200, f"not an answer of this service: {text}") from None

    def done(
        self,
        method: str,
        path: Sequence[str],
        body: bytes = b"",
        *,
        options: Mapping[str, str | None] | None = None,
        once: bool = False,
    ) -> str:
        """Ask for something to be done; the page of a login is no yes."""
        text = self._ask(method, path, ALL, options or {}, body, once=once)
        if text:
            raise refused(200, f"not an answer of this service: {text}")
        return ""

    def _ask(
        self,
        method: str,
        path: Sequence[str],
        filters: Filters,
        options: Mapping[str, str | None],
        body: bytes,
        *,
        once: bool,
    ) -> str:
        query = wire.encode_query(filters, **options)
        name = uuid4().hex if once else ""
        status, text = self._server.ask(method, wire.encode_path(*path), query, body, name)
        if status == 200:
            return text
        if status == 207:
            raise partly(text, wire.decode_multistatus(text))
        raise refused(status, text)
