"""Texts: every one that occurs, once, and which of them each value is.

The format is: two pieces of whole numbers (see `pilogger.store.ints`), each after its length:
which text each value is, counted from 0, and how long each text is; then the length of all
texts in UTF-8, and themselves (see `pilogger.store.squeeze`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from pilogger.store import ints
from pilogger.store.pieces import Pieces, number, piece
from pilogger.store.squeeze import LARGEST, expand, squeeze


def encode(values: Sequence[str]) -> bytes:
    """Write texts of any length."""
    places = {text: place for place, text in enumerate(dict.fromkeys(values))}
    which = ints.encode([places[text] for text in values])
    lengths = ints.encode([len(text) for text in places])
    joined = "".join(places).encode(errors="surrogatepass")
    return piece(which) + piece(lengths) + number(len(joined)) + squeeze(joined)


def decode(data: bytes) -> list[str]:
    """Read the texts.

    Raises:
        ValueError: it is not what was written.
    """
    pieces = Pieces(data)
    which = ints.decode(pieces.piece())
    lengths = ints.decode(pieces.piece())
    size = pieces.natural(max(LARGEST, len(data)))
    joined = expand(pieces.rest(), size).decode(errors="surrogatepass")
    if sum(lengths) != len(joined) or min(lengths, default=0) < 0:
        raise ValueError("its texts do not have the lengths that were written")
    if which and not 0 <= min(which) <= max(which) < len(lengths):
        raise ValueError("it tells of texts that it does not have")
    texts = [joined[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]
    return [texts[place] for place in which]
