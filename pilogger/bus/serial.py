"""The serial seam: bytes that go out, and those that have come in; nothing ever waits.

What a sensor sends while nobody listens is kept by the kernel until its buffer is full, and the
newest is lost then: a driver forgets what is old, yields, and takes what has come meanwhile.
"""

from __future__ import annotations

from typing import Any, Protocol

from pilogger.bus import Kind
from pilogger.errors import NoAnswer

BAUD = 9600  # 8 bits, no parity, one stop bit: what sensors speak


class Bus(Protocol):
    """Everything that a driver may ask of a serial port; each verb may raise NoAnswer."""

    def speed(self, baud: int) -> None:
        """Speak so many bits a second from now on; it is 9600 at first."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def read(self) -> bytes:
        """Return what has come in since the last time, which may be nothing."""
        ...


class PortBus:
    """A port of `pyserial`."""

    def __init__(self, port: Any, device: str, failure: type[Exception]) -> None:
        self.port = port
        self.device = device
        self.failures = (OSError, failure)

    def speed(self, baud: int) -> None:
        try:
            self.port.baudrate = baud
        except (ValueError, *self.failures) as error:
            raise NoAnswer(f"{self.device} cannot speak {baud} baud: {error}") from error

    def write(self, data: bytes) -> None:
        try:
            self.port.write(data)
        except self.failures as error:
            raise NoAnswer(f"cannot write to {self.device}: {error}") from error

    def read(self) -> bytes:
        try:
            return bytes(self.port.read(self.port.in_waiting))
        except self.failures as error:
            raise NoAnswer(f"cannot read from {self.device}: {error}") from error

    def close(self) -> None:
        self.port.close()


def open(device: str) -> PortBus:
    """Open a port by its path, for nobody else meanwhile.

    Raises:
        NoAnswer: with the remedy, when there is no such port or it may not be used.
    """
    try:
        from serial import Serial, SerialException
    except ImportError as error:
        raise NoAnswer(
            "serial ports need the Python module serial: `pip install 'pilogger[serial]'`"
        ) from error

    try:
        port = Serial(device, BAUD, timeout=0, write_timeout=1, exclusive=True)
    except (OSError, ValueError) as error:
        raise NoAnswer(remedy(error, device)) from error
    return PortBus(port, device, SerialException)


def remedy(error: Exception, device: str) -> str:
    """Say why a port cannot be opened, and what to do about it."""
    match getattr(error, "errno", None):
        case 2:
            return (
                f"there is no {device}: switch the serial port on, and its console off, with"
                " `sudo raspi-config`, or plug the adapter in"
            )
        case 13:
            return (
                f"may not open {device}: add the user to group dialout,"
                " `sudo usermod -aG dialout $USER`"
            )
        case 11:
            return f"{device} is used by another program"
    return f"cannot open {device}: {error}"


KIND = Kind("serial", "/dev/serial0", open)
