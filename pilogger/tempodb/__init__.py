"""TempoDB's Python client, for a pilogger hub or a file of one's own.

Code that was written for the package `tempodb` 0.5.0 runs after its import line was changed:

    from pilogger.tempodb import Client, DataPoint

What is the same, what is better and what differs is told in `docs/tempodb.md`.

objects.py   what goes in and comes out: points, series, data sets
client.py    every call
asking.py    the question goes out, the answer is judged
remote.py    asks a hub over HTTP
local.py     asks a file
"""

from pilogger.tempodb.client import (
    API_HOST,
    API_PORT,
    API_VERSION,
    DATETIME_HANDLER,
    VALID_SERIES_KEY,
    Client,
    get_version,
)
from pilogger.tempodb.errors import TempoDBApiException, TempoDBNoAnswer
from pilogger.tempodb.objects import DataPoint, DataSet, DeleteSummary, Series, Summary

__all__ = [
    "API_HOST",
    "API_PORT",
    "API_VERSION",
    "DATETIME_HANDLER",
    "VALID_SERIES_KEY",
    "Client",
    "DataPoint",
    "DataSet",
    "DeleteSummary",
    "Series",
    "Summary",
    "TempoDBApiException",
    "TempoDBNoAnswer",
    "get_version",
]
