"""The whole way to a chip: driver, bus, smbus2, ioctl(2); only the kernel is made up."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import logger_rig as rig
import pytest

from pilogger import status
from pilogger.bus import i2c
from pilogger.errors import NoAnswer
from pilogger.sensors.bme280 import BME280
from pilogger.testing import run

PYTHON = "/usr/bin/python3"  # Debian's, with its bindings
KERNEL = Path(__file__).with_name("i2c_kernel.py")
REMOTE = """
import pickle, sys
from pilogger.bus import i2c
bus = i2c.open(1)
while True:
    verb, *arguments = pickle.load(sys.stdin.buffer)
    try:
        answer = getattr(bus, verb)(*arguments)
    except Exception as error:
        answer = error
    pickle.dump(answer, sys.stdout.buffer)
    sys.stdout.flush()
"""


def has_umockdev() -> bool:
    ask = "import gi; gi.require_version('UMockdev', '1.0')"
    if not which("umockdev-wrapper") or not Path(PYTHON).exists():
        return False
    return not subprocess.run([PYTHON, "-c", ask], check=False, capture_output=True).returncode


pytestmark = pytest.mark.skipif(
    not has_umockdev(), reason="needs apt install gir1.2-umockdev-1.0 python3-gi umockdev"
)


class Kernel:
    """A process on a kernel with one I2C bus; `happen` says what becomes of that."""

    def __init__(self, fifo: Path, process: subprocess.Popen[bytes]) -> None:
        self.fifo = fifo
        self.process = process

    def happen(self, *words: str) -> None:
        self.fifo.write_text("".join(f"{word}\n" for word in words))


@contextmanager
def kernel(*command: object, first: str = "fine", stderr: int | None = None) -> Iterator[Kernel]:
    """Run our Python with these arguments."""
    with TemporaryDirectory() as folder:
        fifo = Path(folder) / "fifo"
        os.mkfifo(fifo)
        line = ["umockdev-wrapper", PYTHON, KERNEL, fifo, sys.executable, *command]
        with subprocess.Popen(
            [str(word) for word in line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            env=os.environ | {"TMPDIR": folder},
        ) as process:
            try:
                found = Kernel(fifo, process)
                found.happen(first)
                yield found
            finally:
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.killpg(process.pid, signal.SIGKILL)


class RemoteBus:
    """The bus in the other process, whose errors come back, too."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def write(self, address: int, data: bytes) -> None:
        self._do("write", address, data)

    def read(self, address: int, length: int) -> bytes:
        answer: bytes = self._do("read", address, length)
        return answer

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        answer: bytes = self._do("write_read", address, data, length)
        return answer

    def answers(self, address: int) -> bool:
        found: bool = self._do("answers", address)
        return found

    def _do(self, *what: object) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        pickle.dump(what, self.process.stdin)
        self.process.stdin.flush()
        answer = pickle.load(self.process.stdout)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(scope="module")
def bus() -> Iterator[RemoteBus]:
    with kernel("-c", REMOTE) as found:
        yield RemoteBus(found.process)


def test_bytes_reach_the_chip_and_come_back(bus: RemoteBus) -> None:
    """Its first byte is a register; zeros end nothing, and 32 bytes are no limit."""
    long = bytes(range(100, 164))
    bus.write(0x76, b"\x10" + long)
    bus.write(0x76, b"\x11\x00\x99\x00")

    assert bus.write_read(0x76, b"\x10", 5) == b"\x64\x00\x99\x00\x68"
    assert bus.write_read(0x76, b"\x14", 60) == long[4:]
    assert bus.read(0x76, 2) == long[4:6], "where the transfer before began"


def test_a_driver_reads_its_chip(bus: RemoteBus) -> None:
    sensor = BME280(bus)

    run(sensor.start())
    reading, _ = run(sensor.read())

    assert reading == pytest.approx((23.7221, 100_942.96, 65.3061), abs=0.01)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (0x10, "nothing answers at 0x10 on /dev/i2c-1"),
        (0x11, "timed out: a chip holds the bus, or a pull-up is missing, at 0x11"),
        (0x12, "nothing answers at 0x12"),
        (0x13, "busy: something holds the bus, or a kernel driver uses the chip at 0x13"),
        (0x14, "nothing answers at 0x14"),
        (0x15, "the adapter of the bus is gone: nothing answers at 0x15"),
        (0x16, "knows only SMBus, and not what is asked of the chip at 0x16"),
        (0x20, "nothing answers at 0x20"),
    ],
)
def test_an_error_of_the_kernel_says_what_helps(
    bus: RemoteBus, address: int, sentence: str
) -> None:
    """121, 110, 5, 16, 6, 19 and 95, in each of the verbs; and the bus goes on."""
    for verb in (
        lambda: bus.write(address, b"\x01"),
        lambda: bus.read(address, 2),
        lambda: bus.write_read(address, b"\x01", 2),
    ):
        with pytest.raises(NoAnswer, match=sentence):
            verb()
    assert bus.write_read(0x76, b"\xd0", 1) == b"\x60"


def test_half_a_transfer_is_no_answer(bus: RemoteBus) -> None:
    """The kernel says 1 where there were 2; the second one's zeros are nobody's."""
    bus.write(0x17, b"\x01")

    with pytest.raises(NoAnswer, match="nothing answers at 0x17"):
        bus.write_read(0x17, b"\x01", 2)


def test_a_search_finds_who_is_there_and_disturbs_nobody(bus: RemoteBus) -> None:
    """By a write of nothing, at 0x50 by a byte that is read, as i2cdetect(8) does."""
    assert [address for address in (0x20, 0x50, 0x76, 0x77) if bus.answers(address)] == [0x76]
    with pytest.raises(i2c.Held, match="a kernel driver uses the chip at 0x68"):
        bus.answers(0x68)
    with pytest.raises(NoAnswer, match="timed out: a chip holds the bus"):
        bus.answers(0x11)


def test_more_than_the_kernel_takes_is_no_answer(bus: RemoteBus) -> None:
    with pytest.raises(NoAnswer, match="'Invalid argument' at 0x76"):
        bus.read(0x76, 8193)


def test_a_logger_outlives_all_that_happens_to_a_bus(tmp_path: Path) -> None:
    """Absent at boot, plugged in; a stuck bus; an adapter that is pulled; a hang in the kernel.

    The other sensor is served all the time, and each trouble is told when it begins and ends.
    """
    air = {"driver": "bme280", "every": "50ms", "deadline": "500ms"}
    pi = {"driver": "system", "groups": ["uptime"], "every": "50ms"}
    config = rig.configure(tmp_path, sensors={"air": air, "pi": pi})
    store = tmp_path / "pilogger.db"

    def look() -> tuple[str, str]:
        state = status.ask(store)
        assert state is not None
        found, other = state["sensors"]
        assert other["status"] in {"starting", "ok"}
        return found["status"], found["error"]

    def becomes(wanted: str, words: str = "") -> None:
        def reached() -> bool:
            now, why = look()
            return now == wanted and words in why

        rig.eventually(reached)

    with kernel(
        "-m", "pilogger", "run", "--config", config, first="EREMOTEIO", stderr=subprocess.PIPE
    ) as found:
        rig.eventually(lambda: status.ask(store))
        becomes("failing", "nothing answers at 0x76")
        found.happen("fine")
        becomes("ok")
        found.happen("ETIMEDOUT")
        becomes("failing", "timed out: a chip holds the bus")
        found.happen("fine")
        becomes("ok")
        found.happen("ENODEV", "pull")
        becomes("failing", "there is no /dev/i2c-1")
        found.happen("plug", "fine")
        becomes("ok")
        found.happen("hang")
        becomes("hung", "did not return within 0.5 s")
        found.happen("fine")
        running = status.ask(store)
        assert running is not None
        failures = running["sensors"][0]["failures"]
        os.kill(running["process"], signal.SIGTERM)
        said = found.process.communicate(timeout=rig.PATIENCE_S)[1].decode()

    assert said.count("air gives no reading") == said.count("air is back after") == 3
    assert said.count("air: hung") == failures["hung"] == 1
    assert failures["no answer"] >= 3
    assert "pi gives no reading" not in said
