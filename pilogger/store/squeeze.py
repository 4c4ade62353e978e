"""Bytes of one kind in fewer bytes: deflate (RFC 1951), without a header or a checksum.

Each part gets a code of its own, because what is noise in one is a constant in another.
Noise is smaller without the search for repetitions, so both ways are tried.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

LARGEST = 16 << 20  # bytes; more is kept plain, so that nothing can inflate to more than this
RAW = -15  # a window of 32 KiB, nothing around the stream
MEMORY = 6  # blocks of 4096 symbols; the default of 8 takes longer to begin than to deflate


def squeeze(*parts: bytes) -> bytes:
    """Deflate the parts into one stream."""
    if sum(map(len, parts)) > LARGEST:
        return b"".join(parts)
    return min((_deflate(parts, way) for way in (zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY)), key=len)


def _deflate(parts: Sequence[bytes], strategy: int) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, RAW, MEMORY, strategy)
    *others, last = parts
    begun = [deflater.compress(part) + deflater.flush(zlib.Z_BLOCK) for part in others]
    return b"".join([*begun, deflater.compress(last), deflater.flush()])


def expand(data: bytes, size: int) -> bytes:
    """Return the parts, joined, which are `size` bytes.

    Raises:
        ValueError: it is no such stream.
    """
    if size > LARGEST:
        found, whole = data, True
    else:
        inflater = zlib.decompressobj(RAW)
        try:
            found = inflater.decompress(data, size + 1)
        except zlib.error as error:
            raise ValueError(f"it cannot be inflated: {error}") from error
        whole = inflater.eof and not inflater.unused_data
    if len(found) != size or not whole:
        raise ValueError(f"it does not inflate to {size} bytes")
    return found
