"""The hub as a process: where it listens, how it stops."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from pilogger import series
from pilogger.errors import PiloggerError, StoreLocked
from pilogger.hub import Hub, live
from pilogger.store import open_reader

PROGRAM = """
import sys
from pathlib import Path
from pilogger.hub import serve

def announce(url):
    print(url, flush=True)

serve("127.0.0.1", 0, Path(sys.argv[1]), announce=announce)
print("stopped", flush=True)
"""
EVENT = {"key": "a", "value": 1, "epoch": 5}


@contextmanager
def process(store: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, store],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as hub:
        assert hub.stdout
        try:
            yield hub, hub.stdout.readline().strip()
        finally:
            hub.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_with_connections_open(tmp_path: Path, number: int) -> None:
    """Idle, silent and half-sent connections do not hold it up; the store is closed whole."""
    with process(tmp_path / "hub.db") as (hub, url), requests.Session() as idle:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address), socket.create_connection(address) as half:
            half.sendall(b"POST /api/events?bucketKey=b HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            half.sendall(b"Content-Length: 9\r\n\r\n[")
            assert idle.post(f"{url}/api/events?bucketKey=b", json=EVENT).status_code == 204
            hub.send_signal(number)
            said, _ = hub.communicate(timeout=5)  # it takes at most 2 s; slow machines exist

    assert (hub.returncode, said) == (0, "stopped\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub.db", "hub.db-lock"]
    with closing(open_reader(tmp_path / "hub.db")) as db:
        assert series.count(db) == 1


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """204 means on the disk: the next hub on this store has it."""
    with process(tmp_path / "hub.db") as (hub, url):
        answer = requests.post(f"{url}/api/events?bucketKey=b", json=EVENT, timeout=10)
        assert answer.status_code == 204
        hub.kill()
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as after:
        found = requests.get(f"{after.url}/api/health", timeout=10).json()

    assert found == {"status": "ok", "readings": 1}


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """The sentence says where it could not listen, and no store is left behind."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(PiloggerError, match=r"cannot listen on 127\.0\.0\.1 port \d+: .*in use"),
    ):
        Hub("127.0.0.1", taken.getsockname()[1], tmp_path / "hub.db")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_refused(tmp_path: Path, port: int) -> None:
    """No traceback for a slip on the command line."""
    with pytest.raises(PiloggerError, match="cannot listen"):
        Hub("127.0.0.1", port, tmp_path / "hub.db")


def test_a_build_without_charts_is_found_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says what to do; the port and the store are let go."""
    with monkeypatch.context() as patch:
        patch.setattr(live, "PAGE", tmp_path)
        with pytest.raises(PiloggerError, match="install it again"):
            Hub("127.0.0.1", 0, tmp_path / "hub.db")

    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        assert requests.get(hub.url, timeout=10).status_code == 200


def test_one_store_has_one_hub(tmp_path: Path) -> None:
    """A second hub is refused, and gives its port back."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db"), pytest.raises(StoreLocked):
        Hub("127.0.0.1", 0, tmp_path / "hub.db")


def test_a_store_that_fails_makes_clients_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """503: they keep their readings; the reason goes to the log, not to strangers."""
    caplog.set_level(logging.DEBUG, "pilogger.hub")
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        hub.store.close()
        answer = requests.post(f"{hub.url}/api/events?bucketKey=b", json=EVENT, timeout=10)

    assert (answer.status_code, answer.text.split(";")[0]) == (
        503,
        "the hub cannot store anything now",
    )
    assert "is closed" in caplog.text
    assert str(tmp_path) not in answer.text
