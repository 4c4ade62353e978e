"""A terminal that is drawn over, calmly."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self


class Screen:
    """A few lines at the bottom of the terminal that are drawn over; plain lines elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._drawn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._drawn:
            sys.stdout.write("\n")

    def show(self, text: str) -> None:
        """Draw the text over what was shown before; without a terminal, once only."""
        if self._quiet or (self._drawn and not sys.stdout.isatty()):
            return
        up = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        sys.stdout.write(f"{up}{text}\n")
        sys.stdout.flush()
        self._drawn = text.count("\n") + 1
