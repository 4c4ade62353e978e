"""The seam for whatever keeps series: the little that a hub asks of it.

SQLite is the engine that comes with pilogger (`SQLiteEngine`). Another one, that scales out
over machines, has to do the same things; `tests/engine_conformance.py` says which.

api.py      what an engine is
sqlite.py   the engine that comes with pilogger
"""

from pilogger.engine.api import Arrival, Engine, Entry, Info, Receipt, Recent
from pilogger.engine.sqlite import SQLiteEngine

__all__ = ["Arrival", "Engine", "Entry", "Info", "Receipt", "Recent", "SQLiteEngine"]
