"""The GPIO seam: gpiozero's devices on the pins of one pin factory.

A bus is a pin factory, by the name that gpiozero gives it: `lgpio` on a Pi, `mock` in
tests, or any other that is installed. All pins of a factory belong to one bus.
"""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from gpiozero import SPISoftwareFallback

from pilogger.bus import Kind
from pilogger.errors import NoAnswer

FACTORIES = "gpiozero_pin_factories"

D = TypeVar("D")


class SPI(Protocol):
    """A chip on the Pi's SPI pins."""

    def transfer(self, data: list[int]) -> list[int]:
        """Send bytes, and return those that came back meanwhile."""
        ...

    def close(self) -> None:
        """Free the pins."""
        ...


class Bus(Protocol):
    """Everything that a driver may ask of the pins."""

    def device(self, kind: type[D], pin: int, **options: Any) -> D:
        """Make a gpiozero device on a pin (BCM number); close it to free the pin.

        Raises:
            NoAnswer: there is no such pin, or something else uses it.
        """
        ...

    def spi(self, select: int) -> SPI:
        """Open the chip at SPI0's select line CE0 or CE1; close it to free the pins.

        Raises:
            NoAnswer: the pins are used by something else.
        """
        ...


class PinBus:
    """The pins of a gpiozero pin factory."""

    def __init__(self, factory: Any) -> None:
        self.factory = factory

    def device(self, kind: type[D], pin: int, **options: Any) -> D:
        try:
            return kind(pin, pin_factory=self.factory, **options)  # type: ignore[call-arg]
        except Exception as error:  # each pin library has exceptions of its own
            raise NoAnswer(f"GPIO{pin} cannot be used: {error}") from error

    def spi(self, select: int) -> SPI:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", SPISoftwareFallback)  # on pins that are not ours
                found: SPI = self.factory.spi(port=0, device=select, shared=True)
        except Exception as error:  # each pin library has exceptions of its own
            raise NoAnswer(
                f"SPI0 CE{select} cannot be used ({error}): switch SPI on with"
                " `sudo raspi-config nonint do_spi 0`"
            ) from error
        return found

    def close(self) -> None:
        self.factory.close()


def open(name: str) -> PinBus:
    """Open a pin factory by the name that gpiozero knows it by.

    Raises:
        NoAnswer: with the remedy, when this machine has no such pins.
    """
    for point in entry_points(group=FACTORIES, name=name):
        try:
            return PinBus(point.load()())
        except ImportError as error:
            raise NoAnswer(
                f"GPIO needs the Python module {error.name}: on a Pi `sudo apt install"
                f" python3-{error.name}`, in a venv that sees system packages"
            ) from error
        except Exception as error:  # each pin library has exceptions of its own
            raise NoAnswer(f"this machine has no usable GPIO ({name}): {error}") from error
    raise NoAnswer(f"gpiozero has no pin factory {name!r}")


KIND = Kind("gpio", "lgpio", open)
