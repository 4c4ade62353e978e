"""Which series there are: by id, key, tags and attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import NamedTuple


class Info(NamedTuple):
    """What is known of a series: `id` is its number in the store, `uid` its name for ever.

    `unit` is a UCUM code; `bucket` is the bucket's key, or '' on a device.
    """

    id: int
    uid: str
    key: str
    unit: str
    bucket: str
    name: str
    tags: tuple[str, ...]
    attributes: dict[str, str]


INFO = """
SELECT series.id, series.uid, series.key, series.unit, coalesce(bucket.key, ''), series.name,
    series.tags, series.attributes
FROM series LEFT JOIN bucket ON bucket.id = series.bucket
WHERE NOT series.gone AND coalesce(bucket.account, '') = ?
"""


def find(
    db: Connection,
    account: str = "",
    *,
    bucket: str | None = None,
    ids: Sequence[str] = (),
    keys: Sequence[str] = (),
    tags: Sequence[str] = (),
    attributes: Mapping[str, str] | None = None,
) -> list[Info]:
    """Return the series that fit, by key: one of `ids` or `keys`, all `tags`, all `attributes`.

    What is not given does not choose. `bucket` is a bucket's key, '' where there is none.
    """
    where, given = [INFO], [account]
    if bucket is not None:
        where.append("coalesce(bucket.key, '') = ?")
        given.append(bucket)
    if ids or keys:
        chosen = "value FROM json_each(?)"
        where.append(f"(series.uid IN (SELECT {chosen}) OR series.key IN (SELECT {chosen}))")
        given += [json.dumps([*ids]), json.dumps([*keys])]
    for tag in tags:
        where.append("EXISTS (SELECT 1 FROM json_each(series.tags) WHERE value = ?)")
        given.append(tag)
    for name, value in (attributes or {}).items():
        where.append(
            "EXISTS (SELECT 1 FROM json_each(series.attributes) AS item"
            " WHERE item.key = ? AND item.value = ?)"
        )
        given += [name, value]
    rows = db.execute(" AND ".join(where) + " ORDER BY series.key, series.id", given)
    return [
        Info(id, uid, key, unit, bucket, name, tuple(json.loads(tags)), json.loads(attributes))
        for id, uid, key, unit, bucket, name, tags, attributes in rows
    ]
