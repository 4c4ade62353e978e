"""The I2C seam: a bus of three verbs, and registers declared as class attributes.

Every transfer is one combined message list (I2C_RDWR): plain I2C, so blocks may be longer
than the 32 bytes of SMBus, and a read follows its register address without a STOP.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, Self, overload

from pilogger.bus import Kind, mux
from pilogger.errors import NoAnswer, WrongChip


class Bus(Protocol):
    """Everything that a driver may ask of an I2C bus; each verb may raise NoAnswer."""

    def write(self, address: int, data: bytes) -> None:
        """Send bytes to a chip."""
        ...

    def read(self, address: int, length: int) -> bytes:
        """Fetch bytes from a chip that knows what to send."""
        ...

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        """Send bytes, usually a register address, and fetch the answer after a repeated start."""
        ...


class WalkedBus(Bus, Protocol):
    """A bus that can be searched for chips."""

    def answers(self, address: int) -> bool:
        """Whether a chip acknowledges its address, asked in a way that does no harm.

        Raises:
            Held: a driver of the kernel has the chip.
            NoAnswer: the bus itself is in trouble.
        """
        ...


class Held(NoAnswer):
    """A driver of the kernel has the chip."""


class I2CDevice:
    """A chip at one 7-bit address of a bus; `addresses` are all that it can have."""

    addresses: ClassVar[Sequence[int]] = ()  # nobody said

    def __init__(self, bus: Bus, address: int) -> None:
        self.bus = bus
        self.address = address

    def wrong(self, found: str = "", fits: str = "") -> WrongChip:
        """Return the error that another chip lives here: what it said, and the driver that fits.

        Where none is known to fit, people are sent to look.
        """
        said = f"answers as {found}" if found else "does not answer"
        if fits:
            return WrongChip(f"{self.address:#04x} {said}: use driver: {fits}")
        is_not = f"{said}, not" if found else f"{said} as"
        hint = "`pilogger scan` tells what it may be"
        return WrongChip(f"{self.address:#04x} {is_not} {type(self).__name__}; {hint}")


class Register:
    """An unsigned number at a register address, read and written as an int.

    It is one byte, or as many as `size` says, the high byte first.
    """

    def __init__(self, register: int, size: int = 1) -> None:
        self.register = register
        self.size = size

    @overload
    def __get__(self, device: None, owner: type) -> Self: ...
    @overload
    def __get__(self, device: I2CDevice, owner: type) -> int: ...
    def __get__(self, device: I2CDevice | None, owner: type) -> Self | int:
        if device is None:
            return self
        first = bytes([self.register])
        return int.from_bytes(device.bus.write_read(device.address, first, self.size), "big")

    def __set__(self, device: I2CDevice, value: int) -> None:
        if not 0 <= value < 1 << 8 * self.size:
            raise ValueError(f"{value:#x} does not fit register {self.register:#04x}")
        data = value.to_bytes(self.size, "big")
        device.bus.write(device.address, bytes([self.register]) + data)


class Block:
    """Consecutive registers, read in one burst and unpacked by a struct format."""

    def __init__(self, register: int, layout: str) -> None:
        self.register = register
        self.layout = struct.Struct(layout)

    @overload
    def __get__(self, device: None, owner: type) -> Self: ...
    @overload
    def __get__(self, device: I2CDevice, owner: type) -> tuple[Any, ...]: ...
    def __get__(self, device: I2CDevice | None, owner: type) -> Self | tuple[Any, ...]:
        if device is None:
            return self
        first = bytes([self.register])
        return self.layout.unpack(device.bus.write_read(device.address, first, self.layout.size))


class Wire(Protocol):
    """What is used of `smbus2.SMBus`."""

    funcs: Any  # flags of what the adapter can do

    def i2c_rdwr(self, *i2c_msgs: Any) -> None: ...
    def write_quick(self, i2c_addr: int) -> None: ...
    def read_byte(self, i2c_addr: int) -> int: ...
    def close(self) -> None: ...


class LinuxBus:
    """A bus of the Linux kernel, through smbus2."""

    def __init__(self, wire: Wire, device: str) -> None:
        from smbus2 import i2c_msg  # here, because only who has I2C should pay for it

        self.wire = wire
        self.device = device
        self.message = i2c_msg

    def write(self, address: int, data: bytes) -> None:
        self._transfer(address, self.message.write(address, data))

    def read(self, address: int, length: int) -> bytes:
        answer = self.message.read(address, length)
        self._transfer(address, answer)
        return bytes(answer)

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        answer = self.message.read(address, length)
        self._transfer(address, self.message.write(address, data), answer)
        return bytes(answer)

    def answers(self, address: int) -> bool:
        """Ask as i2cdetect(8) does: a write of nothing, or a byte read where that does harm."""
        by_read = address in READ_TO_FIND or not self.wire.funcs & QUICK
        try:
            (self.wire.read_byte if by_read else self.wire.write_quick)(address)
        except OSError as error:
            if FAULTS.get(error.errno or 0) == ABSENT:
                return False
            kind = Held if error.errno == errno.EBUSY else NoAnswer
            raise kind(self._sentence(error, address)) from error
        return True

    def close(self) -> None:
        self.wire.close()

    def _transfer(self, address: int, *messages: Any) -> None:
        try:
            self.wire.i2c_rdwr(*messages)
        except OSError as error:
            raise NoAnswer(self._sentence(error, address)) from error

    def _sentence(self, error: OSError, address: int) -> str:
        what = FAULTS.get(error.errno or 0, f"the bus reports {error.strerror!r}")
        return f"{what} at {address:#04x} on {self.device}"


QUICK = 0x0001_0000  # I2C_FUNC_SMBUS_QUICK, linux/i2c.h
READ_TO_FIND = (*range(0x30, 0x38), *range(0x50, 0x60))
"""Where chips live that take a write of nothing for more: EEPROMs and their write protection."""

ABSENT = "nothing answers"
FAULTS = {
    errno.EREMOTEIO: ABSENT,  # 121, the Pi's own controller on a missing ACK
    errno.ENXIO: ABSENT,
    errno.EIO: ABSENT,
    errno.ETIMEDOUT: "timed out: a chip holds the bus, or a pull-up is missing,",
    errno.EBUSY: "busy: something holds the bus, or a kernel driver uses the chip",
    errno.ENODEV: "the adapter of the bus is gone: nothing answers",
    errno.EOPNOTSUPP: "the adapter of the bus knows only SMBus, and not what is asked of the chip",
}
"""What a failed transfer means; see Documentation/i2c/fault-codes.rst of the kernel."""

REMEDIES = {
    errno.ENOENT: "there is no {0}: switch I2C on with `sudo raspi-config nonint do_i2c 0`",
    errno.EACCES: "may not open {0}: add the user to group i2c, `sudo usermod -aG i2c $USER`",
    errno.ENOTTY: "{0} is no I2C bus",
}
"""Why a bus cannot be opened, and what to do about it."""


def open(bus: int | str) -> LinuxBus:
    """Open bus number N, which is /dev/i2c-N, or a device by its path.

    Raises:
        NoAnswer: with the remedy, when there is no such bus or it may not be used.
    """
    from pilogger.bus.wire import WholeTransfers

    device = f"/dev/i2c-{bus}" if isinstance(bus, int) else bus
    wire = WholeTransfers()
    try:
        wire.open(device)
    except OSError as error:
        wire.close()
        raise NoAnswer(remedy(error, device)) from error
    return LinuxBus(wire, device)


def remedy(error: OSError, device: str) -> str:
    """Say why a bus could not be opened, and how to mend it."""
    return REMEDIES.get(error.errno or 0, f"cannot open {{0}}: {error.strerror}").format(device)


KIND = Kind("i2c", 1, open, mux.trunk, mux.branch)
