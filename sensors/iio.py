"""Any sensor that the kernel reads: IIO and hwmon devices, by their files in sysfs.

    air: {driver: iio, device: dht11@0, files: [in_temp_input, in_humidityrelative_input]}
    fan: {driver: iio, device: pwmfan, files: [fan1_input]}

A DHT11, DHT22 or AM2302 is read this way, because no program can time its pulses well: with
`dtoverlay=dht11,gpiopin=4` in config.txt the kernel does it. It fails now and then, which costs a
poll, and must not be asked more often than each 2 s.

Sources: Documentation/ABI/testing/sysfs-bus-iio and Documentation/hwmon/sysfs-interface.rst of
the kernel, whose units are those below.
"""

# quality: bench

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from pilogger.channel import Channel
from pilogger.errors import BadReading, NoAnswer, WrongChip

FOLDERS = "sys/bus/iio/devices", "sys/class/hwmon"
IIO_FILE = re.compile(r"in_(?P<name>(?P<kind>[a-z]+)[0-9]*(_[a-z0-9_]+)?)_(?P<form>input|raw)")
HWMON_FILE = re.compile(r"(?P<name>(?P<kind>[a-z]+)[0-9]+)_input")

# A channel, and how many of the kernel's units make one of its own.
IIO_KINDS: dict[str, tuple[Channel, float]] = {
    "temp": (Channel("Cel", -273.15, 2000, step=0.001), 1000),
    "humidityrelative": (Channel("%", 0, 100, step=0.001), 1000),
    "pressure": (Channel("Pa", 0, step=0.01), 0.001),
    "illuminance": (Channel("lx", 0, step=0.001), 1),
    "voltage": (Channel("V", step=1e-6), 1000),
    "current": (Channel("A", step=1e-6), 1000),
    "power": (Channel("W", step=1e-6), 1000),
    "resistance": (Channel("Ohm", 0, step=0.001), 1),
    "distance": (Channel("m", 0, step=1e-4), 1),
    "proximity": (Channel("1"), 1),
    "accel": (Channel("m/s2", step=1e-5), 1),
    "anglvel": (Channel("deg/s", step=1e-5), math.radians(1)),
    "magn": (Channel("uT", step=1e-4), 0.01),
    "concentration": (Channel("[ppm]", 0, step=0.001), 1e-4),
    "count": (Channel("1"), 1),
}
HWMON_KINDS: dict[str, tuple[Channel, float]] = {
    "temp": (Channel("Cel", -273.15, 2000, step=0.001), 1000),
    "humidity": (Channel("%", 0, 100, step=0.001), 1000),
    "in": (Channel("V", step=0.001), 1000),
    "curr": (Channel("A", step=0.001), 1000),
    "power": (Channel("W", step=1e-6), 1_000_000),
    "fan": (Channel("1", 0), 1),
    "freq": (Channel("Hz", 0), 1),
}


class Input:
    """One file, its channel, and what its numbers mean."""

    def __init__(self, file: str) -> None:
        found = IIO_FILE.fullmatch(file) or HWMON_FILE.fullmatch(file)
        kinds = IIO_KINDS if file.startswith("in_") else HWMON_KINDS
        if not found or found["kind"] not in kinds:
            raise ValueError(f"{file} is no input; those are like in_temp_input or temp1_input")
        self.file = file
        self.name = found["name"]
        self.kind = found["kind"]
        self.is_raw = file.endswith("_raw")
        self.channel, self.per_unit = kinds[self.kind]

    def read(self, folder: Path) -> float:
        value = _number(folder / self.file)
        if self.is_raw:
            value += self._beside(folder, "offset", 0)
            value *= self._beside(folder, "scale", 1)
        return value / self.per_unit

    def _beside(self, folder: Path, what: str, usual: float) -> float:
        """Find a number for this input, or the one for all of its kind."""
        for name in (self.name, self.kind):
            if (file := folder / f"in_{name}_{what}").exists():
                return _number(file)
        return usual


class IIO:
    """Reads inputs of one of the kernel's own sensor devices, IIO or hwmon.

    Options:
        device: what the file `name` in its folder says, or the folder's name, as in iio:device0.
        files: those in its folder to read, as in_temp_input, in_voltage0_raw or temp1_input; each
            becomes a channel: temp, voltage0, temp1.
        root: where the machine's file system is found; in a container perhaps /host.
    """

    folder: Path

    def __init__(self, device: str, files: Sequence[str], root: str = "/") -> None:
        if not files:
            raise ValueError("files names no file")
        self.device = device
        self.inputs = [Input(file) for file in files]
        self.root = Path(root)

    def channels(self) -> dict[str, Channel]:
        return {one.name: one.channel for one in self.inputs}

    def start(self) -> None:
        """Find the device.

        Raises:
            NoAnswer: the kernel has none of that name; the text lists those that it has.
            WrongChip: it has several.
        """
        folders = [one for folder in FOLDERS for one in sorted((self.root / folder).glob("*"))]
        names = {folder: _name(folder) for folder in folders}
        found = [folder for folder in folders if self.device in (names[folder], folder.name)]
        if not found:
            present = ", ".join(sorted({name for name in names.values() if name})) or "none"
            raise NoAnswer(f"the kernel has no sensor device {self.device}; it has: {present}")
        if len(found) > 1:
            which = ", ".join(folder.name for folder in found)
            raise WrongChip(
                f"several devices are named {self.device}; set device to one of: {which}"
            )
        self.folder = found[0]

    def read(self) -> dict[str, float]:
        """Read all of them, one after another.

        Raises:
            NoAnswer: the kernel could not read the sensor, or it is gone.
            BadReading: a file has no number.
        """
        try:
            return {one.name: one.read(self.folder) for one in self.inputs}
        except OSError as error:
            raise NoAnswer(f"cannot read {error.filename}: {error.strerror}") from error


def _name(folder: Path) -> str:
    try:
        return (folder / "name").read_text().strip()
    except OSError:
        return ""


def _number(file: Path) -> float:
    text = file.read_text(errors="replace").strip()
    try:
        return float(text)
    except ValueError:
        raise BadReading(f"{file} has no number: {text[:40]!r}") from None
