"""TCA9548A and PCA9548A: up to eight branches of an I2C bus behind one address of it.

The bus of a sensor there is the way to it: `bus: 1/0x70/3` is channel 3 of the multiplexer at 0x70
on bus 1, and `1/0x70/3/0x71/0` is a branch of that branch.

Datasheet: TI SCPS207, "TCA9548A": its one register has a bit for each channel, and a change of
it takes effect with the STOP after it. So each transfer on a branch is three: switch through,
transfer, switch off. Nothing has to be remembered, no two branches are ever connected, and one
whose chips do not answer is off again before the next sensor's turn. A branch that holds
the data line low is another matter: there the multiplexer cannot be reached either, and
only its RESET pin or a power cut helps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pilogger.errors import NoAnswer, SensorError

if TYPE_CHECKING:
    from pilogger.bus.i2c import Bus, WalkedBus

ADDRESSES = range(0x70, 0x78)
CHANNELS = range(8)
OFF = 0
TRIED = (0b01, 0b10)  # and OFF: as register addresses, these do nothing to other chips

TURN = re.compile(r"/(0x7[0-7])/([0-7])")
TURN_LENGTH = len("/0x70/3")
NAME = re.compile(rf"(\d+|/.+?)((?:{TURN.pattern})*)")


class Branch:
    """What is behind one channel of a multiplexer."""

    def __init__(self, bus: WalkedBus, mux: int, channel: int) -> None:
        self.bus = bus
        self.mux = mux
        self.channel = channel

    def write(self, address: int, data: bytes) -> None:
        with self._through():
            self.bus.write(address, data)

    def read(self, address: int, length: int) -> bytes:
        with self._through():
            return self.bus.read(address, length)

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        with self._through():
            return self.bus.write_read(address, data, length)

    def answers(self, address: int) -> bool:
        with self._through():
            return self.bus.answers(address)

    @contextmanager
    def _through(self) -> Iterator[None]:
        try:
            self.bus.write(self.mux, bytes([1 << self.channel]))
        except NoAnswer as error:
            raise NoAnswer(f"the multiplexer at {self.mux:#04x}: {error}") from error
        try:
            yield
        finally:
            with suppress(NoAnswer):  # the next who needs it will hear of that
                self.bus.write(self.mux, bytes([OFF]))


def trunk(name: int | str) -> int | str:
    """Return the bus that must be opened for a name: a number, or the path of a device.

    Raises:
        ValueError: it is no name of an I2C bus.
    """
    return _parts(name)[0]


def branch(bus: WalkedBus, name: int | str) -> WalkedBus:
    """Return what a name means on its open trunk."""
    for mux, channel in TURN.findall(_parts(name)[1]):
        bus = Branch(bus, int(mux, 16), int(channel))
    return bus


def named(name: int | str) -> int | str:
    """Return the shortest name of the same bus: 1 for `1` and for `/dev/i2c-1`."""
    device, way = _parts(name)
    return f"{device}{way}" if way else device


def outer(name: int | str) -> int | str | None:
    """Return the bus that the last multiplexer on the way is on; None if there is none."""
    return named(str(name)[:-TURN_LENGTH]) if _parts(name)[1] else None


def is_mux(bus: Bus, address: int) -> bool:
    """Whether a chip keeps what it is told as a multiplexer does; its channels stay as they were.

    It has no identity. Ask only where nothing else is known to live.
    """
    try:
        before = bus.read(address, 1)
        for state in (*TRIED, OFF):
            bus.write(address, bytes([state]))
            if bus.read(address, 1) != bytes([state]):
                return False
        if before != bytes([OFF]):
            bus.write(address, before)
    except SensorError:
        return False
    return True


def _parts(name: int | str) -> tuple[int | str, str]:
    if not (found := NAME.fullmatch(str(name))):
        raise ValueError(
            f"{name} is no I2C bus: write 1, or /dev/i2c-1, or 1/0x70/3 for channel 3 of a"
            " multiplexer at 0x70 on bus 1"
        )
    device = found[1].removeprefix("/dev/i2c-")
    return int(device) if device.isascii() and device.isdigit() else device, found[2]
