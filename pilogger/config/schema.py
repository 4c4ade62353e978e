"""The shape of a config as a JSON Schema, so that editors complete, explain and check.

Unlike reading a config, this imports every driver and destination.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import PydanticOmit, core_schema

from pilogger import destinations
from pilogger import driver as drivers
from pilogger.config import shape, sizes
from pilogger.config.durations import EXAMPLES
from pilogger.docstrings import descriptions, summary

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Json = dict[str, Any]


def schema(folders: Iterable[Path] = ()) -> Json:
    """Return the JSON Schema (draft 2020-12) of a config, with the options of every driver.

    `folders` are those with drivers of one's own. A driver that cannot be imported here is
    named, but its options are not.
    """
    sensors = _sensors(list(folders))
    places = {name: shape.of_destination(destinations.find(name)) for name in destinations.TYPES}
    models: list[type[shape.Shape]] = [shape.Config, *sensors.values(), *places.values()]
    refs, found = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], schema_generator=_Generator
    )
    parts: Json = found["$defs"]
    top = parts.pop(refs[shape.Config, "validation"]["$ref"].rpartition("/")[2])
    top["properties"]["sensors"] |= {
        "additionalProperties": _choice("driver", sensors, refs),
        "propertyNames": {"pattern": f"^{shape.ID.pattern}$"},
    }
    top["properties"]["destinations"]["items"] = _choice("type", places, refs)
    return {"$schema": DIALECT, **top, "title": "pilogger", "$defs": dict(sorted(parts.items()))}


def _sensors(folders: list[Path]) -> dict[str, type[shape.Shape]]:
    found: dict[str, type[shape.Shape]] = {}
    for name in drivers.available(folders):
        found[name] = shape.AnySensor
        with suppress(Exception):  # a stranger's module may raise anything
            found[name] = shape.of_driver(drivers.find(name, folders))
    return found


def _choice(key: str, models: Mapping[str, type[shape.Shape]], refs: Mapping[Any, Any]) -> Json:
    """Let the value of one key decide on the rest, in a way that editors follow."""
    return {
        "type": "object",
        "required": [key],
        "properties": {
            key: {"oneOf": [{"const": n, "description": m.__doc__} for n, m in models.items()]}
        },
        "allOf": [
            {
                "if": {"properties": {key: {"const": name}}, "required": [key]},
                "then": refs[model, "validation"],
            }
            for name, model in models.items()
        ],
    }


class _Generator(GenerateJsonSchema):
    """Takes descriptions from docstrings, and leaves out what an editor has no use for."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> Json:
        found = super().dataclass_schema(schema)
        found["description"] = summary(schema["cls"])
        found["additionalProperties"] = False  # pydantic before 2.12 does not say so
        for name, text in descriptions(schema["cls"]).items():
            found["properties"][name]["description"] = text
        return found

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Json:
        """Write durations and sizes as people do, and no infinity, which JSON does not have."""
        found = super().default_schema(schema)
        if "default" in found and found.get("examples") == EXAMPLES:
            found["default"] = f"{found['default']:g}s"
        elif "default" in found and found.get("examples") == sizes.EXAMPLES:
            found["default"] = sizes.write(found["default"])
        elif schema.get("default") in (math.inf, -math.inf):
            del found["default"]
        return found

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> Json:  # noqa: ARG002
        """Leave out an option whose type YAML cannot express."""
        raise PydanticOmit
