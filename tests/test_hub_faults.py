"""What a hub acknowledged is there afterwards, once: whoever sent it, whatever happened to the hub.

Between the clients, the original ones and ours, and the hub is a relay that remembers which
requests were answered with success. The disk is a small file system of its own, so this takes root.
"""

from __future__ import annotations

import fcntl
import gzip
import http.client
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from subprocess import PIPE
from typing import Any

import pytest
from logger_rig import PATIENCE_S, eventually, free_port, hub, process

from pilogger.series import History, find
from pilogger.store import open_reader

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="mounting a file system needs root")

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, linux/ext4.h
WITHOUT_FLUSHING = struct.pack("I", 2)  # not even the file system's own journal


class Relay(ThreadingHTTPServer):
    """Hands requests to the hub; remembers those that it acknowledged."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.to = port
        self.acknowledged: list[tuple[str, str, bytes]] = []
        self.answers: Counter[int] = Counter()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: text for name, text in self.headers.items() if name != "Host"}
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.server.to, 20)) as hub:
                hub.request(self.command, self.path, body, headers)
                answer = hub.getresponse()
                said = answer.read()
        except (OSError, http.client.HTTPException):  # it died: so does this connection
            self.server.answers[0] += 1
            self.close_connection = True
            return
        self.server.answers[answer.status] += 1
        if answer.status < 300:
            packed = headers.get("Content-Encoding") == "gzip"
            body = gzip.decompress(body) if packed else body
            bucket = headers.get("X-IS-BucketKey", "")
            self.server.acknowledged.append((self.path, bucket, body))
        self.send_response_only(answer.status)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_PUT = do_POST  # noqa: N815

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def relaying(port: int) -> Iterator[Relay]:
    with Relay(port) as relay:
        thread = threading.Thread(target=relay.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield relay
        finally:
            relay.shutdown()
            thread.join()


LOGGED = re.compile(rb"logged (\d+)\.")
CLIENTS = {
    "ISStreamer": """
from ISStreamer.Streamer import Streamer
streamer = Streamer("B", "original", "key", ini_file_location=sys.argv[3])
for n in numbers():
    streamer.log("n", n, epoch=1795217600 + n)
streamer.close()
""",
    "rudderstack": """
from rudderstack.analytics.client import Client
client = Client("key", url, max_retries=1, upload_size=20)
for n in numbers():
    client.track("u", "original", {"n": n}, message_id=f"original {n}",
                 timestamp=datetime.fromtimestamp(1795217600 + n, timezone.utc))
client.shutdown()
""",
    "pilogger.initialstate": """
from pilogger.initialstate import Streamer
streamer = Streamer("B", "ours", "key", base_url=url)
for n in numbers():
    streamer.log("n", n, epoch=1795217600 + n)
streamer.close()
""",
    "pilogger.rudderstack": """
import pilogger.rudderstack as analytics
analytics.write_key, analytics.dataPlaneUrl, analytics.upload_size = "key", url, 20
for n in numbers():
    analytics.track("u", "ours", {"n": n}, message_id=f"ours {n}",
                    timestamp=datetime.fromtimestamp(1795217600 + n, timezone.utc))
analytics.shutdown()
""",
    "pilogger.tempodb": """
from pilogger.tempodb import Client, DataPoint
client = Client("key", "", "127.0.0.1", int(url.rpartition(":")[2]), False, timeout=20)
points = []
for n in numbers():
    points.append(DataPoint(datetime.fromtimestamp(1795217600 + n, timezone.utc), n))
    while len(points) == 20:
        try:
            client.write_key("tempodb", points)
            points = []
        except Exception:
            time.sleep(0.05)
""",
}
BEGIN = """
import os, sys, time
from datetime import datetime, timezone
url = sys.argv[1]

def numbers():
    n = 0
    while n % 20 or not os.path.exists(sys.argv[2]):
        yield n
        n += 1
        time.sleep(0.005)
    print(f"logged {n}.", flush=True)
"""


@contextmanager
def sending(relay: Relay, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    url = f"http://127.0.0.1:{relay.server_port}"
    ini = folder / "isstreamer.ini"
    ini.write_text(
        "[isstreamer.client_config]\naccess_key: key\noffline_mode: false\n"
        f"[isstreamer.api_config]\nstream_api_base: {url}\n"
    )
    running = []
    for program in CLIENTS.values():
        words = [sys.executable, "-W", "ignore", "-c", BEGIN + program, url]
        words += [str(folder / "enough"), str(ini)]
        environment = os.environ | {"XDG_STATE_HOME": str(folder)}
        running.append(subprocess.Popen(words, stdout=PIPE, cwd=folder, env=environment))
    try:
        yield running
    finally:
        for each in running:
            if each.poll() is None:
                each.kill()
            each.wait()
            assert each.stdout
            each.stdout.close()


class Card:
    """A small ext4 on a file, whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "card.img", folder / "card"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(48 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self.image, self.place], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", self.place], check=True)

    def cut(self) -> None:
        """What was not synced is gone, as when the power is."""
        file = os.open(self.place, os.O_RDONLY)
        fcntl.ioctl(file, SHUTDOWN, WITHOUT_FLUSHING)
        os.close(file)


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Card]:
    made = Card(tmp_path)
    yield made
    subprocess.run(["umount", "--lazy", made.place], check=True)


def disturb(how: str, card: Card, running: subprocess.Popen[str], random: Random) -> None:
    """Let one thing happen to a hub that serves; at the end of it the hub is dead."""
    if how == "full":
        with (card.place / "other").open("wb", buffering=0) as other:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while other.write(b"x" * size):
                        pass
        threading.Event().wait(0.5 + random.random())
        (card.place / "other").unlink()
        threading.Event().wait(0.5)
    if how == "power":
        card.cut()
    running.send_signal(signal.SIGKILL)
    running.wait()
    if how == "power":
        card.unmount()
        card.mount()


def held(path: Path, bucket: str, key: str) -> list[object]:
    with closing(open_reader(path)) as db:
        infos = [info for info in find(db, "", bucket=bucket) if info.key == key]
        history = History(db)
        return [value for one in infos for *_, value in history.read(one.id, 0, 10**30)]


def acknowledged(relay: Relay) -> dict[str, set[Any]]:
    """The numbers that each client was told are stored."""
    found: dict[str, set[Any]] = {}
    for path, bucket, body in relay.acknowledged:
        said: Any = json.loads(body) if body else []
        if path.startswith("/api/events"):
            for event in said if isinstance(said, list) else [said]:
                found.setdefault(f"{bucket} events", set()).add(event["value"])
        elif path == "/v1/batch":
            for message in said["batch"]:
                found.setdefault(message["event"], set()).add(message["properties"]["n"])
        elif path.startswith("/v1/series/key/tempodb"):
            found.setdefault("tempodb", set()).update(point["v"] for point in said)
    return found


@pytest.mark.fault(13, 18, 59)
@pytest.mark.parametrize(("how", "times"), [("kill", 3), ("power", 3), ("full", 1)])
def test_what_was_acknowledged_is_there_once(
    card: Card, tmp_path: Path, how: str, times: int
) -> None:
    """And all that our own clients were given arrives; the originals give up what they give up."""
    random, port, store = Random(how), free_port(), card.place / "hub.db"
    account = {"PILOGGER_HUB_ACCESS_KEY": "key"}
    with relaying(port) as relay, sending(relay, tmp_path) as clients:
        for _ in range(times):
            with process("hub", "--port", port, "--store", store, **account) as running:
                before = len(relay.acknowledged)
                eventually(lambda: len(relay.acknowledged) > before + 5)  # noqa: B023 - at once
                threading.Event().wait(random.random())
                disturb(how, card, running, random)
        (tmp_path / "enough").touch()
        with hub(store, port, **account):
            counts = [
                int(LOGGED.findall(client.communicate(timeout=PATIENCE_S * 2)[0])[0])
                for client in clients
            ]
        told = acknowledged(relay)
    logged = {name: list(range(count)) for name, count in zip(CLIENTS, counts, strict=True)}

    assert relay.answers[0] > 0
    assert relay.answers[503] or how != "full"
    assert held(store, "ours", "n") == logged["pilogger.initialstate"]
    assert held(store, "rudderstack", "ours.n") == logged["pilogger.rudderstack"]
    assert held(store, "", "tempodb") == logged["pilogger.tempodb"]
    for bucket, key, of in (
        ("original", "n", "original events"),
        ("rudderstack", "original.n", "original"),
    ):
        found = held(store, bucket, key)
        assert len(found) == len(set(found))
        assert told[of] <= set(found)
