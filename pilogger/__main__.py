"""Starts the command line; until it is imported, Ctrl-C ends it without a word."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)

from pilogger.cli import main  # noqa: E402 - it takes a while

if __name__ == "__main__":
    main()
