"""kill -9 of a hub costs no increment and doubles none, if clients repeat what was not answered."""

from __future__ import annotations

import signal
import socket
import threading
from itertools import count
from pathlib import Path
from random import Random

import requests
from logger_rig import PATIENCE_S, hub

from pilogger.hub import Hub

KILLS = 4
CLIENTS = 8
AT = "2012-01-01T00:00:00"


class Client(threading.Thread):
    """Adds 1 to its own series and to one that all share, again and again, each time once."""

    def __init__(
        self, number: int, url: str, up: threading.Event, answers: threading.Semaphore
    ) -> None:
        super().__init__(name=f"client {number}")
        self.key = f"own {number}"
        self.answered = self.repeated = 0
        self.stopping = threading.Event()
        self._url, self._up, self._answers = url, up, answers

    def run(self) -> None:
        data = [{"t": AT, "key": key, "v": 1} for key in (self.key, "shared")]
        for number in count():
            if self.stopping.is_set():
                return
            while not self._is_done(data, f"{self.key}: {number}"):
                self.repeated += 1
            self.answered += 1
            self._answers.release()

    def _is_done(self, data: object, name: str) -> bool:
        self._up.wait()
        try:
            answer = requests.post(
                f"{self._url}/v1/multi/increment/",
                json=data,
                headers={"Idempotency-Key": name},
                auth=("key", "secret"),
                timeout=PATIENCE_S,
            )
        except requests.RequestException:
            return False
        return answer.status_code == 200


def test_every_increment_is_counted_once(tmp_path: Path) -> None:
    """Killed again and again while several clients are at it, at moments that nobody chose."""
    random, path = Random(5), tmp_path / "hub.db"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    up, answers = threading.Event(), threading.Semaphore(0)
    clients = [Client(n, f"http://127.0.0.1:{port}", up, answers) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for _ in range(KILLS):
            with hub(path, port) as running:
                up.set()
                for _ in range(random.randrange(1, 40)):
                    assert answers.acquire(timeout=PATIENCE_S)
                up.clear()
                running.send_signal(signal.SIGKILL)
                running.wait()
    finally:
        for client in clients:
            client.stopping.set()
        with hub(path, port):
            up.set()
            for client in clients:
                client.join()
    with Hub("127.0.0.1", 0, path) as kept:
        url = f"{kept.url}/v1/data/?start=2012-01-01&end=2012-01-02&interval=raw"
        found = {one["series"]["key"]: one["data"] for one in requests.get(url, timeout=10).json()}

    sums = {client.key: client.answered for client in clients}
    sums["shared"] = sum(sums.values())
    assert {key: [point["v"] for point in data] for key, data in found.items()} == {
        key: [total] for key, total in sums.items()
    }
    assert any(client.repeated for client in clients)
