"""Some polls of a sensor, with every byte that went over its bus, as lines of JSON.

The first line says what was recorded; then each line is one event, with the seconds since
the beginning:

    {"at": 0.012, "do": "read"}                                           a call of the driver
    {"at": 0.012, "bus": "write", "with": [68, "fd"]}                     what it asked of its bus
    {"at": 0.013, "wait": 0.0083}                                         what it waited for
    {"at": 0.022, "bus": "read", "with": [68, 6], "gives": "66 66 ..."}
    {"at": 0.022, "gives": {"temperature": 25.0}}                         what came of the call

Where something failed, `fails` is the error and its text. Bytes are in hex. Pins cannot be
recorded, and a sensor without a bus has no traffic: then there are only the calls and what came
of them. `pilogger.testing.Recording` plays such a file back to a driver.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pilogger import __version__
from pilogger.config import SensorSettings
from pilogger.driver import finish

FORMAT = 1
KINDS = ("i2c", "onewire", "serial")
"""The kinds of bus whose traffic can be recorded."""
LONGEST_PAUSE_S = 10.0
MODEL = Path("/proc/device-tree/model")

Wait = Callable[[float], object]


class Recorder:
    """Writes events down, each as soon as it happened: a driver may hang in the next."""

    def __init__(self, write: Callable[[str], object], hide: Callable[[str], str]) -> None:
        self._write = write
        self._hide = hide
        self._began = time.monotonic()

    def line(self, **event: object) -> None:
        shown = _hidden(event, self._hide)
        self._write(json.dumps(shown, default=str, ensure_ascii=False) + "\n")

    def event(self, **event: object) -> None:
        self.line(at=round(time.monotonic() - self._began, 6), **event)

    def call(self, function: Callable[[], Any], shown: Callable[[Any], object], **what: Any) -> Any:
        """Call, and write down what came of it, and of what."""
        try:
            found = function()
        except Exception as error:
            self.event(**what, fails=f"{type(error).__name__}: {error}")
            raise
        gives = shown(found)
        self.event(**what, **({} if gives is None else {"gives": gives}))
        return found


class RecordedBus:
    """A bus of any kind whose verbs are written down as they are used."""

    def __init__(self, bus: Any, recorder: Recorder) -> None:
        self._bus = bus
        self._recorder = recorder

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        method = getattr(self._bus, verb)

        def recorded(*args: Any) -> Any:
            return self._recorder.call(
                lambda: method(*args), _shown, bus=verb, **({"with": [*map(_shown, args)]})
            )

        return recorded


def record(
    sensor: SensorSettings, polls: int, write: Callable[[str], object], wait: Wait = time.sleep
) -> int:
    """Poll a sensor some times, and write all that happens; return how many polls failed.

    Polls follow one another as in the config, but after 10 s at most. What the config has as
    a secret is not written.

    Raises:
        NoAnswer: the bus cannot be opened; that is written, too.
    """
    recorder = Recorder(write, sensor.options.hide)
    recorder.line(**_head(sensor))
    bus, close = _open(sensor, recorder)
    failed = 0
    started = False
    try:
        driver = sensor.build(bus)
        for poll in range(polls):
            if poll:
                wait(min(sensor.every, LONGEST_PAUSE_S))
            try:
                if not started and hasattr(driver, "start"):
                    _do(driver, "start", recorder, wait)
                started = True
                _do(driver, "read", recorder, wait)
            except Exception:  # it is in the recording, whatever it was
                failed += 1
                started = False
        if hasattr(driver, "close"):
            with suppress(Exception):  # the recording is what counts
                driver.close()
    finally:
        close()
    return failed


def _head(sensor: SensorSettings) -> dict[str, Any]:
    return {
        "recording": FORMAT,
        "pilogger": __version__,
        "driver": f"{sensor.driver.__module__}:{sensor.driver.__qualname__}",
        "options": sensor.options.shown(),
        "kind": sensor.kind and sensor.kind.name,
        "bus": sensor.bus,
        "machine": MODEL.read_text().strip("\0 \n") if MODEL.exists() else platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _open(sensor: SensorSettings, recorder: Recorder) -> tuple[Any, Callable[[], object]]:
    """Open the bus of a sensor, and return it, recorded if it can be, and what closes it."""
    kind = sensor.kind
    if kind is None:
        return None, int
    trunk = recorder.call(lambda: kind.open(kind.trunk(sensor.bus)), _nothing, do="open")
    bus = kind.branch(trunk, sensor.bus)
    return RecordedBus(bus, recorder) if kind.name in KINDS else bus, trunk.close


def _do(driver: Any, name: str, recorder: Recorder, wait: Wait) -> None:
    def waited(seconds: float) -> None:
        recorder.event(wait=seconds)
        wait(seconds)

    recorder.event(do=name)
    recorder.call(lambda: finish(getattr(driver, name)(), waited), _values)


def _hidden(value: object, hide: Callable[[str], str]) -> object:
    """Return a value with its texts changed, but for keys."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {key: _hidden(inner, hide) for key, inner in value.items()}
    return [_hidden(inner, hide) for inner in value] if isinstance(value, list | tuple) else value


def _values(reading: Any) -> object:
    if isinstance(reading, Mapping):
        return dict(reading)
    return reading._asdict() if hasattr(reading, "_asdict") else reading


def _nothing(_: object) -> None:
    """Show nothing of what was opened."""


def _shown(value: object) -> object:
    return value.hex(" ") if isinstance(value, bytes | bytearray) else value
