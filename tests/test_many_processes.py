"""Many processes that log at the same time, of which some fork and one is killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

from streamer_rig import Rig

from pilogger.hub import Hub

WORKER = """
import os, sys
from pilogger.initialstate import Streamer

name, url = sys.argv[1:]
streamer = Streamer("Many", "many", "key", base_url=url)

def log(who, first, last):
    for number in range(first, last):
        streamer.log(who, number, epoch=number)

log(name, 0, 100)
if name == "killed":
    print("logged", flush=True)
    os.kill(os.getpid(), 9)
child = os.fork()
log(f"{name}-child" if child == 0 else name, 100, 200)
if child:
    os.waitpid(child, 0)
    log(name, 200, 300)
"""

NAMES = ("one", "two", "three", "killed")


def start(name: str, url: str, state: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"XDG_STATE_HOME": str(state), "HOME": str(state)}
    return subprocess.Popen([sys.executable, "-c", WORKER, name, url], env=environment)


def expected() -> Counter[tuple[str, int]]:
    whole = {"one": 300, "two": 300, "three": 300, "killed": 100}
    found = Counter((name, n) for name, last in whole.items() for n in range(last))
    found.update((f"{name}-child", n) for name in NAMES[:3] for n in range(100, 200))
    return found


def arrived(rig: Rig) -> Counter[tuple[str, int]]:
    return Counter((key, value) for key, _, value in rig.held("many"))


def test_everything_arrives_once(tmp_path: Path) -> None:
    """Of four processes, three of which fork while one is killed; the next start has the rest."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        workers = [start(name, hub.url, tmp_path) for name in NAMES]
        codes = [worker.wait(timeout=60) for worker in workers]
        last = start("last", hub.url, tmp_path)
        assert last.wait(timeout=60) == 0
        found = arrived(Rig(hub, "many"))

    assert codes == [0, 0, 0, -9]
    assert Counter({it: n for it, n in found.items() if "last" not in it[0]}) == expected()
    assert len([it for it in found if "last" in it[0]]) == 400


def test_nothing_is_lost_while_the_server_is_down(tmp_path: Path) -> None:
    """They end all the same, and one that comes later sends what all of them left."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    workers = [start(name, url, tmp_path) for name in NAMES]
    codes = [worker.wait(timeout=60) for worker in workers]
    with Hub("127.0.0.1", port, tmp_path / "hub.db") as hub:
        rig = Rig(hub, "many")
        for _ in range(8):  # each has two seconds for what others left
            assert start("last", url, tmp_path).wait(timeout=60) == 0
            found = arrived(rig)
            if expected() <= found:
                break

    assert codes == [0, 0, 0, -9]
    assert Counter({it: n for it, n in found.items() if "last" not in it[0]}) == expected()
    assert len(list(tmp_path.glob("pilogger/initialstate/*/*.db"))) <= 2
