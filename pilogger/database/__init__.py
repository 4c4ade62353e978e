"""What TempoDB's API does, on any engine: the hub serves it, a client may use it on a file.

service.py   a request in, an answer out: which route, and what it does
reading.py   data sets: raw, rolled up, summed up, written as they are read
answered.py  requests that must not be done twice
"""

from pilogger.database.service import Answer, Database, Request

__all__ = ["Answer", "Database", "Request"]
