"""What others wrote, shown so that it can do no harm: on a terminal, in a log.

A key that a client chose, a server's answer, a program's complaint may hold colours, sounds,
text that runs backwards, or a line break with a made-up entry after it.
"""

from __future__ import annotations

import logging

CONTINUED = "    | "
"""How a line begins that is none of its own; no entry of a log begins so."""


def harmless(text: str) -> str:
    """Escape what is not printable, line breaks among it."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def lines(text: str) -> str:
    """Escape what is not printable but for line breaks: what follows one is marked."""
    return f"\n{CONTINUED}".join(map(harmless, text.split("\n")))


class Lines(logging.Formatter):
    """Formats entries that cannot be forged, whatever was logged."""

    def format(self, record: logging.LogRecord) -> str:
        return lines(super().format(record))
