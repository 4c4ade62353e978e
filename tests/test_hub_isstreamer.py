"""The original streamer, unmodified, against the hub."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

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
