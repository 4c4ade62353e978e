"""An I2C bus as libraries for CircuitPython want it: with the methods of `busio.I2C`.

So they run on a bus that pilogger has opened, beside its own drivers, or on a fake one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pilogger.bus.i2c import Bus
from pilogger.errors import NoAnswer

ADDRESSES = range(0x08, 0x78)  # the others are reserved by the specification of I2C


class BusIO:
    """One of our buses in the clothes of `busio.I2C`; its worker is alone on it, so no lock."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def try_lock(self) -> bool:
        return True

    def unlock(self) -> None:
        pass

    def scan(self) -> list[int]:
        """List the addresses at which a byte can be read."""
        return list(filter(self._answers, ADDRESSES))

    def writeto(
        self, address: int, buffer: bytes, *, start: int = 0, end: int | None = None
    ) -> None:
        if data := bytes(buffer[start:end]):  # nothing is written only to see who is there
            with translated():
                self.bus.write(address, data)

    def readfrom_into(
        self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None
    ) -> None:
        length = len(buffer[start:end])
        with translated():
            buffer[start:end] = self.bus.read(address, length)

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytes,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        data, length = bytes(out_buffer[out_start:out_end]), len(in_buffer[in_start:in_end])
        with translated():
            in_buffer[in_start:in_end] = self.bus.write_read(address, data, length)

    def _answers(self, address: int) -> bool:
        try:
            self.bus.read(address, 1)
        except NoAnswer:
            return False
        return True


@contextmanager
def translated() -> Iterator[None]:
    """Turn our error into that of the libraries."""
    try:
        yield
    except NoAnswer as error:
        raise OSError(str(error)) from error
