"""Any I2C sensor that has a library for CircuitPython, as Adafruit publishes them.

    motion:
      driver: circuitpython
      library: adafruit_icm20x.ICM20948
      parts: {acceleration: [x, y, z]}
      gives:
        x: {unit: m/s2, low: -160, high: 160, step: 0.001}
        y: {unit: m/s2, low: -160, high: 160, step: 0.001}
        z: {unit: m/s2, low: -160, high: 160, step: 0.001}

    pip install 'pilogger[circuitpython]' adafruit-circuitpython-icm20x

The library talks on pilogger's own bus; Blinka only lets it be imported. Other than a driver of
pilogger's, it keeps the bus while it waits for its chip, may give a value that it gave before, and
checks what its author checked. Each attribute may be a measurement of its own.
"""

# quality: bench

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pilogger.bus.busio import BusIO
from pilogger.bus.i2c import Bus
from pilogger.channel import Channel
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sample import Value


class CircuitPython:
    """Reads attributes of a library for CircuitPython, each a channel.

    Options:
        library: module and class, as in adafruit_tsl2591.TSL2591.
        gives: the channels, each with its unit (a UCUM code) and, if known, low, high and step;
            a channel is the attribute, or the method without arguments, of its name.
        parts: names for the parts of an attribute that has several, in their order, as in
            {acceleration: [x, y, z]}; each part is a channel.
        options: what the class takes besides the bus, as in {address: 0x39}.
        settings: attributes to set before the first reading, as in {gain: 16}.
        calls: methods to call after that, as in [start_ranging].
    """

    sensor: Any

    def __init__(
        self,
        bus: Bus,
        library: str,
        gives: dict[str, Channel],
        *,
        parts: dict[str, list[str]] | None = None,
        options: dict[str, Value] | None = None,
        settings: dict[str, Value] | None = None,
        calls: list[str] | None = None,
    ) -> None:
        self.bus = bus
        self.module, _, self.name = library.rpartition(".")
        if not self.module:
            raise ValueError(f"library is module and class, as in adafruit_x.X, not {library}")
        if not gives:
            raise ValueError("gives names no channel")
        self.gives = dict(gives)
        self.parts = dict(parts or {})
        named = {part for names in self.parts.values() for part in names}
        if unknown := named - gives.keys():
            raise ValueError(f"parts names {min(unknown)}, which gives does not have")
        self.attributes = [name for name in gives if name not in named]
        self.options = dict(options or {})
        self.settings = dict(settings or {})
        self.calls = list(calls or [])

    def channels(self) -> dict[str, Channel]:
        return self.gives

    def start(self) -> None:
        """Have the library find its chip and set it up.

        Raises:
            NoAnswer: the library is not installed, or nothing answers.
            BadReading: the library says that something is wrong; a strange chip, perhaps.
            WrongChip: it has no such class, option, setting or method.
        """
        kind, bus = self._imported(), BusIO(self.bus)
        try:
            inspect.signature(kind).bind(bus, **self.options)
        except TypeError as error:
            raise WrongChip(f"{self.name}: {error}") from error
        with self._translated():
            self.sensor = kind(bus, **self.options)
            self._know(*self.attributes, *self.parts, *self.settings, *self.calls)
            for name, value in self.settings.items():
                setattr(self.sensor, name, value)
            for name in self.calls:
                getattr(self.sensor, name)()

    def read(self) -> Mapping[str, Any]:
        """Ask for each attribute once.

        Raises:
            NoAnswer: nothing answers.
            BadReading: the library says that something is wrong, or an attribute has more or
                fewer parts.
        """
        values = {name: self._ask(name) for name in self.attributes}
        for name, parts in self.parts.items():
            found = self._ask(name)
            if not isinstance(found, tuple | list) or len(found) != len(parts):
                raise BadReading(f"{name} of {self.name} is {found!r}, not {len(parts)} parts")
            values |= zip(parts, found, strict=True)
        return values

    def _imported(self) -> Any:
        try:
            return getattr(importlib.import_module(self.module), self.name)
        except AttributeError as error:
            raise WrongChip(f"the module {self.module} has no {self.name}") from error
        except ModuleNotFoundError as error:
            raise NoAnswer(self._missing(error.name or "")) from error
        except Exception as error:  # Blinka raises what it likes on a machine it does not know
            raise NoAnswer(f"{self.module} cannot be imported: {error!r}") from error

    def _missing(self, module: str) -> str:
        package = "'pilogger[circuitpython]'"
        if self.module == module or self.module.startswith(f"{module}."):
            package += " " + module.replace("adafruit_", "adafruit-circuitpython-")
        return f"the Python module {module} is missing: `pip install {package}`"

    def _know(self, *names: str) -> None:
        known = dir(self.sensor)
        if unknown := [name for name in names if name not in known]:
            public = ", ".join(name for name in known if not name.startswith("_"))
            raise WrongChip(f"{self.name} has no {unknown[0]}; it has: {public}")

    def _ask(self, name: str) -> Any:
        with self._translated():
            found = getattr(self.sensor, name)
            return found() if callable(found) else found

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Sort what a library raises; another kind of error is a bug, and told as one."""
        try:
            yield
        except OSError as error:
            raise NoAnswer(str(error)) from error
        except (RuntimeError, ValueError) as error:
            raise BadReading(f"{self.name}: {error}") from error
