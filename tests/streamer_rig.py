"""A hub for the tests of the streamer, and what it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pilogger.epoch import unpack
from pilogger.hub import Hub
from pilogger.initialstate import Streamer
from pilogger.store import open_reader


class Rig:
    """One bucket of a hub, for one test."""

    def __init__(self, hub: Hub, bucket: str) -> None:
        self.hub = hub
        self.bucket = bucket

    def streamer(self, **options: Any) -> Streamer:
        """Open a streamer to this bucket."""
        usual = {"bucket_key": self.bucket, "access_key": "key", "base_url": self.hub.url}
        return Streamer(**{**usual, **options})

    def held(self, bucket: str | None = None) -> list[tuple[str, str, Any]]:
        """Read key, epoch and value of what arrived, in order."""
        rows = self.query(
            "SELECT series, sample.epoch, reading.value FROM reading JOIN sample USING (seq)"
            " JOIN bucket ON bucket.id = reading.bucket WHERE bucket.key = ? ORDER BY seq",
            bucket or self.bucket,
        )
        return [(key, unpack(epoch), value) for key, epoch, value in rows]

    def values(self, bucket: str | None = None) -> dict[str, Any]:
        """Read what arrived as values by key."""
        return {key: value for key, _, value in self.held(bucket)}

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with closing(open_reader(self.hub.store.path)) as db:
            return db.execute(sql, parameters).fetchall()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db") as hub:
        yield hub


@pytest.fixture
def rig(
    hub: Hub, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Rig:
    """A bucket of the test's name; home, state and the current folder are the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return Rig(hub, request.node.name)
