"""A kernel with an I2C bus, made up: `i2c_kernel.py FIFO COMMAND...` runs the command on it.

`/dev/i2c-1` is umockdev's, and what is asked of it by ioctl(2) is answered here, as i2c-dev does it
(Documentation/i2c/dev-interface.rst of the kernel). Debian's own Python has the bindings:

    umockdev-wrapper /usr/bin/python3 i2c_kernel.py FIFO COMMAND...

One chip is there, a BME280 as somebody recorded it (periph, bmx280_test.go). What happens to the
bus is read from the FIFO, a word per line: the name of an error that every transfer ends with from
now on, `hang` for no answer at all, `fine`; `pull` and `plug` for the device node. The command
begins after the first word.
"""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import gi

gi.require_version("UMockdev", "1.0")

from gi.repository import GLib, UMockdev  # noqa: E402

DEVICE = """\
P: /devices/platform/soc/i2c-1/i2c-dev/i2c-1
N: i2c-1
E: DEVNAME=/dev/i2c-1
E: SUBSYSTEM=i2c-dev
"""

I2C_SLAVE, I2C_FUNCS, I2C_RDWR, I2C_SMBUS = 0x0703, 0x0705, 0x0707, 0x0720  # linux/i2c-dev.h
CAN = struct.pack("@L", 0x0003_0001)  # I2C_FUNC_I2C, _SMBUS_QUICK and _SMBUS_READ_BYTE
SMBUS = struct.Struct("@BBIP")  # struct i2c_smbus_ioctl_data: reads, command, size, data
QUICK, BYTE = 0, 1  # its sizes
LIST = struct.Struct("@PI")  # struct i2c_rdwr_ioctl_data: messages, their number
MESSAGE = struct.Struct("@HHHP")  # struct i2c_msg: address, flags, length, buffer
READ = 0x0001  # I2C_M_RD
MOST_MESSAGES, LONGEST_MESSAGE = 42, 8192

CHIP = 0x76
CLOCK = 0x68  # a driver of the kernel has it
RECORDED = {
    0x88: "106e6c6632005d95b8d5d00b771e9dfff9ffac260ad8bd10004b",
    0xD0: "60",
    0xE1: "6e01001305001e",
    0xF7: "4a52c08096c07a76",
}
FAULTS = {
    0x10: errno.EREMOTEIO,
    0x11: errno.ETIMEDOUT,
    0x12: errno.EIO,
    0x13: errno.EBUSY,
    0x14: errno.ENXIO,
    0x15: errno.ENODEV,
    0x16: errno.EOPNOTSUPP,
}
"""What transfers to these addresses end with; to others, that nobody answers."""
HALF = 0x17  # does what is written to it; then the adapter stops, and tells so by its count


class Adapter:
    """The chip, and the bus that leads to it."""

    def __init__(self, node: Path) -> None:
        self.node = node
        self.registers = bytearray(256)
        for register, data in RECORDED.items():
            self.registers[register:] = bytes.fromhex(data).ljust(256 - register, b"\0")
        self.at = 0
        self.slave = 0
        self.trouble = 0
        self.hangs = False
        self.waiting: list[Any] = []

    def ioctl(self, _handler: Any, client: Any) -> bool:
        if self.hangs and client.get_request() == I2C_RDWR:
            self.waiting.append(client)
        else:
            self._complete(client)
        return True

    def happen(self, word: str) -> None:
        """Let something happen to the bus."""
        hidden = self.node.with_name("pulled")
        if word == "pull":
            self.node.rename(hidden)
        elif word == "plug":
            hidden.rename(self.node)
        elif word == "hang":
            self.hangs = True
        else:
            self.trouble, self.hangs = getattr(errno, word, 0), False
            while self.waiting:
                self._complete(self.waiting.pop())

    def _complete(self, client: Any) -> None:
        try:
            client.complete(self._answer(client.get_request(), client.get_arg()), 0)
        except OSError as error:
            client.complete(-1, error.errno)

    def _answer(self, request: int, argument: Any) -> int:
        if request == I2C_FUNCS:
            argument.resolve(0, len(CAN)).update(0, CAN)
            return 0
        if request == I2C_SLAVE:
            self.slave = int.from_bytes(bytes(argument.retrieve()), sys.byteorder)
            if self.slave == CLOCK:
                raise OSError(errno.EBUSY, "")
            return 0
        if request == I2C_SMBUS:
            return self._smbus(argument.resolve(0, SMBUS.size))
        if request == I2C_RDWR:
            return self._transfer(argument.resolve(0, LIST.size))
        raise OSError(errno.ENOTTY, "")

    def _transfer(self, given: Any) -> int:
        count = LIST.unpack(bytes(given.retrieve()))[1]
        if count > MOST_MESSAGES:
            raise OSError(errno.EINVAL, "")
        messages = given.resolve(0, MESSAGE.size * count)
        fields = list(MESSAGE.iter_unpack(bytes(messages.retrieve())))
        if any(length > LONGEST_MESSAGE for _, _, length, _ in fields):
            raise OSError(errno.EINVAL, "")
        for n, (address, flags, length, _) in enumerate(fields):
            if address == HALF and flags & READ:
                return n
            if self.trouble or address not in (CHIP, HALF):
                raise OSError(self.trouble or FAULTS.get(address, errno.EREMOTEIO), "")
            pointer = (n + 1) * MESSAGE.size - struct.calcsize("P")
            self._message(messages.resolve(pointer, length), length, reads=bool(flags & READ))
        return len(fields)

    def _smbus(self, given: Any) -> int:
        """Look for the chip, by a write of nothing or by reading a byte."""
        _, _, size, _ = SMBUS.unpack(bytes(given.retrieve()))
        if self.slave != CHIP or self.trouble:
            raise OSError(self.trouble or FAULTS.get(self.slave, errno.ENXIO), "")
        if size == BYTE:
            given.resolve(SMBUS.size - struct.calcsize("P"), 1).update(0, self.registers[:1])
        elif size != QUICK:
            raise OSError(errno.EOPNOTSUPP, "")
        return 0

    def _message(self, buffer: Any, length: int, *, reads: bool) -> None:
        """Move bytes; the first that is written says with which register to go on."""
        if reads:
            buffer.update(0, (self.registers * 33)[self.at : self.at + length])
        else:
            self.at, *values = bytes(buffer.retrieve())
            self.registers[self.at : self.at + len(values)] = bytes(values)


def main(fifo: str, *command: str) -> int:
    bed, handler, loop = UMockdev.Testbed.new(), UMockdev.IoctlBase(), GLib.MainLoop()
    bed.add_from_string(DEVICE)
    root = bed.get_root_dir()
    adapter = Adapter(Path(root) / "dev/i2c-1")
    handler.connect("handle-ioctl", adapter.ioctl)
    bed.attach_ioctl("/dev/i2c-1", handler)
    Thread(target=loop.run, daemon=True).start()

    words = os.fdopen(os.open(fifo, os.O_RDWR))  # so opening does not wait, and reading not end
    adapter.happen(words.readline().strip())

    def listen() -> None:
        for word in words:
            GLib.idle_add(adapter.happen, word.strip())

    Thread(target=listen, daemon=True).start()
    status = subprocess.run(command, env=os.environ | {"UMOCKDEV_DIR": root}, check=False)
    return status.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
