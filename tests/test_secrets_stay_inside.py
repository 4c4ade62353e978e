"""No secret is anywhere but in requests: not in a log, an error, `ps`, a status, a file.

Every program is given marked secrets in every way there is, and talks to a server that sends back
all that it was sent. Then everything that was printed, shown or written is searched.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
import requests
import wire_rig as wire
from logger_rig import agent, configure, eventually, free_port, hub, process, stop

from pilogger import status

MARK = "5ecre7"
FILE, ENVIRONMENT, CREDENTIAL, PROXY, SECRET = (
    f"{MARK}-{name}" for name in ("file", "environment", "credential", "proxy", "second")
)
STATUSES = ["401 No", "500 Oh", "400 Bad", "302 Found", "200 OK", "413 Large", "429 Slow", "407 No"]


def forms() -> list[bytes]:
    """What a secret looks like: as it is, and each way its letters may fall in base64."""
    found = [MARK.encode()]
    for shift in range(3):
        whole = b64encode(b"x" * shift + MARK.encode())
        found.append(whole[4 if shift else 0 : 8])
    return found


def leaks(*said: str | bytes) -> list[bytes]:
    """The places where a secret is, with what is around it."""
    texts = [text.encode() if isinstance(text, str) else text for text in said]
    return [
        text[max(0, found.start() - 60) : found.end() + 60]
        for text in texts
        for form in forms()
        for found in re.finditer(re.escape(form), text)
    ]


def written(folder: Path, *but: str) -> list[bytes]:
    return [
        path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in but and not path.is_socket()
    ]


def shown(pid: int) -> bytes:
    """What `ps` shows of a process and of all its threads and children."""
    family = subprocess.run(
        ["ps", "-eLo", "pid,ppid,comm,args"], capture_output=True, check=True
    ).stdout
    return b"\n".join(line for line in family.splitlines() if str(pid).encode() in line.split()[:2])


@pytest.fixture
def echo() -> Iterator[wire.Wire]:
    """A server that sends back, in turn with each status, all that it was sent."""
    turns = cycle(STATUSES)

    def talk(server: wire.Wire, connection: socket.socket) -> None:
        while head := server.request(connection):
            said = head.replace(b"\r\n", b" ")
            said = said[-290:]  # where secrets are; an answer is quoted up to some length
            lines = (f"HTTP/1.1 {next(turns)}", "Retry-After: 0", f"Content-Length: {len(said)}")
            answer = "\r\n".join(lines).encode() + b"\r\nLocation: /" + said
            connection.sendall(answer + b"\r\n\r\n" + said)

    with wire.serving(talk) as server:
        yield server


def test_the_search_finds_secrets() -> None:
    """The control: as they are, and in Basic, wherever they begin."""
    assert leaks(f"x {FILE} y")
    for before in ("", "u", "us", "use"):
        assert leaks(b64encode(f"{before}{SECRET}".encode()))
    assert not leaks("nothing here", b64encode(b"nothing there"))


@pytest.mark.fault(91)
@pytest.mark.parametrize(("proxied", "number"), [(False, signal.SIGTERM), (True, signal.SIGKILL)])
def test_a_logger_keeps_its_secrets(
    tmp_path: Path, echo: wire.Wire, proxied: bool, number: signal.Signals
) -> None:
    """From a file, the environment, a credential of systemd, and in addresses of proxies."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "third").write_text(CREDENTIAL)
    secrets = tmp_path / "secrets.yaml"
    secrets.write_text(f"first: {FILE}\n")
    secrets.chmod(0o600)
    url = "http://hub.example" if proxied else echo.url
    config = configure(tmp_path)
    text = config.read_text().replace('"destinations": []', '"destinations": [PLACES]')
    places = [
        "type: initialstate, name: a, access_key: !secret first, bucket: {key: b}",
        "type: rudderstack, name: b, write_key: !env SECOND, user_id: u",
        "type: tempodb, name: c, key: !secret third, secret: !secret first",
    ]
    places = [f'{{{place}, base_url: "{url}"}}' for place in places]
    config.write_text(text.replace("PLACES", ",\n".join(places)))
    given = {"SECOND": ENVIRONMENT, "CREDENTIALS_DIRECTORY": str(credentials)}
    if proxied:
        given |= {"HTTP_PROXY": f"http://me:{PROXY}@127.0.0.1:{echo.port}", "NO_PROXY": ""}
    said = []
    with agent(config, **given) as running:
        eventually(
            lambda: all(
                place["why"] or place["reasons"]
                for place in (status.ask(tmp_path / "pilogger.db") or {})["destinations"]
            )
        )
        seen = shown(running.pid)
        said.append(json.dumps(status.ask(tmp_path / "pilogger.db")))
        said.append(stop(running, number))
    for words in ("status", "check"):
        with process(words, "--config", config, **given) as asked:
            said.append(asked.communicate()[0])

    assert leaks(echo.received)  # they went where they belong
    assert leaks(*said) == []
    assert b"pilogger" in seen
    assert leaks(seen) == []
    assert leaks(*written(tmp_path, "secrets.yaml", "third")) == []


CLIENTS = """
import logging, os, sys
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("urllib3").setLevel(logging.INFO)
url, first, second = sys.argv[1], os.environ["FIRST"], os.environ["SECOND"]

from pilogger.initialstate import Streamer
streamer = Streamer("B", "b", first, base_url=url, debug_level=3)
streamer.log("t", 20.5)
try:
    streamer.flush()
except Exception as error:
    print(repr(error), repr(streamer))

import pilogger.rudderstack as rudder_analytics
rudder_analytics.write_key, rudder_analytics.dataPlaneUrl = first, url
rudder_analytics.debug, rudder_analytics.max_retries, rudder_analytics.timeout = True, 1, 2
rudder_analytics.on_error = lambda *what: print(what)
rudder_analytics.track("u", "Watered", {"litres": 2.5})

from pilogger.tempodb import Client
port = int(url.rpartition(":")[2])
client = Client(first, second, "127.0.0.1", port, False, timeout=1, retries=0)
for ask in [client.get_series] * 8:
    try:
        print(ask())
    except Exception as error:
        print(repr(error), error, repr(client))
print("pid", os.getpid(), flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
"""


@pytest.mark.fault(91)
def test_clients_keep_their_secrets(tmp_path: Path, echo: wire.Wire) -> None:
    """At every level of talk, in their errors and in what they keep for the next start."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CLIENTS, echo.url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=tmp_path,
        env=os.environ | {"FIRST": FILE, "SECOND": SECRET, "XDG_STATE_HOME": str(tmp_path)},
    ) as running:  # fmt: skip
        assert running.stdout
        said: list[str] = []
        while not said or not said[-1].startswith("pid"):
            said.append(running.stdout.readline())
            assert said[-1], "".join(said)
        seen = shown(running.pid)
        rest, _ = running.communicate("", timeout=60)

    assert leaks(echo.received)
    assert "Traceback" not in "".join(said)
    assert leaks(*said, rest) == []
    assert leaks(seen) == []
    kept = written(tmp_path)
    assert any(each.startswith(b"SQLite format 3") for each in kept)
    assert leaks(*kept) == []


@pytest.mark.fault(91, 98)
def test_a_hub_keeps_the_keys_of_its_accounts(tmp_path: Path) -> None:
    """Right and wrong ones, in headers, in addresses, in Basic; a wrong one may be a right one
    with a slip.
    """
    port, store = free_port(), tmp_path / "hub.db"
    keys = {"PILOGGER_HUB_ACCESS_KEY": FILE, "PILOGGER_HUB_SECRET": SECRET}
    url = f"http://127.0.0.1:{port}"
    event = json.dumps({"key": "t", "value": 1, "epoch": 5})
    answers: list[tuple[int, str]] = []
    with hub(store, port, **keys) as running:
        for slip in ("", "x"):
            key, secret = FILE + slip, SECRET + slip
            header = {"X-IS-AccessKey": key}
            ways = [
                requests.post(f"{url}/api/events?bucketKey=b&accessKey={key}", event, timeout=10),
                requests.post(f"{url}/api/events?bucketKey=b", event, headers=header, timeout=10),
                requests.get(f"{url}/v1/series/", auth=(FILE, secret), timeout=10),
            ]
            answers += [(each.status_code, str(each.headers) + each.text) for each in ways]
        seen = shown(running.pid)
        said = stop(running, signal.SIGTERM)

    assert [code for code, _ in answers] == [204, 204, 200, 401, 401, 403]
    assert leaks(*(text for _, text in answers)) == []
    assert leaks(said, seen) == []
    assert leaks(*written(tmp_path)) == []
