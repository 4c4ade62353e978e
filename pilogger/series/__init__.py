"""The read side of a store: what its series hold.

`find` tells which series there are, `History` reads them, raw or rolled up; `recent` and
`latest` are for a page that follows what is new.
"""

from pilogger.series.bounds import bounds
from pilogger.series.find import Info, find
from pilogger.series.history import History
from pilogger.series.live import Reading, Recent, Series, count, latest, recent
from pilogger.series.query import query

__all__ = [
    "History",
    "Info",
    "Reading",
    "Recent",
    "Series",
    "bounds",
    "count",
    "find",
    "latest",
    "query",
    "recent",
]
