"""TempoDB's API and requests that nobody meant: always an answer, and nothing half-done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger.database import Database, Request
from pilogger.database.service import ROUTES
from pilogger.engine import SQLiteEngine
from pilogger.store import Store
from pilogger.testing import FakeClock

STATUSES = {200, 207, 400, 403, 404, 405, 409}

times = st.sampled_from(
    ["2012-01-01", "2012-01-01T00:00:00.123456789Z", "0001-01-01", "9999-12-31T23:59:59.999Z",
     "2012-01-01T00:00:00-23:59", "1969-12-31T23:59:59", "2012-02-30", "now", "", "1e9"]
)  # fmt: skip
scraps = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), times,
    st.just([]), st.just({}),
)  # fmt: skip
names = st.sampled_from(["a", "b", "ke:y/1", "", "\0", "ü", "x" * 513, "0" * 32])
points = st.dictionaries(
    st.sampled_from(["t", "v", "id", "key", "data", "name", "tags", "attributes"]),
    st.one_of(scraps, names, st.lists(scraps, max_size=2)),
)
likely = st.fixed_dictionaries(
    {"t": times, "v": st.one_of(st.integers(), st.floats(), st.booleans()), "key": names}
)
contents = st.one_of(
    scraps, points, st.lists(st.one_of(points, scraps), max_size=4),
    st.fixed_dictionaries({"t": times, "data": st.lists(points, max_size=3)}),
)  # fmt: skip
bodies = st.one_of(st.binary(max_size=20), contents.map(lambda found: json.dumps(found).encode()))
options = st.dictionaries(
    st.sampled_from(["start", "end", "interval", "function", "tz", "key", "id", "tag",
                     "attr[a]", "allow_truncation", "other"]),
    st.one_of(times, names, st.sampled_from(
        ["raw", "1min", "5year", "99999year", "PT1H", "max", "stddev", "Europe/London", "true"]
    )),
)  # fmt: skip
queries = st.one_of(st.binary(max_size=20), options.map(lambda found: urlencode(found).encode()))
refs = st.sampled_from(["id/a", "key/a", "key/b", "key/ke%3Ay%2F1", "id/%ff", "key/%00", "key/"])
paths = st.one_of(
    st.binary(max_size=20),
    st.builds(
        lambda route, ref: f"/v1/{route}/".replace("*", ref).encode(),
        st.sampled_from([*ROUTES]),
        refs,
    ),
)


methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"])
requests = st.builds(
    Request, st.just(""), methods, paths, queries, bodies, st.sampled_from(["", "once"])
)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with (
        TemporaryDirectory() as folder,
        closing(Store.open(Path(folder) / "x.db", FakeClock(), durability=0)) as store,
    ):
        yield Database(SQLiteEngine(store))


def ask(database: Database, request: Request) -> tuple[int, str]:
    answer = database.answer(request)
    return answer.status, answer.text if answer.pieces is None else "".join(answer.pieces)


@settings(max_examples=300, deadline=None)
@given(requests)
def test_every_askedis_answered(database: Database, asked: Request) -> None:
    """A success is JSON or nothing; a refusal says why, but for 403."""
    status, text = ask(database, asked)

    assert status in STATUSES
    if status in (200, 207):
        assert not text or json.loads(text) is not None
    else:
        assert bool(text) is (status != 403)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(points, likely), max_size=5))
def test_what_is_said_to_be_stored_is(database: Database, data: list[Any]) -> None:
    """As many series hold a point as the answer says, and no others are there."""
    ask(database, Request("", "DELETE", b"/v1/series/", b"allow_truncation=true"))
    multi = Request("", "POST", b"/v1/multi/", b"", json.dumps(data).encode())
    status, text = ask(database, multi)
    said = [one["status"] == "200" for one in json.loads(text)["multistatus"]] if text else []
    good = [each for each, is_good in zip(data, said, strict=False) if is_good] if text else data
    always = b"start=0001-01-01&end=9999-12-31T23:59:59.9999Z"
    _, listed = ask(database, Request("", "GET", b"/v1/data/", always))
    held = {one["series"]["key"]: one["summary"]["count"] for one in json.loads(listed)}

    assert status == (207 if text else 200)
    assert set(held) == {each["key"] for each in good}
    assert all(held.values())
