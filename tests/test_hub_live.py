"""What the hub's page asks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from pilogger.hub import Hub


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub for tests that send nothing."""
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db") as hub:
        yield hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        yield hub


def post(hub: Hub, *events: dict[str, object], bucket: str = "b") -> None:
    answer = requests.post(f"{hub.url}/api/events?bucketKey={bucket}", json=events, timeout=10)
    assert answer.status_code == 204


def get(hub: Hub, path: str) -> requests.Response:
    return requests.get(f"{hub.url}{path}", timeout=10)


def test_a_poll_brings_what_came_since_the_last(hub: Hub) -> None:
    """`seq` of one answer is `since` of the next; nothing comes twice or is left out."""
    post(hub, {"key": "a", "value": 1, "epoch": 5})
    first = get(hub, "/api/live").json()
    post(hub, {"key": "a", "value": 2, "epoch": 6}, {"key": "t", "value": "x", "epoch": 6})
    second = get(hub, f"/api/live?since={first['seq']}").json()
    third = get(hub, f"/api/live?since={second['seq']}").json()

    assert [(one["key"], one["points"]) for one in first["series"]] == [("a", [[5, 1]])]
    assert sorted((one["key"], one["points"]) for one in second["series"]) == [
        ("a", [[6, 2]]),
        ("t", [[6, "x"]]),
    ]
    assert third["series"] == []
    assert first["run"] == second["run"] == third["run"]


def test_an_epoch_out_of_this_world_comes_without_time(hub: Hub) -> None:
    """JSON has no infinity; the value is shown all the same."""
    requests.post(
        f"{hub.url}/api/events?bucketKey=b",
        data=b'{"key": "a", "value": 1, "epoch": 1e400}',
        timeout=10,
    )

    assert get(hub, "/api/live").json()["series"][0]["points"] == [[None, 1]]


@pytest.mark.parametrize("since", ["x", "-1", "1.5", "", "9" * 30, "%C2%B2"])
def test_since_is_a_whole_number(shared: Hub, since: str) -> None:
    """Anything else is a 400 in words."""
    assert get(shared, f"/api/live?since={since}").status_code == 400


def test_health_counts_every_reading(hub: Hub) -> None:
    """The exact number held, over all buckets; a repeated one is not two."""
    for bucket in ("a", "b", "b"):
        post(hub, *({"key": f"k{i}", "value": i, "epoch": i} for i in range(100)), bucket=bucket)

    assert get(hub, "/api/health").json() == {"status": "ok", "readings": 200}


@pytest.mark.parametrize(
    "path",
    ["/", "/api/live", "/assets/page.js", "/vendor/uPlot.min.css", "/nowhere", "/api/events"],
)
def test_every_answer_is_shielded(shared: Hub, path: str) -> None:
    """Nothing from elsewhere may load, no type is guessed, no answer is stale."""
    headers = get(shared, path).headers

    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.fault(93)
def test_only_the_pages_files_are_served(shared: Hub) -> None:
    """The build's own files are not, however the path is written."""
    for path in ("hatch_build.py", "assets/../hatch_build.py", "assets/%2e%2e/hatch_build.py"):
        assert get(shared, f"/{path}").status_code == 404
