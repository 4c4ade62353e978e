"""YAML -> typed, frozen settings, with every mistake at once.

    document   plain values that remember where they stood
    parser     YAML text -> a document
    files      opened only if they are files
    secrets    what `!secret` and `!env` stand for
    paths      relative ones start at the config's folder
    durations  `500ms`, `10s`, `5m` -> seconds
    channels   what is done to a channel, in order
    derive     channels that are calculated from others
    wiring     what of one sensor another one needs
    shape      which keys there are, and of what type; a driver's come from its `__init__`
    classes    the drivers and destinations that are named
    names      how messages call things
    words      what pydantic found -> sentences for a person
    reader     a document -> settings, each sensor and destination for itself
    load       all of it together
    settings   what comes out
    schema     the same shape as a JSON Schema, for editors

Whatever a file holds, reading it raises nothing but ConfigError.
"""

from __future__ import annotations

from pilogger.config.load import from_dict, load, loads, store_path
from pilogger.config.schema import schema
from pilogger.config.secrets import sealed
from pilogger.config.settings import (
    ClockSettings,
    DestinationSettings,
    Options,
    SensorSettings,
    Settings,
    StoreSettings,
)

__all__ = [
    "ClockSettings",
    "DestinationSettings",
    "Options",
    "SensorSettings",
    "Settings",
    "StoreSettings",
    "from_dict",
    "load",
    "loads",
    "schema",
    "sealed",
    "store_path",
]
