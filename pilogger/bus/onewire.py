"""The 1-wire seam: the kernel owns the bus, and shows each chip as a folder of files.

The Linux w1 subsystem searches the bus, keeps the timing and checks the CRC; a program
reads text files (Documentation/w1/ of the kernel). A read can take as long as the chip
measures, 750 ms for a DS18B20, and holds the bus meanwhile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pilogger.bus import Kind
from pilogger.errors import NoAnswer

DEVICES = "/sys/bus/w1/devices"


class Bus(Protocol):
    """Everything that a driver may ask of a 1-wire bus; each verb may raise NoAnswer."""

    def devices(self) -> list[str]:
        """List the chips by id, as in `28-00000a1b2c3d`: family, then serial number."""
        ...

    def read(self, device: str, file: str) -> str:
        """Return the text of one of the device's files; may block for a measurement."""
        ...


class KernelBus:
    """The 1-wire chips that the kernel shows in a folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def devices(self) -> list[str]:
        try:
            names = sorted(entry.name for entry in self.folder.iterdir())
        except FileNotFoundError as error:
            raise NoAnswer(
                f"there is no {self.folder}: switch 1-wire on with"
                " `sudo raspi-config nonint do_onewire 0` and restart"
            ) from error
        except OSError as error:
            raise NoAnswer(f"cannot list {self.folder}: {error.strerror}") from error
        return [name for name in names if not name.startswith("w1_bus_master")]

    def read(self, device: str, file: str) -> str:
        try:
            return (self.folder / device / file).read_text("ascii", "replace")
        except FileNotFoundError as error:
            raise NoAnswer(f"{device} is not on the 1-wire bus") from error
        except OSError as error:
            raise NoAnswer(f"{device} does not answer: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is held open."""


KIND = Kind("onewire", DEVICES, KernelBus)
