"""Buses that know what they will be asked, in which order, and what they answer."""

from __future__ import annotations

from typing import Any


class Script:
    """Calls that are expected, in order: (verb, what it is given, what it answers).

    What has no answer leaves that out. Where the last item is an error, it is raised.
    """

    def __init__(self, *script: tuple[Any, ...]) -> None:
        self.script = list(script)

    def done(self) -> None:
        """Check that every step of the script has happened."""
        assert not self.script, f"never happened: {self.script}"

    def tell(self, *request: object) -> None:
        """Meet a step without an answer."""
        if self.script and isinstance(self.script[0][-1], Exception):
            self.ask(*request)
        else:
            self._expect(*request)

    def ask(self, *request: object) -> Any:
        """Meet a step, and return its answer."""
        answer = self.script[0][-1] if self.script else b""
        self._expect(*request, answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _expect(self, *step: object) -> None:
        assert self.script, f"not in the script: {step}"
        assert self.script[0] == step
        del self.script[0]


class ScriptedBus(Script):
    """An I2C bus that accepts exactly the transfers it was told to expect, in order.

    A step is ("write", address, data sent), ("read", address, data answered) or
    ("write_read", address, data sent, data answered); or it ends with the error to raise. End a
    test with `done()`.
    """

    def write(self, address: int, data: bytes) -> None:
        self.tell("write", address, data)

    def read(self, address: int, length: int) -> bytes:
        return self._bytes(length, "read", address)

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        return self._bytes(length, "write_read", address, data)

    def answers(self, address: int) -> bool:
        """Whether the script still has a step for this address."""
        return any(step[1] == address for step in self.script)

    def _bytes(self, length: int, *request: object) -> bytes:
        answer: bytes = self.ask(*request)
        assert len(answer) == length, f"asked for {length} bytes, the script has {len(answer)}"
        return answer


class ScriptedOneWire(Script):
    """The same for 1-wire: ("devices", ids) and ("read", id, file, text)."""

    def devices(self) -> list[str]:
        found: list[str] = self.ask("devices")
        return found

    def read(self, device: str, file: str) -> str:
        text: str = self.ask("read", device, file)
        return text


class ScriptedPort(Script):
    """The same for a serial port: ("speed", baud), ("write", bytes) and ("read", bytes)."""

    def speed(self, baud: int) -> None:
        self.tell("speed", baud)

    def write(self, data: bytes) -> None:
        self.tell("write", data)

    def read(self) -> bytes:
        data: bytes = self.ask("read")
        return data
