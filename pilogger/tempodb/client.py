"""Every call of TempoDB's client 0.5.0, as its README describes it.

The README's word on failures is an `{"error": ...}` that is returned; here they are raised.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from pilogger.errors import BadValue
from pilogger.protocols import tempodb as wire
from pilogger.protocols.tempodb import Filters
from pilogger.tempodb.asking import Asker
from pilogger.tempodb.local import Local
from pilogger.tempodb.objects import DataPoint, DataSet, DeleteSummary, Series
from pilogger.tempodb.remote import Remote

API_HOST = "api.tempo-db.com"
"""Where the service was; it is gone, so name a hub."""
API_PORT = 443
API_VERSION = wire.VERSION
VALID_SERIES_KEY = f"^{wire.KEY.pattern}$"
"""What the original let through as a key; here every printable text is a key."""

Names = str | Iterable[str] | None


def get_version() -> str:
    """Return the version of the client whose calls these are."""
    return "0.5.0"


def DATETIME_HANDLER(found: object) -> str | None:  # noqa: N802 - the original's name
    """Write a time for `json.dumps(default=...)`; None for everything else."""
    return found.isoformat() if isinstance(found, datetime) else None


class Client:
    """All series of an account: of a hub, or with `Client.open` of a file.

    `key` and `secret` are the account's, `secure` means https. `pool_connections` and
    `pool_maxsize` bound the connections that are kept. The server may be silent for `timeout`
    seconds; a call is repeated up to `retries` times while it has trouble or does not answer.

    Every call raises:
        TempoDBApiException: the server refused, with its words; of a write that was partly
            done, `failed` tells which points were refused and why.
        TempoDBNoAnswer: the server did not answer; it is a requests.ConnectionError too.
        BadValue: what was given cannot be sent; it is a ValueError too.
        StoreError: a file's, where that cannot be read or written.

    Times are datetimes, or dates for their midnight; without a time zone they are in UTC.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        host: str = API_HOST,
        port: int = API_PORT,
        secure: bool = True,
        pool_connections: int = 10,
        pool_maxsize: int = 10,
        *,
        timeout: float = 30.0,
        retries: int = 3,
    ) -> None:
        scheme = "https" if secure else "http"
        name = f"[{host}]" if ":" in host else host
        pools = (pool_connections, pool_maxsize)
        url = f"{scheme}://{name}:{port}"
        self._server = Asker(Remote(key, secret, url, pools, timeout, retries))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Use a file instead of a server; it is made where it does not exist.

        One process at a time can have it open; when a call returns, what it wrote is on the disk.

        Raises:
            StoreError: the file cannot be opened, or another process writes it.
        """
        client = cls.__new__(cls)
        client._server = Asker(Local(Path(path)))
        return client

    def close(self) -> None:
        """Let go of connections, or of the file; may be called twice."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- series --------------------------------------------------------------------------

    def create_series(self, key: str | None = None) -> Series:
        """Make a series; without a key it gets one. Status 409 where the key is taken."""
        body = wire.dump({"key": wire.check_key(key)} if key else {})
        return Series.from_json(self._server.told("POST", ["series"], body=body, once=True))

    def get_series(
        self,
        ids: Names = (),
        keys: Names = (),
        tags: Names = (),
        attributes: Mapping[str, str] | None = None,
    ) -> list[Series]:
        """Return the series with one of `ids` or `keys`, all `tags` and all `attributes`."""
        filters = _filters(ids, keys, tags, attributes)
        return [Series.from_json(one) for one in self._server.told("GET", ["series"], filters)]

    def update_series(self, series: Series) -> Series:
        """Give the series of this id its name, tags and attributes; return what it is then."""
        path = ["series", "id", series.id]
        return Series.from_json(self._server.told("PUT", path, body=wire.dump(series.to_json())))

    def delete_series(
        self,
        ids: Names = (),
        keys: Names = (),
        tags: Names = (),
        attributes: Mapping[str, str] | None = None,
        allow_truncation: bool = False,
    ) -> DeleteSummary:
        """Delete the series that fit, as `get_series` finds them, with their points.

        All series are deleted by `allow_truncation` without any filter, and only so.
        """
        filters = _filters(ids, keys, tags, attributes)
        options = {"allow_truncation": "true" if allow_truncation else "false"}
        return DeleteSummary.from_json(
            self._server.told("DELETE", ["series"], filters, options, once=True)
        )

    # -- reading -------------------------------------------------------------------------

    def read(
        self,
        start: date,
        end: date,
        interval: str | None = None,
        function: str | None = None,
        ids: Names = (),
        keys: Names = (),
        tags: Names = (),
        attributes: Mapping[str, str] | None = None,
        tz: str | None = None,
    ) -> list[DataSet]:
        """Read the series that fit, as `get_series` finds them, from `start` up to before `end`.

        `interval` is `raw`, or a number and min, hour, day, month or year, as in `15min`;
        without one it is raw up to 2 days, hours up to 30 days, else days. `function` folds each
        period: sum, max, min, avg, mean (what is meant by none), stddev, count. `tz` is the time
        zone, such as Europe/London, of the periods and of the times that come back.
        """
        filters = _filters(ids, keys, tags, attributes)
        options = _span(start, end, interval=interval, function=function, tz=tz)
        return [
            DataSet.from_json(one) for one in self._server.told("GET", ["data"], filters, options)
        ]

    def read_id(
        self,
        series_id: str,
        start: date,
        end: date,
        interval: str | None = None,
        function: str | None = None,
        tz: str | None = None,
    ) -> DataSet:
        """Read the series of this id, as `read` does."""
        options = _span(start, end, interval=interval, function=function, tz=tz)
        return self._read("id", series_id, options)

    def read_key(
        self,
        series_key: str,
        start: date,
        end: date,
        interval: str | None = None,
        function: str | None = None,
        tz: str | None = None,
    ) -> DataSet:
        """Read the series of this key, as `read` does."""
        options = _span(start, end, interval=interval, function=function, tz=tz)
        return self._read("key", series_key, options)

    # -- writing: a point replaces the one at its time; these return '' ------------------------

    def write_id(self, series_id: str, data: Iterable[DataPoint]) -> str:
        """Write points of the series of this id."""
        return self._server.done("POST", ["series", "id", _ref(series_id), "data"], _points(data))

    def write_key(self, series_key: str, data: Iterable[DataPoint]) -> str:
        """Write points of the series of this key, which is made where it does not exist."""
        return self._server.done("POST", ["series", "key", _ref(series_key), "data"], _points(data))

    def write_bulk(self, ts: date, data: Iterable[Mapping[str, Any]]) -> str:
        """Write a value of each of several series at one time: `{"id" or "key": ..., "v": ...}`."""
        return self._server.done("POST", ["data"], wire.encode_bulk(_time(ts), data))

    def write_multi(self, data: Iterable[Mapping[str, Any]]) -> str:
        """Write points of several series and times: `{"t": ..., "id" or "key": ..., "v": ...}`."""
        return self._server.done("POST", ["multi"], wire.encode_multi(data))

    # -- counting: a value is added to the one at its time; never twice by a repetition --------

    def increment_id(self, series_id: str, data: Iterable[DataPoint]) -> str:
        """Add to points of the series of this id."""
        path = ["series", "id", _ref(series_id), "increment"]
        return self._server.done("POST", path, _points(data), once=True)

    def increment_key(self, series_key: str, data: Iterable[DataPoint]) -> str:
        """Add to points of the series of this key, which is made where it does not exist."""
        path = ["series", "key", _ref(series_key), "increment"]
        return self._server.done("POST", path, _points(data), once=True)

    def increment_bulk(self, ts: date, data: Iterable[Mapping[str, Any]]) -> str:
        """Add to a point of each of several series at one time, given as to `write_bulk`."""
        return self._server.done(
            "POST", ["increment"], wire.encode_bulk(_time(ts), data), once=True
        )

    def increment_multi(self, data: Iterable[Mapping[str, Any]]) -> str:
        """Add to points of several series and times, given as to `write_multi`."""
        return self._server.done("POST", ["multi", "increment"], wire.encode_multi(data), once=True)

    # -- deleting ------------------------------------------------------------------------

    def delete_id(self, series_id: str, start: date, end: date, **options: str) -> str:
        """Delete the points of the series of this id from `start` up to before `end`."""
        path = ["series", "id", _ref(series_id), "data"]
        return self._server.done("DELETE", path, options=_span(start, end, **options))

    def delete_key(self, series_key: str, start: date, end: date, **options: str) -> str:
        """Delete the points of the series of this key from `start` up to before `end`."""
        path = ["series", "key", _ref(series_key), "data"]
        return self._server.done("DELETE", path, options=_span(start, end, **options))

    def _read(self, by: str, ref: str, options: dict[str, str | None]) -> DataSet:
        found = self._server.told("GET", ["series", by, _ref(ref), "data"], options=options)
        return DataSet.from_json(found)


def _time(given: date) -> date:
    if not isinstance(given, date):
        raise BadValue(f"a time is a datetime or a date, not {type(given).__name__}")
    return given


def _span(start: date, end: date, **options: str | None) -> dict[str, str | None]:
    return {"start": _time(start).isoformat(), "end": _time(end).isoformat(), **options}


def _points(data: Iterable[DataPoint]) -> bytes:
    return wire.encode_points((_time(point.ts), point.value) for point in data)


def _ref(given: str) -> str:
    return wire.check_key(given, "the id or key of a series")


def _filters(ids: Names, keys: Names, tags: Names, attributes: Mapping[str, str] | None) -> Filters:
    """Take one name for a list of it: else its letters would be names."""
    one, other, third = (
        [given] if isinstance(given, str) else [*(given or ())] for given in (ids, keys, tags)
    )
    return Filters(one, other, third, attributes or {})
