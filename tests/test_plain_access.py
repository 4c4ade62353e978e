"""Tools that know nothing of pilogger read its file: beside the running logger, and afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import logger_rig as rig
import pytest

from pilogger import status
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock

HOURS = 3
FRESH = "SELECT count(*) AS n FROM reading WHERE series = 'air.temperature'"
HOURLY = (
    "SELECT count, min, max, avg FROM rollup_1h WHERE series = 'air.temperature' ORDER BY epoch"
)
SERIES = "SELECT key, unit FROM series WHERE key LIKE 'air%' ORDER BY key"

Ask = Callable[[Path, str], list[dict[str, Any]]]


def sqlite3(path: Path, sql: str) -> list[dict[str, Any]]:
    """Debian's command, opening the file for reading only."""
    found = json.loads(tool("sqlite3", "-json", f"file:{path}?mode=ro", sql) or "[]")
    return list(found)


def sqlite_utils(path: Path, sql: str) -> list[dict[str, Any]]:
    return list(json.loads(tool(sys.executable, "-m", "sqlite_utils", "query", path, sql)))


def datasette(path: Path, sql: str) -> list[dict[str, Any]]:
    address = f"/{path.stem}.json?_shape=array&sql={sql.replace('%', '%25').replace(' ', '+')}"
    return list(json.loads(tool(sys.executable, "-m", "datasette", path, "--get", address)))


def tool(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


TOOLS = pytest.mark.parametrize("ask", [sqlite3, sqlite_utils, datasette])


@pytest.fixture(scope="module", params=[True, False], ids=["running", "stopped"])
def path(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The store of a logger, with three hours of history in blocks."""
    folder = tmp_path_factory.mktemp("logger")
    path = folder / "pilogger.db"
    clock = FakeClock()
    store = Store.open(path, clock)
    store.declare("air", {"temperature": "Cel", "humidity": "%"})
    for n in range(HOURS * 3600):
        values = {"temperature": 20 + n // 3600, "humidity": 0.5}
        store.append([Sample("air", values, clock.boot() + n * 1_000_000)])
    store.seal()
    store.close()
    with rig.agent(rig.configure(folder)) as logger:
        rig.eventually(lambda: (status.ask(path) or {})["taken"] > 5)
        if not request.param:
            rig.stop(logger)
        yield path
        if request.param:
            taken = (status.ask(path) or {})["taken"]
            rig.eventually(lambda: (status.ask(path) or {})["taken"] > taken)
            assert (status.ask(path) or {})["store"]["trouble"] == ""


@TOOLS
def test_series_rollups_and_fresh_readings_are_there(path: Path, ask: Ask) -> None:
    """Which series there are, statistics by the hour, and what is not in blocks yet."""
    if ask is sqlite3 and not shutil.which("sqlite3"):
        pytest.skip("needs Debian's sqlite3")
    fresh = ask(path, FRESH)[0]["n"]
    hours = ask(path, HOURLY)
    series = ask(path, SERIES)

    assert 0 < fresh < HOURS * 3600
    assert hours[0] == {"count": 3600, "min": 20, "max": 20, "avg": 20.0}
    assert sum(hour["count"] for hour in hours) + fresh == HOURS * 3600
    assert series == [
        {"key": "air.humidity", "unit": "%"},
        {"key": "air.temperature", "unit": "Cel"},
    ]
