"""Buses in memory, and drivers run without waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TypeVar, overload

from pilogger.bus import i2c
from pilogger.driver import Steps, finish
from pilogger.errors import NoAnswer

T = TypeVar("T")


@overload
def run(result: Steps[T]) -> tuple[T, list[float]]: ...
@overload
def run(result: T) -> tuple[T, list[float]]: ...
def run(result: Steps[T] | T) -> tuple[T, list[float]]:
    """Finish a driver's `start()` or `read()`; return its result and the waits it asked for."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        assert seconds >= 0, f"a driver cannot wait for {seconds} s"
        waits.append(seconds)

    return finish(result, wait), waits


class MemoryBus:
    """An I2C bus of chips with registers: what is written to a register is read back.

    Each chip is 256 bytes, given as {address: {first register: its bytes}}. Nothing else
    answers, so `MemoryBus({})` is a dead bus. `writes` holds what was written, in order.
    """

    def __init__(self, chips: Mapping[int, Mapping[int, bytes]]) -> None:
        self.memory = {address: bytearray(256) for address in chips}
        self.writes: list[tuple[int, bytes]] = []
        for address, registers in chips.items():
            for register, data in registers.items():
                self._cells(address, register, len(data))[:] = data

    def write(self, address: int, data: bytes) -> None:
        self._cells(address, data[0], len(data) - 1)[:] = data[1:]
        self.writes.append((address, data))

    def read(self, address: int, length: int) -> bytes:
        self._cells(address, 0, length)
        raise AssertionError("a chip with registers is read with write_read")

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        cells = self._cells(address, data[0], length)
        assert len(data) == 1, f"{data.hex(' ')} is no register of one byte"
        return bytes(cells)

    def answers(self, address: int) -> bool:
        return address in self.memory

    def _cells(self, address: int, register: int, length: int) -> memoryview:
        if address not in self.memory:
            raise NoAnswer(f"nothing answers at {address:#04x}")
        assert register + length <= 256, f"{length} bytes at {register:#04x} pass the last register"
        return memoryview(self.memory[address])[register : register + length]


class MuxBus:
    """An I2C bus with a TCA9548A on it: `trunk` has the other chips, `channels` are buses.

    A channel is through from the end of the transfer that switched it on. Where two chips of
    one address are connected at once, both answer, and that is a mistake.
    """

    def __init__(
        self, trunk: i2c.WalkedBus, channels: Mapping[int, i2c.WalkedBus], address: int = 0x70
    ) -> None:
        self.trunk = trunk
        self.channels = dict(channels)
        self.address = address
        self.control = 0

    def write(self, address: int, data: bytes) -> None:
        if address == self.address:
            self.control = data[-1]
        else:
            self._owner(address).write(address, data)

    def read(self, address: int, length: int) -> bytes:
        if address == self.address:
            return bytes([self.control]) * length
        return self._owner(address).read(address, length)

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        if address == self.address:
            self.control = data[-1]
            return bytes([self.control]) * length
        return self._owner(address).write_read(address, data, length)

    def answers(self, address: int) -> bool:
        return address == self.address or self._owner(address).answers(address)

    def _owner(self, address: int) -> i2c.WalkedBus:
        through = [bus for number, bus in self.channels.items() if self.control >> number & 1]
        found = [bus for bus in (self.trunk, *through) if bus.answers(address)]
        assert len(found) < 2, f"two chips answer at {address:#04x}"
        return found[0] if found else self.trunk


class SerialPort:
    """A serial port whose sensor talks and answers.

    `talk` are chunks that come in by themselves, one at each read; `answers` are {bytes as
    sent: bytes that come back}. `writes` and `speeds` hold what was asked for, in order.
    """

    def __init__(self, *talk: bytes, answers: Mapping[bytes, bytes] | None = None) -> None:
        self.talk = deque(talk)
        self.answers = dict(answers or {})
        self.writes: list[bytes] = []
        self.speeds: list[int] = []

    def speed(self, baud: int) -> None:
        self.speeds.append(baud)

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        if data in self.answers:
            self.talk.append(self.answers[data])

    def read(self) -> bytes:
        return self.talk.popleft() if self.talk else b""

    def close(self) -> None:
        """Nothing is held open."""


def w1_slave(scratchpad: str, verdict: str = "YES") -> str:
    """Return the text of the kernel's file `w1_slave` for nine bytes in hex, CRC last."""
    crc = scratchpad[-2:]
    return f"{scratchpad} : crc={crc} {verdict}\n{scratchpad} t=0\n"
