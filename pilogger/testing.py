r"""Fakes that behave like hardware: for pilogger's own tests, and for yours.

A chip with registers, a chip with opcodes, and a reading without waiting for it:

    bus = MemoryBus({0x76: {0xD0: b"\x60"}})
    bus = ScriptedBus(("write", 0x23, b"\x01"), ("read", 0x23, b"\x83\x90"))
    reading, waits = run(BH1750(bus).read())
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TypeVar, overload

from pilogger.destinations import Accepted, Outcome, Refused, Wait
from pilogger.driver import Steps
from pilogger.errors import NoAnswer
from pilogger.sample import Point

T = TypeVar("T")


@overload
def run(result: Steps[T]) -> tuple[T, list[float]]: ...
@overload
def run(result: T) -> tuple[T, list[float]]: ...
def run(result: Steps[T] | T) -> tuple[T, list[float]]:
    """Finish a driver's `start()` or `read()`; return its result and the waits it asked for."""
    waits: list[float] = []
    if not isinstance(result, Generator):
        return result, waits
    while True:
        try:
            seconds = next(result)
        except StopIteration as stop:
            return stop.value, waits
        assert seconds >= 0, f"a driver cannot wait for {seconds} s"
        waits.append(seconds)


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
        (register,) = data
        return bytes(self._cells(address, register, length))

    def _cells(self, address: int, register: int, length: int) -> memoryview:
        if address not in self.memory:
            raise NoAnswer(f"nothing answers at {address:#04x}")
        assert register + length <= 256, f"{length} bytes at {register:#04x} pass the last register"
        return memoryview(self.memory[address])[register : register + length]


class ScriptedBus:
    """An I2C bus that accepts exactly the transfers it was told to expect, in order.

    A step is ("write", address, data sent), ("read", address, data answered) or
    ("write_read", address, data sent, data answered). End a test with `done()`.
    """

    def __init__(self, *script: tuple[str, int, bytes] | tuple[str, int, bytes, bytes]) -> None:
        self.script = list(script)

    def write(self, address: int, data: bytes) -> None:
        self._expect("write", address, data)

    def read(self, address: int, length: int) -> bytes:
        return self._answer(length, "read", address)

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        return self._answer(length, "write_read", address, data)

    def done(self) -> None:
        """Check that every step of the script has happened."""
        assert not self.script, f"never happened: {self.script}"

    def _expect(self, *transfer: object) -> None:
        assert self.script, f"not in the script: {transfer}"
        assert self.script[0] == transfer
        del self.script[0]

    def _answer(self, length: int, *request: object) -> bytes:
        answer = self.script[0][-1] if self.script else b""
        self._expect(*request, answer)
        assert len(answer) == length, f"asked for {length} bytes, the script has {len(answer)}"
        return answer


def w1_slave(scratchpad: str, verdict: str = "YES") -> str:
    """Return the text of the kernel's file `w1_slave` for nine bytes in hex, CRC last."""
    crc = scratchpad[-2:]
    return f"{scratchpad} : crc={crc} {verdict}\n{scratchpad} t=0\n"


class FakeClock:
    """A clock that moves when told: `advance` passes time, `step_wall` sets the wall clock.

    It starts at second 100 of a boot, synced, on 2026-01-01T00:00:00Z.
    """

    def __init__(self, *, synced: bool = True, boot_id: str = "boot-1") -> None:
        self.boot_id = boot_id
        self.is_synced = synced
        self._boot = 100_000_000
        self._wall = 1_767_225_600_000_000

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._boot += round(seconds * 1_000_000)
        self._wall += round(seconds * 1_000_000)

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or a person does."""
        self._wall += round(seconds * 1_000_000)

    def monotonic(self) -> float:
        return self._boot / 1_000_000

    def boot(self) -> int:
        return self._boot

    def wall(self) -> int:
        return self._wall

    def synced(self) -> bool:
        return self.is_synced


class FlakyDestination:
    """A destination that keeps what it accepts in `arrived`, and fails as told.

    It gives the outcomes of `script` first, raising those that are exceptions; then `down`
    while that is set. It refuses a batch with a reading for which `poison` is true, and
    one of more than `largest` readings as too large. After storing, it loses the next
    `lost_answers` answers. `attempts` holds every batch that it was sent.
    """

    def __init__(self, *script: Outcome | Exception, limit: int = 1000) -> None:
        self.script = deque(script)
        self.limit = limit
        self.largest = limit
        self.lost_answers = 0
        self.down: Outcome | None = None
        self.poison: Callable[[Point], bool] = lambda _: False
        self.attempts: list[tuple[Point, ...]] = []
        self.arrived: list[Point] = []
        self.closed = False

    def send(self, points: Sequence[Point]) -> Outcome:
        self.attempts.append(tuple(points))
        outcome = self.script.popleft() if self.script else self.down or self._judge(points)
        if isinstance(outcome, Exception):
            raise outcome
        if not isinstance(outcome, Accepted):
            return outcome
        self.arrived += points
        if self.lost_answers:
            self.lost_answers -= 1
            return Wait("the answer was lost")
        return outcome

    def close(self) -> None:
        self.closed = True

    def _judge(self, points: Sequence[Point]) -> Outcome:
        if len(points) > self.largest:
            return Refused("too large", too_large=True)
        guilty = [point for point in points if self.poison(point)]
        return Refused(f"{len(guilty)} bad") if guilty else Accepted()
