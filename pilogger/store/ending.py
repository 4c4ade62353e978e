"""How the process before us left a store."""

from __future__ import annotations

import logging
from pathlib import Path
from sqlite3 import Connection

from pilogger.store.schema import WALL
from pilogger.words import moment

log = logging.getLogger("pilogger.store")

NEWEST = f"""SELECT coalesce(
    (SELECT {WALL} FROM sample JOIN segment ON segment.id = segment ORDER BY seq DESC LIMIT 1),
    (SELECT max(newest) FROM source))"""


def tell(path: Path, db: Connection) -> None:
    """Say up to where a store that was not closed has readings."""
    (newest,) = db.execute(NEWEST).fetchone()
    until = "there is no reading in it"
    if newest is not None:
        until = f"its newest reading is of {moment(newest / 1e6)}"
    log.info("%s was not closed: the power failed, or pilogger was killed; %s", path, until)
