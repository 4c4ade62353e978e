"""Sensirion's frames on I2C: 16-bit words, high byte first, each followed by its CRC-8.

The polynomial is x^8 + x^5 + x^4 + 1 (0x31), not reflected, without a final xor. It begins
with 0xFF, but with 0x00 in the HTU21D and its kin, which are older. Others borrowed it, as
ASAIR did for the AHT20. Source: Sensirion "Datasheet SHT3x-DIS", version 5, §4.12.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from pilogger.bus.i2c import Bus
from pilogger.errors import BadReading

POLYNOMIAL = 0x31
SIZE = 3  # two bytes and their checksum


def crc8(data: bytes, begin: int = 0xFF) -> int:
    """Return the checksum of some bytes; 0xBE 0xEF gives 0x92."""
    crc = begin
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (POLYNOMIAL if crc & 0x80 else 0)) & 0xFF
    return crc


def encode(*words: int) -> bytes:
    """Return words as a chip takes them after a command, each with its checksum."""
    pairs = [word.to_bytes(2, "big") for word in words]
    return b"".join(pair + bytes([crc8(pair)]) for pair in pairs)


def decode(frame: bytes, begin: int = 0xFF) -> tuple[int, ...]:
    """Return the words of an answer; a chip may send fewer bytes than it could.

    Raises:
        BadReading: a checksum is wrong.
    """
    return tuple(_checked(frame, begin))


def ask(
    bus: Bus, address: int, command: bytes, seconds: float, words: int = 1
) -> Generator[float, None, tuple[int, ...]]:
    """Send a command, wait for so long, and return the words of its answer.

    A chip that is still busy does not acknowledge: hence the wait, and no repeated start.

    Raises:
        BadReading: a checksum is wrong.
    """
    bus.write(address, command)
    yield seconds
    return decode(bus.read(address, SIZE * words))


def _checked(frame: bytes, begin: int) -> Iterator[int]:
    for at in range(0, len(frame), SIZE):
        word, crc = frame[at : at + 2], frame[at + 2]
        if crc8(word, begin) != crc:
            raise BadReading(f"the checksum is wrong: {frame.hex(' ')}")
        yield int.from_bytes(word, "big")
