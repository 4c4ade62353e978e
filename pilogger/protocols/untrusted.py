"""JSON from whoever sends some."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pilogger.errors import BadValue


def parse(body: bytes | str, number: Callable[[str], Any], whole: Callable[[str], Any]) -> Any:
    """Parse JSON of unknown origin, its numbers by these functions; NaN and its kin are floats.

    Raises:
        BadValue: it is none.
    """
    try:
        text = body if isinstance(body, str) else body.decode("utf-8-sig")
        return json.loads(text, parse_float=number, parse_int=whole, parse_constant=float)
    except UnicodeDecodeError as error:
        raise BadValue(f"the body is not UTF-8: byte {error.start}") from None
    except ValueError as error:
        raise BadValue(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadValue("the body is nested too deeply") from None
