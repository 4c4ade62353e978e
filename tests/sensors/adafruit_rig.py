"""What a CircuitPython library needs to run on our fake buses, as an independent witness.

peer.time = Time()  # the library's module: it sleeps while it holds the bus
sensor = peer.SCD4X(BusIO(bus))
"""

from __future__ import annotations

from collections.abc import Mapping

from pilogger.bus.busio import BusIO
from pilogger.errors import NoAnswer
from pilogger.testing import MemoryBus

__all__ = ["BusIO", "CommandBus", "RegisterBus", "Time"]


class Time:
    """The module `time` as far as drivers use it; sleeping takes none."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class CommandBus:
    """An I2C bus with one chip of commands: it answers a read as the command before it says.

    `answers` are {command as sent, without its arguments: bytes}; the other commands are
    taken and answer nothing. `writes` holds what was written, in order.
    """

    def __init__(self, address: int, answers: Mapping[bytes, bytes]) -> None:
        self.address = address
        self.answers = dict(answers)
        self.writes: list[bytes] = []

    def write(self, address: int, data: bytes) -> None:
        self._meet(address)
        self.writes.append(data)

    def read(self, address: int, length: int) -> bytes:
        self._meet(address)
        answer = self.answers.get(self.writes[-1][:2]) if self.writes else None
        if answer is None:
            raise NoAnswer(f"{address:#04x} has nothing to say")
        assert len(answer) >= length, f"asked for {length} bytes, there are {len(answer)}"
        return answer[:length]

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        self.write(address, data)
        return self.read(address, length)

    def _meet(self, address: int) -> None:
        if address != self.address:
            raise NoAnswer(f"nothing answers at {address:#04x}")


class RegisterBus(MemoryBus):
    """A MemoryBus whose chips keep the register address over a STOP, as real ones do."""

    pointer = 0

    def write(self, address: int, data: bytes) -> None:
        super().write(address, data)
        self.pointer = data[0]

    def read(self, address: int, length: int) -> bytes:
        return self.write_read(address, bytes([self.pointer]), length)
