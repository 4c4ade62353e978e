"""Whole numbers of any size and pieces of bytes, one behind the other."""

from __future__ import annotations

LONGEST = 10  # bytes of a number; 70 bits hold a difference of differences of 64-bit numbers


def number(value: int) -> bytes:
    """Write a number in as few bytes as it needs: 7 bits in each, the sign in the lowest."""
    rest = value << 1 if value >= 0 else ~value << 1 | 1
    found = bytearray()
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    found.append(rest)
    return bytes(found)


def numbers(*values: int) -> bytes:
    """Write several numbers."""
    return b"".join(map(number, values))


def piece(data: bytes) -> bytes:
    """Write bytes after their length."""
    return number(len(data)) + data


class Pieces:
    """Reads what was written, from the front; each verb raises ValueError at what cannot be."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        """Read a number."""
        rest = 0
        for place, byte in enumerate(self._data[self._at : self._at + LONGEST]):
            rest |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                self._at += place + 1
                return ~(rest >> 1) if rest & 1 else rest >> 1
        raise ValueError("a number does not end")

    def natural(self, most: int) -> int:
        """Read a number from 0 to `most`."""
        found = self.number()
        if not 0 <= found <= most:
            raise ValueError(f"{found} is not from 0 to {most}")
        return found

    def take(self, length: int) -> bytes:
        """Read that many bytes."""
        found = self._data[self._at : self._at + length]
        if len(found) != length:
            raise ValueError("it is cut short")
        self._at += length
        return found

    def piece(self) -> bytes:
        """Read bytes after their length."""
        return self.take(self.number())

    def rest(self) -> bytes:
        """Read all that is left."""
        found = self._data[self._at :]
        self._at = len(self._data)
        return found
