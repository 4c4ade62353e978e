"""A document -> settings; each sensor and destination is judged for itself.

So a mistake in one of them hides none in another. What a class says about its options is
checked by its signature, and then by making one, which does no I/O.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pilogger import driver as drivers
from pilogger.bus import Kind
from pilogger.config import shape
from pilogger.config.channels import treatment
from pilogger.config.classes import Classes, Found, Unusable
from pilogger.config.derive import derivations
from pilogger.config.document import Document
from pilogger.config.names import Secret, Trail, meant
from pilogger.config.paths import Folder
from pilogger.config.settings import DestinationSettings, Options, SensorSettings, Settings
from pilogger.config.wiring import Wiring
from pilogger.config.words import findings
from pilogger.errors import ConfigError, Mistake

if TYPE_CHECKING:  # it brings the store along
    from pilogger.suspects import Suspects

S = TypeVar("S", bound=shape.Shape)
HIDDEN = 4  # characters from which a text of a destination is taken for a secret
KILLS = (
    "pilogger died each time its driver was loaded; "
    "that is tried again at the next reload or restart"
)
SAME_NAME = "a destination before it has the same name: give it a name of its own"


class Reader:
    """Reads one document; relative paths start at `folder`.

    `suspects` are told which driver is loaded, and tell which must not be.
    """

    def __init__(self, document: Document, folder: Path, suspects: Suspects | None = None) -> None:
        self.document = document
        self.suspects = suspects
        self.context = {"folder": folder}
        self.classes = Classes(self._folders())
        self._steps: dict[tuple[str, str], list[Trail]] = {}  # where each is written
        self.wiring = Wiring(_dict(self._at(("sensors",))))

    def settings(self, elsewhere: list[Mistake]) -> Settings:
        """Return the settings.

        Raises:
            ConfigError: with every mistake, in the order of the file, then those elsewhere.
        """
        top = self._shaped(shape.Config, ())
        sensors = self._sensors(list(_dict(self._at(("sensors",)))))
        places = [self._destination(at) for at, _ in enumerate(_list(self._at(("destinations",))))]
        self._check_names()
        self.wiring.check(self._tell)
        mistakes = sorted(self.document.mistakes, key=lambda mistake: mistake[1:3])
        if mistakes or elsewhere or top is None:
            raise ConfigError(mistakes + elsewhere)
        return Settings(
            top.device,
            tuple(sensor for sensor in sensors if sensor),
            tuple(place for place in places if place),
            top.store,
            top.clock,
            tuple(top.driver_dirs),
        )

    def store_path(self, elsewhere: list[Mistake]) -> Path:
        """Return where the store is; mistakes in the rest do not count.

        Raises:
            ConfigError: it is not there to be read.
        """
        if found := self._shaped(shape.AnyConfig, ()):
            return found.store.path
        raise ConfigError(self.document.mistakes + elsewhere)

    def _sensors(self, ids: list[str]) -> list[SensorSettings | None]:
        """Read them one by one, on our guard against drivers that end the process."""
        if (suspects := self.suspects) is None:
            return [self._sensor(id) for id in ids]
        parts = {id: f"driver {_dict(self._at(('sensors', id))).get('driver')}" for id in ids}
        suspects.watch(list(dict.fromkeys(parts.values())))
        found = []
        for id, part in parts.items():
            if suspects.aside(part):
                found.append(self._left_out(id))
            else:
                with suspects.inside(part):
                    found.append(self._sensor(id))
        return found

    def _left_out(self, id: str) -> SensorSettings | None:
        shaped = self._shaped(shape.AnySensor, ("sensors", id))
        found = Found(object, shape.AnySensor)
        return _sensor_settings(id, found, shaped, aside=KILLS) if shaped else None

    def _sensor(self, id: str) -> SensorSettings | None:
        trail: Trail = ("sensors", id)
        if not shape.ID.fullmatch(id):
            what = "an id is 1 to 100 of the letters a to z, digits, _ and -"
            self._tell(trail, what, of_key=True)
        found = self._found(trail, "driver", self.classes.driver)
        shaped = self._shaped(found.shape if found else shape.AnySensor, trail)
        if found is None:
            return None
        given = dict.fromkeys(found.channels)
        sensor = None
        if isinstance(shaped, shape.BusSensor) and found.kind and shaped.bus is not None:
            self._check_bus(found.kind, shaped.bus, trail)
        if isinstance(shaped, shape.Sensor) and self.document.intact(trail):
            treated = _sensor_settings(id, found, shaped, secret=self._secret(trail))
            sensor = self._treated(treated, shaped, trail)
            given = self._built(sensor, trail, drivers.channels_of) or given
            self.wiring.add(sensor, given, self._steps, self._tell)
        names = [*given, *_dict(self._at((*trail, "derive")))]
        for name in _dict(self._at((*trail, "channels"))):
            if given and name not in names:
                near = meant(name, names) or f"; there are: {', '.join(names)}"
                self._tell((*trail, "channels", name), f"unknown channel{near}", of_key=True)
        return sensor

    def _check_bus(self, kind: Kind, name: int | str, trail: Trail) -> None:
        try:
            kind.trunk(name)
        except ValueError as error:
            self._tell((*trail, "bus"), self._masked(str(error), trail))

    def _treated(
        self, sensor: SensorSettings, shaped: shape.Sensor, trail: Trail
    ) -> SensorSettings:
        """Add what is done to its channels, what is derived from them, and what it is wired to."""
        treatments = {}
        for name, given in shaped.channels.items():
            place = (*trail, "channels", name)
            written = _dict(self._at(place))
            treatments[name], self._steps[sensor.id, name] = treatment(
                given, written, place, self._tell
            )
        derived = tuple(derivations(shaped.derive, _dict(self._at((*trail, "derive")))))
        return replace(
            sensor,
            channels=MappingProxyType(treatments),
            derivations=derived,
            wires=MappingProxyType(shape.wires(shaped)),
        )

    def _destination(self, at: int) -> DestinationSettings | None:
        trail: Trail = ("destinations", at)
        found = self._found(trail, "type", self.classes.destination)
        shaped = self._shaped(found.shape if found else shape.AnyDestination, trail)
        if found is None or not isinstance(shaped, shape.Destination):
            return None
        if not self.document.intact(trail):
            return None
        name, options = shaped.name or shaped.type, Options(shape.options(shaped))
        place = DestinationSettings(name, found.owner, options, shaped.start, shaped.order)
        self._built(place, trail, lambda built: built.close())
        return place

    def _check_names(self) -> None:
        seen: set[str] = set()
        for at, value in enumerate(_list(self._at(("destinations",)))):
            trail: Trail = ("destinations", at)
            name = _dict(value).get("name") or _dict(value).get("type")
            if isinstance(name, str) and name in seen:
                self._tell((*trail, "name") if "name" in value else trail, SAME_NAME)
            seen.add(str(name))

    def _found(self, trail: Trail, key: str, find: Callable[[str], Found]) -> Found | None:
        """Find the class that a sensor or destination names; the shape tells if it names none."""
        name = _dict(self._at(trail)).get(key)
        if isinstance(name, str):
            try:
                return find(name)
            except Unusable as error:
                self._tell((*trail, key), str(error))
        return None

    def _built(
        self, part: SensorSettings | DestinationSettings, trail: Trail, use: Callable[[Any], Any]
    ) -> Any:
        """Make a driver or destination and use it, or tell what it says against it."""
        try:
            return use(part.build())
        except (ValueError, TypeError) as error:
            self._tell(trail, self._masked(str(error), trail))
        except Exception as error:  # a stranger's class may raise anything
            self._tell(trail, self._masked(f"cannot be used: {error!r}", trail))
        return None

    def _shaped(self, model: type[S], trail: Trail) -> S | None:
        """Fit a value to a shape, or tell every reason why it does not."""
        value = self._at(trail)
        try:
            return model.model_validate_json(json.dumps(value), context=self.context)
        except ValidationError as error:
            for found in findings(error, model, value):
                what = self._masked(found.what, trail) if found.foreign else found.what
                self._tell(trail + found.trail, what, of_key=found.of_key)
        except Exception as error:  # a stranger's type may raise anything
            self._tell(trail, self._masked(f"cannot be used: {error!r}", trail))
        return None

    def _tell(self, trail: Trail, what: str, *, of_key: bool = False) -> None:
        place = self.document.keys.get(trail) if of_key else None
        self.document.mistake(trail, what, place)

    def _masked(self, sentence: str, trail: Trail) -> str:
        """Hide in someone else's sentence what may be secret, and put it on one line."""
        for text in _texts(self._at(trail)):
            literal = trail[:1] == ("destinations",) and len(text) >= HIDDEN
            if text and (literal or isinstance(text, Secret)):
                for form in (str(text), repr(str(text))[1:-1]):
                    sentence = sentence.replace(form, "***")
        return " ".join(sentence.split())

    def _secret(self, trail: Trail) -> list[str]:
        """Return the keys whose values are or hold secrets."""
        return [
            key
            for key, value in _dict(self._at(trail)).items()
            if any(isinstance(text, Secret) for text in _texts(value))
        ]

    def _at(self, trail: Trail) -> Any:
        value = self.document.value
        for step in trail:
            value = _dict(value).get(step) if isinstance(step, str) else _list(value)[step]
        return value

    def _folders(self) -> Iterator[Path]:
        """Look for drivers wherever there are some, whatever else is wrong."""
        adapter: TypeAdapter[Path] = TypeAdapter(Folder)
        for folder in _list(self._at(("driver_dirs",))):
            with suppress(ValidationError):
                yield adapter.validate_python(folder, context=self.context)


def _dict(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in _dict(value).values() if isinstance(value, dict) else _list(value):
        yield from _texts(inner)


def _sensor_settings(
    id: str, found: Found, shaped: shape.Sensor, aside: str = "", secret: Collection[str] = ()
) -> SensorSettings:
    bus = getattr(shaped, "bus", None)
    return SensorSettings(
        id,
        found.owner,
        Options(shape.options(shaped), secret),
        found.kind,
        found.kind.default if found.kind and bus is None else bus,
        shaped.every,
        shaped.deadline,
        shaped.raw,
        MappingProxyType({}),
        aside=aside,
    )
