"""Sends what a spool holds as batches, and tells the program what goes wrong."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pilogger.destinations import Accepted, LockedOut, Outcome, Refused, Wait
from pilogger.destinations.http import Answer
from pilogger.destinations.rudderstack import Api
from pilogger.errors import PiloggerError
from pilogger.sample import Point

log = logging.getLogger("pilogger.rudderstack")

REMEMBERED = 1000  # refused messages
NO_ANSWER = 0  # as a status

OnError = Callable[["APIError", list[dict[str, Any]]], object]


class APIError(PiloggerError):
    """What went wrong with messages: `status` of HTTP, 0 without an answer; `code`; `message`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"[rudderstack] {code}: {message} ({status})")
        self.status = status
        self.code = code
        self.message = message


class Report:
    """Where all files of one client tell what goes wrong."""

    def __init__(self, on_error: OnError | None, max_retries: int) -> None:
        self.on_error = on_error
        self.max_retries = max_retries
        self.last: APIError | None = None
        """Why nothing is delivered at the moment."""
        self.refused: deque[tuple[str, APIError]] = deque(maxlen=REMEMBERED)
        """Ids of the newest messages that were refused for ever, and why."""

    def tell(self, error: APIError, messages: Sequence[str]) -> None:
        """Call the program; what it raises is logged."""
        if self.on_error is None:
            log.warning("%s", error)
            return
        try:
            self.on_error(error, [json.loads(message) for message in messages])
        except Exception:
            log.exception("on_error failed")


class Batches:
    """The messages of one file; `upload_size` go into one request."""

    def __init__(self, api: Api, upload_size: int, report: Report) -> None:
        self.limit = upload_size + (upload_size - 1) // 9  # the uploader leaves a tenth free
        self._api = api
        self._report = report
        self._failed = 0  # requests in a row
        self._told = False  # of this outage

    def send(self, points: Sequence[Point]) -> Outcome:
        """Send messages as a batch."""
        messages = [str(point.value) for point in points]
        log.debug("sending %d messages", len(messages))
        outcome = self._api.deliver(messages)
        log.debug("%s", outcome)
        match outcome:
            case Accepted():
                self._failed, self._told, self._report.last = 0, False, None
            case Refused():
                if len(messages) == 1:
                    error = _error(self._api.answer, outcome)
                    self._report.refused.append((json.loads(messages[0])["messageId"], error))
                    self._report.tell(error, messages)
            case Wait() | LockedOut():
                self._wait(outcome, messages)
        return outcome

    def _wait(self, outcome: Wait | LockedOut, messages: Sequence[str]) -> None:
        """Tell the program once in an outage: at once if only a person can end it."""
        self._failed += 1
        self._report.last = error = _error(self._api.answer, outcome)
        over = self._failed > self._report.max_retries or isinstance(outcome, LockedOut)
        if over and not self._told:
            self._told = True
            self._report.tell(error, messages)

    def interrupt(self) -> None:
        self._api.interrupt()

    def close(self) -> None:
        self._api.close()


def _error(answer: Answer | None, outcome: Refused | Wait | LockedOut) -> APIError:
    """Say it in the words of the server, where it has a code and a message."""
    if answer is None:
        return APIError(NO_ANSWER, "no answer", outcome.reason)
    try:
        said = json.loads(answer.text)
        code, message = str(said["code"]), str(said["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        code, message = "unknown", answer.text.strip() or outcome.reason
    return APIError(answer.status, code, message)
