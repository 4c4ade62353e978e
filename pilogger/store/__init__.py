"""The SQLite store: a sample log that survives kill -9 and power cuts.

`Store` writes, `Outbox` lets a destination read what it has not had, `open_reader` is for
everyone else. The tables are described in `pilogger.store.schema`.
"""

from pilogger.store.batch import Batch, SetAside
from pilogger.store.connection import beside, open_reader
from pilogger.store.log import Store
from pilogger.store.outbox import Order, Outbox
from pilogger.store.owed import Policy
from pilogger.store.retention import Bounds, evicted, size
from pilogger.store.salvage import salvaged
from pilogger.store.spans import count_pending

__all__ = [
    "Batch",
    "Bounds",
    "Order",
    "Outbox",
    "Policy",
    "SetAside",
    "Store",
    "beside",
    "count_pending",
    "evicted",
    "open_reader",
    "salvaged",
    "size",
]
