"""What `pilogger record` wrote, played back to a driver."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pilogger import errors
from pilogger.testing.buses import run
from pilogger.testing.scripts import Script, ScriptedBus, ScriptedOneWire, ScriptedPort


class Recording:
    """A file of `pilogger record`: `about` is its first line, `outcomes` what each call gave.

    `play(SHT4x)` makes the driver, has it do what was recorded, and returns what each call
    gives now: None for a start, the values of a reading, or an error as text. It ends the
    test where the driver asks something else of its bus than was recorded.
    """

    def __init__(self, file: Path) -> None:
        self.about, *events = map(json.loads, file.read_text().splitlines())
        self.calls = [event["do"] for event in events if event.get("do", "open") != "open"]
        self.outcomes = [_outcome(it) for it in events if not {"do", "bus", "wait"} & it.keys()]
        self._steps = [self._step(event) for event in events if "bus" in event]

    def bus(self) -> Script:
        """Return the bus of the recording, which answers as it did then."""
        kinds = {"i2c": ScriptedBus, "onewire": ScriptedOneWire, "serial": ScriptedPort}
        return kinds[self.about["kind"]](*self._steps)

    def play(self, driver: Callable[..., Any], **options: object) -> list[object]:
        """Play it to a driver; `options` go before those of the recording."""
        bus = self.bus()
        made = driver(bus, **self.about["options"] | options)
        found = [self._do(getattr(made, call)) for call in self.calls]
        bus.done()
        return found

    def _do(self, method: Callable[[], Any]) -> object:
        try:
            result, _ = run(method())
        except AssertionError:
            raise
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return dict(result) if isinstance(result, Mapping) else result and result._asdict()

    def _step(self, event: Mapping[str, Any]) -> tuple[Any, ...]:
        verb, given = event["bus"], event["with"]
        if self.about["kind"] == "i2c" and verb != "write":
            given = given[:-1]  # the length, which the answer tells
        step = (verb, *map(self._plain, given))
        if "fails" in event:
            name, _, text = event["fails"].partition(": ")
            return *step, getattr(errors, name, RuntimeError)(text)
        return (*step, self._plain(event["gives"])) if "gives" in event else step

    def _plain(self, value: object) -> object:
        is_hex = isinstance(value, str) and self.about["kind"] != "onewire"
        return bytes.fromhex(str(value)) if is_hex else value


def _outcome(event: Mapping[str, Any]) -> object:
    return event.get("fails", event.get("gives"))
