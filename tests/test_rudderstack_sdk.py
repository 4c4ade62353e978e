"""The original SDK, unmodified, against the hub."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pilogger.hub import Account, Accounts, Hub
from pilogger.store import open_reader

MODULE = """
import sys
from datetime import datetime, timezone
import rudderstack.analytics as rudder_analytics

def on_error(error, events):
    print(len(events), error)

rudder_analytics.write_key = "key"
rudder_analytics.dataPlaneUrl = sys.argv[1]
rudder_analytics.on_error = on_error
rudder_analytics.max_retries = 1
rudder_analytics.gzip = len(sys.argv) > 2
when = datetime(2026, 11, 20, 23, 35, 37, 250000, timezone.utc)
every = {"timestamp": when, "context": {"ip": "1"}, "integrations": {"All": False}}
ids = {"anonymous_id": "anon", **every}
rudder_analytics.identify("u", {"name": "Ann"}, message_id="identify", **ids)
rudder_analytics.track("u", "Watered", {"litres": 2.5}, message_id="track", **ids)
rudder_analytics.page("u", "Cat", "Docs", {"url": "x"}, message_id="page", **ids)
rudder_analytics.screen("u", "Cat", "Home", {"n": 1}, message_id="screen", **ids)
rudder_analytics.group("u", "g", {"size": 5}, message_id="group", **ids)
rudder_analytics.alias("old", "u", message_id="alias", **every)
rudder_analytics.flush()
rudder_analytics.track(7, "Watered", {"litres": 3})
rudder_analytics.join()
rudder_analytics.shutdown()
"""

SYNC = """
import sys
from rudderstack.analytics.client import Client

client = Client("key", sys.argv[1], sync_mode=True, gzip=False)
print(client.track("u", "Watered", {"litres": 1})[0])
try:
    Client("wrong", sys.argv[1], sync_mode=True).track("u", "Watered")
except Exception as error:
    print(error)
"""

MANY = """
import sys
from rudderstack.analytics.client import Client

client = Client("key", sys.argv[1], on_error=lambda error, events: print(error))
for number in range(500):
    client.track("u", "Counted", {"n": number}, message_id=str(number))
client.shutdown()
"""


def run(url: str, program: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, url, *options],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def served(tmp_path: Path, program: str, *options: str) -> str:
    accounts = Accounts([Account("", "key")])
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", accounts) as hub:
        return run(hub.url, program, *options)


def query(tmp_path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(open_reader(tmp_path / "hub.db")) as db:
        return db.execute(sql).fetchall()


@pytest.mark.parametrize("options", [[], ["gzip"]])
def test_every_call_of_the_original_is_served(tmp_path: Path, options: list[str]) -> None:
    """All six, through the module, with all their fields; nothing is an error."""
    said = served(tmp_path, MODULE, *options)
    rows = query(
        tmp_path,
        "SELECT type, user_id, anonymous_id, event, timestamp FROM message ORDER BY id LIMIT 6",
    )
    bodies = [json.loads(body) for (body,) in query(tmp_path, "SELECT body FROM message")]
    when = "2026-11-20T23:35:37.250000+00:00"

    assert said == ""
    assert rows == [
        ("identify", "u", "anon", None, when),
        ("track", "u", "anon", "Watered", when),
        ("page", "u", "anon", "Docs", when),
        ("screen", "u", "anon", "Home", when),
        ("group", "u", "anon", None, when),
        ("alias", "u", None, None, when),
    ]
    assert [body["messageId"] for body in bodies[:6]] == [row[0] for row in rows]
    assert all(body["context"]["library"]["name"] == "analytics-python" for body in bodies)
    assert all(body["channel"] == "server" for body in bodies)
    assert bodies[0]["context"]["traits"] == {"name": "Ann"}
    assert (bodies[4]["groupId"], bodies[5]["previousId"]) == ("g", "old")
    assert bodies[6]["userId"] == "7"
    assert query(tmp_path, "SELECT series, value FROM reading ORDER BY seq") == [
        ("Watered.litres", 2.5),
        ("Watered.litres", 3),
    ]


def test_many_messages_of_the_original_arrive_once(tmp_path: Path) -> None:
    """In batches, with its defaults, in their order."""
    assert served(tmp_path, MANY) == ""
    assert query(tmp_path, "SELECT message_id FROM message ORDER BY id") == [
        (str(number),) for number in range(500)
    ]


def test_its_sync_mode_is_served_and_a_wrong_key_is_told(tmp_path: Path) -> None:
    """As an error with the hub's words, which it does not try again."""
    said = served(tmp_path, SYNC)

    assert said == "True\n[rudderstack] unknown: the access key is wrong (401)\n"
    assert query(tmp_path, "SELECT count(*) FROM message") == [(1,)]
