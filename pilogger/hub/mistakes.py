"""What is said of a batch of which not everything could be stored."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 20  # in one answer


def sentence(what: str, mistakes: Sequence[str]) -> str:
    """Say which of the `what` ("events") are not stored, and why; the first of them."""
    lines = [f"the good {what} are stored; these are not:", *mistakes[:NAMED]]
    if len(mistakes) > NAMED:
        lines.append(f"and {len(mistakes) - NAMED} more")
    return "\n".join(lines)
