"""The original streamer, unmodified, against the hub."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pilogger.epoch import unpack
from pilogger.hub import Hub
from pilogger.store import open_reader

INI = """
[isstreamer.client_config]
access_key: ist_key
offline_mode: false
[isstreamer.api_config]
stream_api_base: {url}
"""

PROGRAM = """
import sys
from ISStreamer.Streamer import Streamer

streamer = Streamer("Greenhouse", "green", ini_file_location=sys.argv[1])
for number in range(12):
    streamer.log("air.temperature", 20 + number, epoch=1795217624.25 + number)
streamer.flush()
streamer.set_bucket("Cellar", "cellar")
for number in range(12, 25):
    streamer.log("air.temperature", 20 + number, epoch=1795217624 + number)
streamer.close()
"""


def test_the_original_streamer_is_served(tmp_path: Path) -> None:
    """25 events in two buckets, logged with its defaults, all arrive with their epochs."""
    ini = tmp_path / "isstreamer.ini"
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        ini.write_text(INI.format(url=hub.url))
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, ini],
            cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        with closing(open_reader(hub.store.path)) as db:
            samples = db.execute("SELECT epoch, data FROM sample").fetchall()
            buckets = db.execute("SELECT key, name FROM bucket ORDER BY key").fetchall()

    early = {(f"{1795217624.25 + number}", f"[{20 + number}]") for number in range(12)}
    late = {(f"{1795217624 + number}", f"[{20 + number}]") for number in range(12, 25)}
    assert len(samples) == 25
    assert {(unpack(epoch), data) for epoch, data in samples} == early | late
    assert buckets == [("cellar", "Cellar"), ("green", "Greenhouse")]
    assert done.stdout == ""  # it prints what it gave up


EVERYTHING = """
import sys
from ISStreamer.Streamer import Streamer

class Reading:
    @property
    def humidity(self):
        return 48.5

streamer = Streamer("All", "all", "ist_key", ini_file_location=sys.argv[1], buffer_size=3,
                    use_async=sys.argv[2] == "async")
streamer.log("int", 2**40, 1)
streamer.log("float", -0.25, epoch=2.5)
streamer.log("true", True, epoch=0)
streamer.log("text", "l\u00e4uft", epoch=1795217624.4833982)
streamer.log("null", None, epoch=3)
streamer.log("nan", float("nan"), epoch=3)
streamer.log("now", 1)
streamer.log_object([1, "x"], epoch=4)
streamer.log_object({"a": 1}, key_prefix="p", epoch=4)
streamer.log_object({"bare": 1}, key_prefix="", epoch=4)
streamer.log_object(Reading(), epoch=4)
streamer.flush()
streamer.ship_messages([{"key": "shipped", "value": 1, "epoch": 5}])
streamer.ship_to_api("/api/events", {"key": "alone", "value": 2, "epoch": 6})
streamer.ship_to_api("/api/events", [{"key": "hub's time", "value": 3}])
streamer.ship_to_api("/api/buckets", {"bucketKey": "another", "bucketName": "Another"})
streamer.console_message("said", level=0)
streamer.log("last", 7, epoch=7)
streamer.close()
"""


@pytest.mark.parametrize("way", ["async", "sync"])
def test_every_public_call_of_the_original_works(tmp_path: Path, way: str) -> None:
    """NaN costs only itself, and null is no reading."""
    ini = tmp_path / "isstreamer.ini"
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        ini.write_text(INI.format(url=hub.url))
        done = subprocess.run(
            [sys.executable, "-c", EVERYTHING, ini, way],
            cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        with closing(open_reader(hub.store.path)) as db:
            rows = db.execute(
                "SELECT sensor, epoch, data FROM sample JOIN source ON source.id = source"
            ).fetchall()
            names = db.execute("SELECT key, name FROM bucket ORDER BY key").fetchall()
    held = {key: (unpack(epoch), data) for key, epoch, data in rows}

    assert len(rows) == len(held) == 14
    assert float(held.pop("now")[0]) > 1.7e9
    assert float(held.pop("hub's time")[0]) > 1.7e9
    assert held == {
        "int": ("1", "[1099511627776]"), "float": ("2.5", "[-0.25]"), "true": ("0", "[true]"),
        "text": ("1795217624.4833982", '["läuft"]'),
        "list_0": ("4", "[1]"), "list_1": ("4", '["x"]'), "p_a": ("4", "[1]"),
        "bare": ("4", "[1]"), "Reading_humidity": ("4", "[48.5]"),
        "shipped": ("5", "[1]"), "alone": ("6", "[2]"), "last": ("7", "[7]"),
    }  # fmt: skip
    assert names == [("all", "All"), ("another", "Another")]
    assert done.stdout == "said\n"
    assert not (tmp_path / "err_missed_events.txt").exists()


def test_the_original_offline_asks_nobody(tmp_path: Path) -> None:
    """Its offline mode writes the rows that ours writes."""
    program = """
from {module} import Streamer
streamer = Streamer("Green", access_key="k", offline=True)
streamer.log("a", 1, epoch=1795217624.25)
streamer.log_object({{"b": "x, y"}}, epoch=5)
streamer.close()
"""
    for name in ("ISStreamer.Streamer", "pilogger.initialstate"):
        (tmp_path / name).mkdir()
        subprocess.run(
            [sys.executable, "-c", program.format(module=name)],
            cwd=tmp_path / name, env=os.environ | {"HOME": str(tmp_path)},
            capture_output=True, timeout=30, check=True,
        )  # fmt: skip
    theirs, ours = (next(path.glob("*.csv")).read_bytes() for path in sorted(tmp_path.iterdir()))

    assert theirs == ours
