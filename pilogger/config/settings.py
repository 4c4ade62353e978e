"""What comes out of a config: everything the agent needs, checked and frozen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pilogger.bus import Kind
from pilogger.config.durations import Age, Window
from pilogger.config.paths import File
from pilogger.config.sizes import Limit, Reserve
from pilogger.config.web import WebAddress
from pilogger.driver import Source
from pilogger.errors import PiloggerError
from pilogger.pipeline import Derivation, Treatment

HIDDEN = "***"


class Options(Mapping[str, Any]):
    """What a driver or destination is made with; shows names only, as some values are secret.

    `secret` are the names of those that the config has as a secret.
    """

    __slots__ = ("_secret", "_values")

    def __init__(self, values: Mapping[str, Any], secret: Collection[str] = ()) -> None:
        self._values = dict(values)
        self._secret = frozenset(secret)

    def shown(self) -> dict[str, Any]:
        """Return the values, with `***` for what is secret."""
        return self._values | dict.fromkeys(self._secret & self._values.keys(), HIDDEN)

    def hide(self, text: str) -> str:
        """Return a text without what is secret."""
        for name in self._secret:
            for secret in _texts(self._values.get(name)):
                text = text.replace(secret, HIDDEN)
        return text

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<options: {', '.join(self._values) or 'none'}>"


def _texts(value: object) -> Iterator[str]:
    """Return the texts in a value, but for empty ones."""
    if isinstance(value, str | Path):
        yield from filter(None, [str(value)])
    elif isinstance(value, Mapping):
        yield from _texts([*value.values()])
    elif isinstance(value, Iterable):
        for inner in value:
            yield from _texts(inner)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where readings are kept.

    Options:
        path: the SQLite file; a relative path starts at the config's folder.
        durability: the longest time whose readings a power cut can take, as in 10s; 0 for
            none, at the cost of one write to the card per reading.
        keep: is how long readings are kept, as in 2y; for ever by default. What a destination
            has not taken is kept longer.
        max_size: is what the store's files may take together, as in 4GB; no limit by default.
        when_full: is what happens at max_size, and when the disk has less left than min_free:
            drop_oldest lets the oldest readings go; thin lets them go too, but keeps their
            averages by 15 minutes, hour and day, also beyond keep; stop takes no new ones.
        min_free: is what is left to the system: from there on the store does not grow. Of a
            small disk it is a twentieth at most.
    """

    path: File = Path("/var/lib/pilogger/pilogger.db")
    durability: Window = 10.0
    keep: Age | None = None
    max_size: Limit | None = None
    when_full: Literal["drop_oldest", "thin", "stop"] = "drop_oldest"
    min_free: Reserve = 100_000_000


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """Whom to believe the time.

    Options:
        trust: ntp waits until the kernel says that its clock is synchronised; system takes
            the time as it is: for a machine with a clock chip, or without a network.
        unsynced: is for readings of a start that ended before the clock was right, so that
            their time is an estimate: hold keeps them here, send-marked sends them marked
            as estimated, drop sets them aside.
        http_date: is a web server to ask for the time, to about a second, while NTP does not
            come, as in https://example.org; it asks none by default.
    """

    trust: Literal["ntp", "system"] = "ntp"
    unsynced: Literal["hold", "send-marked", "drop"] = "hold"
    http_date: WebAddress | None = None


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """One configured driver; `every` and `deadline` are seconds.

    `kind` and `bus` say which bus to open; both are None for a driver that needs none.
    `wires` are the channels (`sensor.channel`) that the driver is compensated with, by the
    names of its parameters.
    """

    id: str
    driver: type
    options: Options
    kind: Kind | None
    bus: int | str | None
    every: float
    deadline: float
    raw: bool
    channels: Mapping[str, Treatment]
    derivations: tuple[Derivation, ...] = ()
    wires: Mapping[str, str] = field(default_factory=dict)
    aside: str = ""
    """Why it must not run; its driver was not loaded then."""

    @property
    def needs(self) -> set[str]:
        """The ids of the sensors that it is wired to."""
        inputs = [each for one in self.derivations for each in one.inputs.values() if "." in each]
        return {series.partition(".")[0] for series in [*self.wires.values(), *inputs]}

    def build(self, bus: object = None, **sources: Source) -> Any:
        """Make the driver, on an open bus if it needs one; does no I/O."""
        if self.kind is None:
            return self.driver(**self.options, **sources)
        return self.driver(bus=bus, **self.options, **sources)


@dataclass(frozen=True, slots=True)
class DestinationSettings:
    """One place to send readings to; its name keys what was sent already."""

    name: str
    type: type
    options: Options
    start: Literal["now", "all"]
    order: Literal["oldest_first", "live_first"]

    def build(self) -> Any:
        """Make the destination; does no I/O."""
        return self.type(**self.options)


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole config."""

    device: str
    sensors: tuple[SensorSettings, ...]
    destinations: tuple[DestinationSettings, ...]
    store: StoreSettings
    clock: ClockSettings
    driver_dirs: tuple[Path, ...]

    def sensor(self, id: str) -> SensorSettings:
        """Return one of the sensors.

        Raises:
            PiloggerError: there is none of that name; the text says which there are.
        """
        for sensor in self.sensors:
            if sensor.id == id:
                return sensor
        known = ", ".join(one.id for one in self.sensors) or "none"
        raise PiloggerError(f"no sensor is called {id!r}; the config has {known}")
