r"""Fakes that behave like hardware: for pilogger's own tests, and for yours.

A chip with registers, a chip with opcodes, and a reading without waiting for it:

    bus = MemoryBus({0x76: {0xD0: b"\x60"}})
    bus = ScriptedBus(("write", 0x23, b"\x01"), ("read", 0x23, b"\x83\x90"))
    reading, waits = run(BH1750(bus).read())

A file of `pilogger record`, played back:

    recording = Recording(Path("attached.jsonl"))
    assert recording.play(SHT4x) == recording.outcomes
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

from pilogger import errors
from pilogger.bus import i2c
from pilogger.destinations import Accepted, Outcome, Refused, Wait
from pilogger.driver import Steps, finish
from pilogger.errors import NoAnswer
from pilogger.sample import Point

T = TypeVar("T")

NTP_POLL_S = 16.0
NTP_GAIN = 0.2  # of the error that is left, taken away at each poll


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


class Recording:
    """A file of `pilogger record`: `about` is its first line, `outcomes` what each call gave.

    `play(SHT4x)` makes the driver, has it do what was recorded, and returns what each call
    gives now: None for a start, the values of a reading, or an error as text. It ends the
    test where the driver asks something else of its bus than was recorded.
    """

    def __init__(self, file: Path) -> None:
        self.about, *events = map(json.loads, file.read_text().splitlines())
        self.calls = [event["do"] for event in events if event.get("do", "open") != "open"]
        self.outcomes = [_outcome(it) for it in events if not {"do", "bus", "wait"} & it.keys()]
        self._steps = [self._step(event) for event in events if "bus" in event]

    def bus(self) -> Script:
        """Return the bus of the recording, which answers as it did then."""
        kinds = {"i2c": ScriptedBus, "onewire": ScriptedOneWire, "serial": ScriptedPort}
        return kinds[self.about["kind"]](*self._steps)

    def play(self, driver: Callable[..., Any], **options: object) -> list[object]:
        """Play it to a driver; `options` go before those of the recording."""
        bus = self.bus()
        made = driver(bus, **self.about["options"] | options)
        found = [self._do(getattr(made, call)) for call in self.calls]
        bus.done()
        return found

    def _do(self, method: Callable[[], Any]) -> object:
        try:
            result, _ = run(method())
        except AssertionError:
            raise
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return dict(result) if isinstance(result, Mapping) else result and result._asdict()

    def _step(self, event: Mapping[str, Any]) -> tuple[Any, ...]:
        verb, given = event["bus"], event["with"]
        if self.about["kind"] == "i2c" and verb != "write":
            given = given[:-1]  # the length, which the answer tells
        step = (verb, *map(self._plain, given))
        if "fails" in event:
            name, _, text = event["fails"].partition(": ")
            return *step, getattr(errors, name, RuntimeError)(text)
        return (*step, self._plain(event["gives"])) if "gives" in event else step

    def _plain(self, value: object) -> object:
        is_hex = isinstance(value, str) and self.about["kind"] != "onewire"
        return bytes.fromhex(str(value)) if is_hex else value


def _outcome(event: Mapping[str, Any]) -> object:
    return event.get("fails", event.get("gives"))


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


class FakeClock:
    """A clock that moves when told: `advance` passes time, `step_wall` sets the wall clock.

    It starts at second 100 of a boot, synced, on 2026-01-01T00:00:00Z. `truth` is what no
    machine knows: the time as it is, in microseconds since 1970. A crystal that errs, by
    `crystal` ppm, makes boot and wall time run fast until `ntp` comes and steers them.
    """

    source = "ntp"

    def __init__(
        self, *, synced: bool = True, boot_id: str = "boot-1", crystal: float = 0.0
    ) -> None:
        self.boot_id = boot_id
        self.is_synced = synced
        self.crystal = crystal
        self.truth = 1_767_225_600_000_000
        self._boot = 100_000_000
        self._wall = self.truth
        self._ppm = 0.0
        self._poll_in = NTP_POLL_S

    def advance(self, seconds: float) -> None:
        """Let time pass; a crystal that NTP steers is on its way to the right pace."""
        steered = self.is_synced and self.crystal
        while steered and seconds >= self._poll_in:
            seconds -= self._poll_in
            self._pass(self._poll_in)
            self._poll_in = NTP_POLL_S
            self._ppm -= (self._ppm + self.crystal) * NTP_GAIN
            slewed = round((self.truth - self._wall) * NTP_GAIN)
            self._boot += slewed
            self._wall += slewed
        self._pass(seconds)
        if steered:
            self._poll_in -= seconds

    def _pass(self, seconds: float) -> None:
        counted = round(seconds * (1_000_000 + self.crystal + self._ppm))
        self.truth += round(seconds * 1_000_000)
        self._boot += counted
        self._wall += counted

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or a person does."""
        self._wall += round(seconds * 1_000_000)

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock wrong by hand; the kernel no longer calls it synchronised."""
        self.step_wall(seconds)
        self.is_synced = False

    def pace(self, ppm: float) -> None:
        """Let the kernel run all clocks faster, as chrony does with what it learnt last time."""
        self._ppm = ppm

    def ntp(self) -> None:
        """NTP answers: the wall clock steps to the truth and is steered from now on."""
        self._wall = self.truth
        self._poll_in = NTP_POLL_S
        self.is_synced = True

    def reboot(self, boot_id: str, *, off: float = 60.0, restored: int | None = None) -> FakeClock:
        """Start the machine again after `off` seconds, its time unknown.

        Its wall clock begins with `restored`, microseconds since 1970, or where it stopped.
        """
        again = FakeClock(synced=False, boot_id=boot_id, crystal=self.crystal)
        again.truth = self.truth + round(off * 1_000_000)
        again._boot = 0
        again._wall = self._wall if restored is None else restored
        return again

    def monotonic(self) -> float:
        return self._boot / 1_000_000

    def boot(self) -> int:
        return self._boot

    def wall(self) -> int:
        return self._wall

    def synced(self) -> bool:
        return self.is_synced

    def error(self) -> int | None:
        return 10_000 if self.is_synced else None

    def frequency(self) -> int:
        return round(self._ppm * 1000)


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
