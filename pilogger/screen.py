"""A terminal that is drawn over, calmly."""

from __future__ import annotations

import os
import shutil
import sys
from types import TracebackType
from typing import Self


class Screen:
    """A few lines at the bottom of the terminal that are drawn over; plain lines elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._drawn = 0
        self._can_redraw = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._drawn:
            sys.stdout.write("\n")

    def show(self, text: str) -> None:
        """Draw the text over what was shown before; without a terminal, once only."""
        if self._quiet or (self._drawn and not self._can_redraw):
            return
        lines = text.splitlines()
        if self._can_redraw:  # a line that wraps, or scrolls away, cannot be drawn over
            columns, rows = shutil.get_terminal_size()
            lines = [line[: columns - 1] for line in lines][: rows - 1]
        up = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        sys.stdout.write(up + "\n".join(lines) + "\n")
        sys.stdout.flush()
        self._drawn = len(lines)
