"""The wire format of TempoDB's API, both directions.

Source: the README of the Python client `tempodb` 0.5.0, what that client was seen to send,
and answers of the service that its vendor recorded for the tests of other clients. All
paths start with /v1 and end in a slash; a series goes by its id or by its key, which is
percent-encoded whole:

    series/                      POST {"key": k} makes one; GET and DELETE choose by filters
    series/id/{id}/              PUT its name, tags and attributes
    series/{id|key}/{ref}/data/  POST [{"t": time, "v": value}]; GET and DELETE a span
    series/{id|key}/{ref}/increment/   POST, as data
    data/  increment/            POST {"t": time, "data": [{"id" or "key", "v"}]}; GET data/
    multi/  multi/increment/     POST [{"t", "id" or "key", "v"}]

Times are ISO 8601; one without an offset is in UTC. Success is 200 and nothing else, its body
empty where there is nothing to tell; 207 has a status for each point.

addresses.py  paths and queries: which series are meant
points.py     what is written, and what is wrong with each point
series.py     what a series and a data set look like
body.py       JSON, in and out
"""

from __future__ import annotations

from pilogger.protocols.tempodb.addresses import (
    ALL,
    VERSION,
    Filters,
    decode_path,
    decode_query,
    encode_path,
    encode_query,
)
from pilogger.protocols.tempodb.body import dump, encode
from pilogger.protocols.tempodb.points import (
    NO_VALUE,
    Item,
    decode_bulk,
    decode_multi,
    decode_multistatus,
    decode_points,
    encode_bulk,
    encode_multi,
    encode_multistatus,
    encode_points,
)
from pilogger.protocols.tempodb.series import (
    KEY,
    MAX_KEY,
    Facts,
    Rollup,
    check_key,
    decode_new,
    decode_series,
    encode_dataset,
    encode_series,
)

__all__ = [
    "ALL",
    "IDEMPOTENCY_KEY",
    "KEY",
    "MAX_KEY",
    "NO_VALUE",
    "VERSION",
    "Facts",
    "Filters",
    "Item",
    "Rollup",
    "check_key",
    "decode_bulk",
    "decode_multi",
    "decode_multistatus",
    "decode_new",
    "decode_path",
    "decode_points",
    "decode_query",
    "decode_series",
    "dump",
    "encode",
    "encode_bulk",
    "encode_dataset",
    "encode_multi",
    "encode_multistatus",
    "encode_path",
    "encode_points",
    "encode_query",
    "encode_series",
]

IDEMPOTENCY_KEY = "Idempotency-Key"
"""Names a request, so that a repetition is answered and not done again. Not TempoDB's."""
