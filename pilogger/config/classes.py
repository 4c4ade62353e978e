"""Names in a config -> the classes they stand for, and the shape of each one's settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from pilogger import destinations
from pilogger import driver as drivers
from pilogger.bus import Kind
from pilogger.config import shape
from pilogger.config.names import meant, show


class Unusable(Exception):
    """There is no such class, or it cannot be configured; the text is a sentence."""


class Found(NamedTuple):
    """A class, the shape of its settings, and a driver's kind of bus and channels.

    Without channels, they depend on the driver's options.
    """

    owner: type
    shape: type[shape.Shape]
    kind: Kind | None = None
    channels: Collection[str] = ()


class Classes:
    """Finds drivers and destinations; each is imported when it is named, and once."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = list(folders)
        self._drivers: dict[str, Found] = {}

    def driver(self, name: str) -> Found:
        """Find a driver.

        Raises:
            Unusable: there is none, or it is no driver.
        """
        if name not in self._drivers:
            self._drivers[name] = self._driver(name)
        return self._drivers[name]

    def _driver(self, name: str) -> Found:
        try:
            if not shape.ID.fullmatch(name):
                raise drivers.UnknownDriver(name)
            owner = drivers.find(name, self.folders)
        except drivers.UnknownDriver as error:
            known = drivers.available(self.folders)
            if name in known:
                raise Unusable(str(error)) from None
            raise Unusable(f"there is no driver {show(name)}{meant(name, known)}") from None
        try:
            kind, channels = drivers.bus_kind(owner), drivers.channels_of(owner)
            return Found(owner, shape.of_driver(owner), kind, channels)
        except Exception as error:  # a stranger's class may say anything about itself
            raise Unusable(f"cannot be used: {error!r}") from None

    def destination(self, name: str) -> Found:
        """Find a destination.

        Raises:
            Unusable: there is none of this type, or what it needs is not installed.
        """
        if name not in destinations.TYPES:
            near = meant(name, destinations.TYPES)
            raise Unusable(f"there is no destination of type {show(name)}{near}")
        try:
            owner = destinations.find(name)
        except ImportError as error:
            raise Unusable(f"cannot be imported: {error}") from None
        return Found(owner, shape.of_destination(owner))
