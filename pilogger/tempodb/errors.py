"""What goes wrong with a call; what cannot even be sent is a `BadValue`, a ValueError."""

from __future__ import annotations

from collections.abc import Sequence

import requests

from pilogger.errors import PiloggerError

LONGEST = 300  # characters of the server's that are quoted


class TempoDBApiException(PiloggerError):
    """The server did not do what it was asked, or only some of it.

    `status` is its answer's (0 without one), `body` its words. Of a write of several points,
    `multistatus` has a status and messages for each, in their order; those with 200 are
    stored.
    """

    def __init__(
        self,
        text: str,
        status: int = 0,
        body: str = "",
        multistatus: Sequence[tuple[int, list[str]]] = (),
    ) -> None:
        super().__init__(text)
        self.status = status
        self.body = body
        self.multistatus = list(multistatus)

    @property
    def failed(self) -> dict[int, list[str]]:
        """The messages of the points that failed, by their place in the list that was given."""
        return {
            number: messages
            for number, (status, messages) in enumerate(self.multistatus)
            if status != 200
        }


class TempoDBNoAnswer(TempoDBApiException, requests.ConnectionError):
    """No answer came, also when asked again. It may have been done all the same."""


def refused(status: int, body: str) -> TempoDBApiException:
    """Make a sentence of an answer that is no success."""
    words = " ".join(body.split())[:LONGEST]
    if status == 403 and not words:
        words = "there is no such series, or the key or secret is wrong"
    if 300 <= status < 400:
        words = "redirected: a login page?"
    return TempoDBApiException(f"the server answered {status}: {words or 'nothing'}", status, body)


def partly(body: str, multistatus: Sequence[tuple[int, list[str]]]) -> TempoDBApiException:
    """Make a sentence of an answer that is a success for some points only."""
    failed = [
        (number, words) for number, (status, words) in enumerate(multistatus) if status != 200
    ]
    number, words = failed[0] if failed else (0, [])
    text = (
        f"{len(failed)} of {len(multistatus)} points were refused, the others are stored;"
        f" the first of them is data[{number}]: {', '.join(words)}"
    )
    return TempoDBApiException(text, 207, body, multistatus)
