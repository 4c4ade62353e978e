"""Every call and option of TempoDB's client, over a hub and on a file: the same answers."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pilogger import tempodb
from pilogger.errors import BadValue, StoreLocked
from pilogger.hub import Hub
from pilogger.tempodb import (
    Client,
    DataPoint,
    DataSet,
    DeleteSummary,
    Series,
    Summary,
    TempoDBApiException,
)

# Naive datetimes are what the original's documentation uses; they are in UTC.
START, END = datetime(2012, 1, 1), datetime(2012, 1, 2)  # noqa: DTZ001

FILTERS = ("ids", "keys", "tags", "attributes")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db") as hub:
        yield hub


@pytest.fixture(scope="module", params=["hub", "file"])
def anywhere(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    if request.param == "file":
        made = Client.open(tmp_path_factory.mktemp("file") / "tempo.db")
    else:
        host, port = request.getfixturevalue("hub").address
        made = Client("key", "secret", host, port, False)
    with made as client:
        yield client


@pytest.fixture
def client(anywhere: Client) -> Client:
    """Each test finds no series."""
    anywhere.delete_series(allow_truncation=True)
    return anywhere


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def points(*values: float) -> list[DataPoint]:
    return [DataPoint(at(minute), value) for minute, value in enumerate(values)]


def values(client: Client, key: str) -> list[object]:
    return [point.value for point in client.read_key(key, START, END, interval="raw").data]


# -- series --------------------------------------------------------------------------------


def test_create_series(client: Client) -> None:
    """With a key, and without: then one is made up."""
    series1 = client.create_series("my-custom-key")
    series2 = client.create_series()

    assert series1 == Series(series1.id, "my-custom-key", "", {}, [])
    assert len(series1.id) == len(series2.id) == 32
    assert series2.key not in ("", series1.key)


def test_create_series_twice_says_that_the_key_is_taken(client: Client) -> None:
    client.create_series("a")
    with pytest.raises(TempoDBApiException, match="'a' is there already") as caught:
        client.create_series("a")

    assert caught.value.status == 409


def test_get_series(client: Client) -> None:
    """By ids, keys, tags, attributes; one name may stand for a list of it."""
    made = [client.create_series(key) for key in ("a", "b", "ke:y/1 ü")]
    made[0].tags, made[0].attributes = ["tag1", "tag2"], {"attr1": "value1", "room": "7"}
    made[1].tags, made[1].attributes = ["tag1"], {"attr1": "value1"}
    for series in made[:2]:
        client.update_series(series)

    assert client.get_series() == made
    assert client.get_series(ids=[made[0].id]) == made[:1]
    assert client.get_series(keys=["a", "b"]) == made[:2]
    assert client.get_series(keys="ke:y/1 ü") == made[2:]
    assert client.get_series(ids=[made[0].id], keys=["b"]) == made[:2]
    assert client.get_series(tags=["tag1", "tag2"], attributes={"attr1": "value1"}) == made[:1]
    assert client.get_series(attributes={"attr1": "value1"}) == made[:2]
    assert client.get_series(tags=["nobody's"]) == []


def test_update_series(client: Client) -> None:
    """Read, modify, write; what it is then is returned, and read again."""
    client.create_series("test1")
    [series] = client.get_series(keys=["test1"])
    series.tags = ["tag3"]
    series.name = "Test"
    series.attributes = {"ö": "ü"}

    assert client.update_series(series) == series
    assert client.get_series(keys=["test1"]) == [series]
    with pytest.raises(TempoDBApiException, match="keeps its key"):
        client.update_series(Series(series.id, "other"))
    with pytest.raises(TempoDBApiException, match="no such series") as caught:
        client.update_series(Series("0" * 32, "test1"))
    assert caught.value.status == 403


def test_delete_series(client: Client) -> None:
    made = [client.create_series(key) for key in "abcd"]
    made[0].tags = made[1].tags = ["tag1"]
    made[1].attributes = {"attr1": "value1"}
    for series in made[:2]:
        client.update_series(series)
    by_tags = client.delete_series(tags=["tag1"], attributes={"attr1": "value1"})
    by_id = client.delete_series(ids=[made[0].id])
    by_key = client.delete_series(keys=["c", "nobody"])

    assert (by_tags, by_id, by_key) == (DeleteSummary(1), DeleteSummary(1), DeleteSummary(1))
    assert client.get_series() == made[3:]


def test_delete_series_deletes_all_only_when_told(client: Client) -> None:
    """Without filters `allow_truncation` must be said; with filters it must not."""
    client.create_series("a")
    with pytest.raises(TempoDBApiException, match="no filter"):
        client.delete_series()
    with pytest.raises(TempoDBApiException, match="without filters"):
        client.delete_series(keys=["a"], allow_truncation=True)

    assert len(client.get_series()) == 1
    assert client.delete_series(allow_truncation=True).deleted == 1
    assert client.get_series() == []


# -- writing and reading -------------------------------------------------------------------


def test_write_key_and_read_key(client: Client) -> None:
    """Types and times come back as they were; what is written again replaces."""
    said = client.write_key("my-custom-key", [DataPoint(at(0), 12.34), DataPoint(at(1), 2)])
    client.write_key("my-custom-key", [DataPoint(at(1), True)])
    found = client.read_key("my-custom-key", START, END)

    assert said == ""
    assert found.series.key == "my-custom-key"
    assert (found.start, found.end) == (START.replace(tzinfo=UTC), END.replace(tzinfo=UTC))
    assert found.data == [
        DataPoint(at(0).replace(tzinfo=UTC), 12.34),
        DataPoint(at(1).replace(tzinfo=UTC), True),
    ]
    assert found.data[1].value is True


def test_write_id_and_read_id(client: Client) -> None:
    series = client.create_series("a")

    assert client.write_id(series.id, points(1, 2)) == ""
    assert [point.value for point in client.read_id(series.id, START, END).data] == [1, 2]
    for call in (client.write_id, client.increment_id):
        with pytest.raises(TempoDBApiException, match="no such series"):
            call("0" * 32, points(1))


def test_a_key_may_hold_anything_that_can_be_printed(client: Client) -> None:
    for key in ("ke:y/1", "a/../b", "100% ü?#&", "...", "id"):
        client.write_key(key, points(1))
        assert values(client, key) == [1]


def test_times_are_exact(client: Client) -> None:
    """To the microsecond; other zones' times are the same moments; dates are midnights."""
    zone = datetime.fromisoformat("2012-01-01T01:00:00.123456-05:00")
    client.write_key("a", [DataPoint(zone, 1), DataPoint(date(2012, 1, 1), 2)])
    found = client.read_key("a", date(2012, 1, 1), date(2012, 1, 2)).data

    assert found == [DataPoint(START.replace(tzinfo=UTC), 2), DataPoint(zone, 1)]


def test_write_bulk(client: Client) -> None:
    series = client.create_series("a")
    data = [{"id": series.id, "v": 4.164}, {"key": "foo", "v": 324.991}]

    assert client.write_bulk(at(5), data) == ""
    assert (values(client, "a"), values(client, "foo")) == ([4.164], [324.991])


def test_write_multi(client: Client) -> None:
    series = client.create_series("a")
    data = [
        {"t": at(0), "id": series.id, "v": 4.164},
        {"t": at(1), "id": series.id, "v": 73.13},
        {"t": at(2), "key": "foo", "v": 55},
    ]

    assert client.write_multi(data) == ""
    assert (values(client, "a"), values(client, "foo")) == ([4.164, 73.13], [55])


def test_a_write_that_is_partly_done_tells_which_points_failed(client: Client) -> None:
    """The documented example: its good point is stored, its bad ones are named."""
    series = client.create_series("a")
    data = [{"t": at(0), "v": 4.164}, {"t": at(1), "id": series.id, "v": 134.3}, {}]
    for number, call in enumerate((client.write_multi, client.increment_multi), 1):
        with pytest.raises(TempoDBApiException, match="2 of 3 points were refused") as caught:
            call(data)

        assert caught.value.status == 207
        assert caught.value.failed == {
            0: ["Must provide a series ID or key"],
            2: ["Must provide a numeric value", "Must provide a series ID or key"],
        }
        assert [status for status, _ in caught.value.multistatus] == [422, 200, 422]
        assert json.loads(caught.value.body).keys() == {"multistatus"}
        assert values(client, "a") == [134.3 * number]


def test_increments(client: Client) -> None:
    """By id, key, in bulk and multi; a series that is not there begins at nothing."""
    said = [
        client.increment_key("a", points(1, 2, 1)),
        client.increment_id(client.get_series(keys=["a"])[0].id, points(10, 10.5)),
        client.increment_bulk(at(0), [{"key": "a", "v": 100}, {"key": "b", "v": 1}]),
        client.increment_multi(
            [{"t": at(2), "key": "a", "v": -1}, {"t": at(2), "key": "a", "v": 5}]
        ),
    ]

    assert said == [""] * 4
    assert (values(client, "a"), values(client, "b")) == ([111, 12.5, 5], [1])


def test_delete_id_and_delete_key(client: Client) -> None:
    """Half open, as documented: [start, end)."""
    client.write_key("a", points(0, 1, 2, 3, 4, 5))
    id = client.get_series()[0].id

    assert client.delete_key("a", at(1), at(2)) == ""
    assert client.delete_id(id, at(4), at(9), reason="ignored") == ""
    assert client.delete_id(id, at(3), at(3)) == ""
    assert values(client, "a") == [0, 2, 3]


def test_read(client: Client) -> None:
    """Several series at once, chosen as get_series does."""
    for key in "abc":
        client.write_key(key, points(1, 3))
    [series] = client.get_series(keys=["b"])
    series.tags, series.attributes = ["t"], {"x": "y"}
    client.update_series(series)

    def keys(found: list[DataSet]) -> list[str]:
        return [one.series.key for one in found]

    assert keys(client.read(START, END)) == ["a", "b", "c"]
    assert keys(client.read(START, END, keys=["a", "c"])) == ["a", "c"]
    assert keys(client.read(START, END, ids=[series.id])) == ["b"]
    assert keys(client.read(START, END, tags=["t"], attributes={"x": "y"})) == ["b"]
    [one] = client.read(START, END, "1hour", "max", None, ["a"], tz="America/Chicago")
    assert [(str(point.ts), point.value) for point in one.data] == [
        ("2011-12-31 18:00:00-06:00", 3)
    ]


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("sum", 10.0), ("max", 6), ("min", 1), ("avg", 10 / 3), ("mean", 10 / 3), (None, 10 / 3),
        ("stddev", (19 / 3) ** 0.5), ("count", 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("interval", ["5min", "1hour", "1day", "1month", "1year"])
def test_rollups(client: Client, interval: str, function: str | None, value: float) -> None:
    """Every period and every function."""
    client.write_key("a", points(1, 3, 6))
    id = client.get_series()[0].id
    for found in (
        client.read_key("a", START, END, interval=interval, function=function),
        client.read_id(id, START, END, interval=interval, function=function),
    ):
        [point] = found.data
        assert point.ts == START.replace(tzinfo=UTC)
        assert point.value == pytest.approx(value)


def test_one_series_is_read_in_a_time_zone_too(client: Client) -> None:
    """By id and by key: the days are those of the zone, and so are the times."""
    client.write_key("a", [DataPoint(START + timedelta(hours=hour), 1) for hour in (1, 5, 7)])
    id = client.get_series()[0].id
    for found in (
        client.read_key("a", START, END, "1day", "count", "America/Chicago"),
        client.read_id(id, START, END, "1day", "count", "America/Chicago"),
    ):
        assert [(str(point.ts), point.value) for point in found.data] == [
            ("2011-12-31 00:00:00-06:00", 2), ("2012-01-01 00:00:00-06:00", 1),
        ]  # fmt: skip


def test_the_rollup_of_who_asks_for_none(client: Client) -> None:
    """Raw up to 2 days, by the hour up to 30 days, else by the day."""
    client.write_key("a", [*points(1, 2), DataPoint(START + timedelta(hours=5), 3)])
    counts = [
        len(client.read_key("a", START, START + timedelta(days=days)).data) for days in (2, 30, 31)
    ]

    assert counts == [3, 2, 1]


def test_the_summary(client: Client) -> None:
    client.write_key("a", points(2, 4, 4, 4, 5, 5, 7, 9))
    summary = client.read_key("a", START, END, interval="1hour").summary

    assert summary == Summary(
        count=8, sum=40, mean=5.0, min=2, max=9, ss=32.0, stddev=(32 / 7) ** 0.5
    )
    assert summary.stddev == (32 / 7) ** 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [({"interval": "1fortnight"}, "no interval"), ({"function": "median"}, "no function"),
     ({"tz": "Mars"}, "no time zone")],
)  # fmt: skip
def test_what_a_read_cannot_do_is_said(client: Client, options: dict[str, str], words: str) -> None:
    client.write_key("a", points(1))
    with pytest.raises(TempoDBApiException, match=words) as caught:
        client.read_key("a", START, END, **options)

    assert caught.value.status == 400
    with pytest.raises(TempoDBApiException, match="no such series"):
        client.read_key("nobody", START, END)


def test_what_cannot_be_sent_is_said_at_the_call(client: Client) -> None:
    """A ValueError, as the original's; nothing was sent."""
    for wrong in (
        lambda: client.write_key("a", points(float("nan"))),
        lambda: client.write_key("", points(1)),
        lambda: client.write_key("a", [DataPoint("2012-01-01", 1)]),  # type: ignore[arg-type]
        lambda: client.write_multi([{"key": "a", "v": object(), "t": START}]),
        lambda: client.read_key("a", "2012", END),  # type: ignore[arg-type]
        lambda: client.create_series("x" * 513),
        lambda: client.write_key("..", points(1)),
    ):
        with pytest.raises(BadValue):
            wrong()
    assert client.get_series() == []


# -- on a file -----------------------------------------------------------------------------


def test_a_file_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "tempo.db"
    with Client.open(path) as client:
        client.write_key("a", points(1))
        with pytest.raises(StoreLocked):
            Client.open(path)
    with Client.open(str(path)) as client:
        assert values(client, "a") == [1]
        assert client.increment_key("a", points(1)) == ""
        assert values(client, "a") == [2]


def test_a_hubs_file_is_read_as_the_hub_told_it(tmp_path: Path) -> None:
    """What an open hub was sent is there when its file is opened without it."""
    path = tmp_path / "hub.db"
    with (
        Hub("127.0.0.1", 0, path) as hub,
        closing(Client("key", "secret", *hub.address, False)) as client,
    ):
        client.write_key("a", points(1, 2))
        told = client.read(START, END)
    with Client.open(path) as client:
        assert client.read(START, END) == told


# -- the original's package ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "parameters"),
    [
        ("__init__", "key secret host='api.tempo-db.com' port=443 secure=True"),
        ("create_series", "key=None"),
        ("get_series", "ids keys tags attributes"),
        ("update_series", "series"),
        ("delete_series", "ids keys tags attributes allow_truncation=False"),
        ("read", "start end interval=None function=None ids keys tags attributes tz=None"),
        ("read_id", "series_id start end interval=None function=None tz=None"),
        ("read_key", "series_key start end interval=None function=None tz=None"),
        ("write_id", "series_id data"), ("write_key", "series_key data"),
        ("write_bulk", "ts data"), ("write_multi", "data"),
        ("increment_id", "series_id data"), ("increment_key", "series_key data"),
        ("increment_bulk", "ts data"), ("increment_multi", "data"),
        ("delete_id", "series_id start end"), ("delete_key", "series_key start end"),
    ],
)  # fmt: skip
def test_the_parameters_are_the_originals(call: str, parameters: str) -> None:
    """In its order; a filter that is not given is none at all, and pools come last."""
    found = [
        it.name if it.default in (it.empty, None, ()) and it.name in FILTERS
        else it.name if it.default is it.empty
        else f"{it.name}={it.default!r}"
        for it in inspect.signature(getattr(Client, call)).parameters.values()
        if it.kind is it.POSITIONAL_OR_KEYWORD and it.name != "self"
    ]  # fmt: skip

    pools = ["pool_connections=10", "pool_maxsize=10"] if call == "__init__" else []
    assert found == parameters.split() + pools


# -- what else the original's package has --------------------------------------------------


def test_all_names_of_the_original_are_there() -> None:
    names = """Client DataPoint Series DataSet Summary DeleteSummary TempoDBApiException
        API_HOST API_PORT API_VERSION VALID_SERIES_KEY DATETIME_HANDLER get_version"""

    assert set(names.split()) <= set(tempodb.__all__)
    assert (tempodb.API_HOST, tempodb.API_PORT, tempodb.API_VERSION) == (
        "api.tempo-db.com", 443, "v1",
    )  # fmt: skip
    assert tempodb.get_version() == "0.5.0"
    assert json.dumps({"t": START}, default=tempodb.DATETIME_HANDLER) == (
        '{"t": "2012-01-01T00:00:00"}'
    )


def test_objects_are_made_compared_and_shown_as_the_originals() -> None:
    series = Series("id", "key", "name", {"key1": "value1"}, ["tag1", "tag2"])

    assert Series.from_json(series.to_json()) == series
    assert Series("id", "key") == Series("id", "key", "", {}, [])
    assert str(DataPoint(START, 12.5)) == "t: 2012-01-01 00:00:00, v: 12.5"
    assert DataPoint(START, 1).to_json() == {"t": "2012-01-01T00:00:00", "v": 1}
    assert DataSet(series, START, END) == DataSet(series, START, END, [], None)
    assert Summary(count=1).count == 1
    assert DeleteSummary.from_json({"deleted": 2}).deleted == 2
