"""What a driver is, and where drivers are found.

A driver is a plain class. Its `__init__` says how it is configured and does no I/O, its
`read` says what it measures, and nothing else is required:

    class BH1750:
        def __init__(self, bus: i2c.Bus, address: int = 0x23) -> None: ...
        def start(self) -> None | Steps[None]: ...    optional: identify, reset, calibrate
        def read(self) -> Reading | Steps[Reading]: ...
        def watch(self, emit) -> None: ...            optional: report edges as they happen
        def close(self) -> None: ...                  optional
        def identify(bus, address) -> bool | None     optional, static, may be in steps: is it
                                                      this chip? None: it cannot be told
        state: Mapping[str, Any]                      optional: what must survive a restart

`start` and `read` may be generators: they yield the seconds that they must wait, and the
bus is free meanwhile. A driver whose channels depend on its options has a method
`channels()` and returns a mapping from `read`.

A parameter `temperature: Annotated[Source | None, Channel("Cel")] = None` asks for the latest
value of another sensor's channel, in that unit and range; the user wires it in YAML, under
`compensate`.

A `state` is a property that is read and set: a small mapping that JSON can hold, empty while
there is nothing to remember. It is set once, before the first `start`, to what it was before
the restart; a driver that cannot use that raises, and begins afresh. `state_lasts` on the class
are the seconds after which it is of no use; `state_exact = True` has it saved with each reading.
"""

from __future__ import annotations

import collections.abc
import importlib.util
import inspect
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from pilogger.bus import Kind, kind_of
from pilogger.channel import Channel, channels
from pilogger.errors import PiloggerError
from pilogger.sample import Value

GROUP = "pilogger.drivers"

T = TypeVar("T")
Steps = Generator[float, None, T]
"""A measurement in steps: yields seconds to wait, returns its result."""

Emit = Callable[[tuple[Any, ...] | Mapping[str, Value]], None]
"""What `watch` is given: call it with a reading when something happened."""

Source = Callable[[], float | None]
"""Gives the latest value of another sensor's channel; None if there is none that is fresh."""


def latest(source: Source | None) -> float | None:
    """Ask a source, if there is one."""
    return None if source is None else source()


class UnknownDriver(PiloggerError):
    """No driver of that name, or it cannot be loaded; the text says which."""


def available(folders: Iterable[Path] = ()) -> dict[str, str]:
    """List every driver: its name and where it comes from (an entry point or a file)."""
    found = {point.name: point.value for point in entry_points(group=GROUP)}
    for folder in folders:
        for file in sorted(folder.glob("[a-z]*.py")):
            found[file.stem] = str(file)
    return dict(sorted(found.items()))


def find(name: str, folders: Iterable[Path] = ()) -> type:
    """Load one driver class; nothing else is imported.

    A file `NAME.py` in a drop-in folder wins over an installed driver of that name.

    Raises:
        UnknownDriver: there is none, or importing it failed.
    """
    for folder in folders:
        if (file := folder / f"{name}.py").is_file():
            return _from_file(file)
    for point in entry_points(group=GROUP, name=name):
        try:
            driver = point.load()
        except Exception as error:  # a stranger's module may raise anything
            raise UnknownDriver(f"driver {name} cannot be imported: {error!r}") from error
        return _checked(driver, point.value)
    raise UnknownDriver(f"there is no driver {name!r}")


def _from_file(file: Path) -> type:
    """Load a drop-in driver; the same class again as long as its file is the same."""
    try:
        source = file.read_bytes()
    except OSError as error:
        raise UnknownDriver(f"{file} cannot be imported: {error!r}") from error
    if file not in _loaded or _loaded[file][0] != source:
        _loaded[file] = source, _load(file)
    return _loaded[file][1]


_loaded: dict[Path, tuple[bytes, type]] = {}


def _load(file: Path) -> type:
    spec = importlib.util.spec_from_file_location(f"pilogger_drivers.{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a stranger's file may raise anything
        del sys.modules[spec.name]
        raise UnknownDriver(f"{file} cannot be imported: {error!r}") from error
    return _only_driver(module, file)


def _only_driver(module: ModuleType, file: Path) -> type:
    drivers = [
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and hasattr(thing, "read")
    ]
    if len(drivers) != 1:
        raise UnknownDriver(f"{file} must hold one class with a read method, not {len(drivers)}")
    return _checked(drivers[0], str(file))


def _checked(driver: Any, origin: str) -> type:
    if not inspect.isclass(driver) or not callable(getattr(driver, "read", None)):
        raise UnknownDriver(f"{origin} is no driver: it is not a class with a read method")
    return driver


def options(driver: type) -> dict[str, inspect.Parameter]:
    """Return the driver's YAML options: its `__init__` parameters but for bus and sources.

    Annotations are resolved, so each parameter's `annotation` is a type.
    """
    hints = get_type_hints(driver.__init__, include_extras=True)  # type: ignore[misc]
    parameters = inspect.signature(driver).parameters.values()
    others = {"bus", *sources(driver)}
    return {
        p.name: p.replace(annotation=hints.get(p.name, Any))
        for p in parameters
        if p.name not in others and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def sources(driver: type) -> dict[str, Channel]:
    """Return what the driver wants to know from other sensors: its parameters of type `Source`.

    Each with the unit and the range in which it wants it.
    """
    hints = get_type_hints(driver.__init__, include_extras=True)  # type: ignore[misc]
    return {
        name: extra
        for name, hint in hints.items()
        if get_origin(hint) is Annotated and Source in get_args(get_args(hint)[0])
        for extra in get_args(hint)[1:]
        if isinstance(extra, Channel)
    }


def addresses(driver: type) -> Sequence[int]:
    """Return the I2C addresses that the chip can have; none if its driver does not say."""
    found: Sequence[int] = getattr(driver, "addresses", ())
    return found


def finish(result: Steps[T] | T, wait: Callable[[float], object]) -> T:
    """Run what `start`, `read` or `identify` returned to its end, with `wait` for its waits."""
    if not isinstance(result, Generator):
        return result
    while True:
        try:
            seconds = next(result)
        except StopIteration as stop:
            found: T = stop.value
            return found
        wait(seconds)


def bus_kind(driver: type) -> Kind | None:
    """Return the kind of bus that the driver asks for; None for one that needs no bus."""
    hints = get_type_hints(driver.__init__)  # type: ignore[misc]
    return kind_of(hints["bus"]) if "bus" in hints else None


def reading_type(driver: type) -> type:
    """Return what `read` returns, also if it measures in steps."""
    hints = get_type_hints(driver.read)  # type: ignore[attr-defined]
    if "return" not in hints:
        raise TypeError(f"{driver.__name__}.read does not say what it returns: annotate it")
    returned = hints["return"]
    if get_origin(returned) is collections.abc.Generator:
        returned = get_args(returned)[2]
    found: type = returned
    return found


def channels_of(driver: object) -> dict[str, Channel]:
    """Return the channels of a driver, by name.

    Given an instance whose channels depend on its options, asks it; otherwise they are
    the fields of its reading. A class whose channels depend on options has none yet.
    """
    if hasattr(driver, "channels"):
        return {} if inspect.isclass(driver) else dict(driver.channels())
    return channels(reading_type(driver if inspect.isclass(driver) else type(driver)))
