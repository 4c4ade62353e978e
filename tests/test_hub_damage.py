"""A hub whose file is damaged under it: whoever asks again is answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import requests
from damage_rig import break_table, zero_first

from pilogger.hub import Hub
from pilogger.store.sealer import FULL

SPAN = "start=2012-01-01&end=2012-01-02"
EVENTS = [{"key": f"k{n}", "value": n, "epoch": n} for n in range(500)]
POINTS = [{"t": f"2012-01-01T00:{n // 60:02}:{n % 60:02}", "v": n} for n in range(FULL)]
MESSAGES = [{"type": "page", "userId": "u", "messageId": f"{n:0200}"} for n in range(200)]

Ask = Callable[[str, Path], int]


def get(path: str) -> Ask:
    return lambda url, _: requests.get(f"{url}{path}", timeout=10).status_code


def post(path: str, body: object, **headers: str) -> Ask:
    def ask(url: str, _: Path) -> int:
        answer = requests.post(f"{url}{path}", json=body, headers=headers, timeout=10)
        return answer.status_code

    return ask


FILL = [
    post("/api/events?bucketKey=b", EVENTS),
    post("/v1/series/key/a/data/", POINTS),
    post("/v1/batch", {"batch": MESSAGES}),
    *(
        post("/v1/series/key/n/increment/", POINTS[:1], **{"Idempotency-Key": f"{n}"})
        for n in range(20)
    ),
]


@pytest.mark.parametrize(
    ("table", "ask"),
    [
        ("sample", get("/api/live")),
        ("sample", get("/api/health")),
        ("block", get(f"/v1/series/key/a/data/?{SPAN}&interval=raw")),
        ("quarter", get(f"/v1/data/?{SPAN}&interval=15min")),
        ("series", get("/v1/series/")),
        ("answered", FILL[-1]),
        ("message_id", FILL[2]),
        ("", get("/api/health")),
        ("", get("/v1/series/")),
        ("", FILL[2]),
    ],
)
def test_a_damaged_file_is_met_once(
    tmp_path: Path, table: str, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    """503 says to try again; then a new file has taken its place, and never a 500 was said."""
    path = tmp_path / "hub.db"
    with Hub("127.0.0.1", 0, path) as hub:
        for fill in FILL:
            assert fill(hub.url, path) in (200, 204)
        hub.store.seal()
        hub.store.readers.forget()  # what they know by heart hides the damage
        if table:
            break_table(hub.store, table)
        else:
            hub.store.writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            zero_first(path, Random(1))
        statuses = [ask(hub.url, path) for _ in range(3)]
        again = post("/api/events?bucketKey=b", EVENTS)(hub.url, path)

    assert statuses[0] == 503
    assert statuses[2] == 200
    assert set(statuses) == {200, 503}
    assert again == 204
    assert (tmp_path / "hub.db-damaged-1").is_dir()
    assert "a new one is begun" in caplog.text
