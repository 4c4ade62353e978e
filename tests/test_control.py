"""Commands that change the store of a logger that runs: it does them itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import logger_rig as rig
import pytest

from pilogger import status
from pilogger.doors import knock
from pilogger.series import History, find
from pilogger.store import open_reader

AS_NOBODY = """
import os, sys
from pathlib import Path
from pilogger.control import hands
os.setgid(65534); os.setuid(65534)
with hands(Path(sys.argv[1])) as own:
    own.replay("x", 0, 1)
"""


def run(*args: object, how: Sequence[str] = ("-m", "pilogger")) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *how, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_import_goes_through_the_logger(tmp_path: Path) -> None:
    """It goes on logging; its destination is sent what came in; a second time nothing is new."""
    port = rig.free_port()
    config = rig.configure(tmp_path, port)
    file = tmp_path / "old.csv"
    lines = "".join(f"old,{n}.5,{n},Cel\n" for n in range(2500))
    file.write_text(f"series,epoch,value,unit\n{lines}bad\n")
    with rig.hub(tmp_path / "hub.db", port), rig.agent(config) as logger:
        first = run("import", file, "--config", config)
        again = run("import", file, "--config", config)
        taken = (status.ask(tmp_path / "pilogger.db") or {})["taken"]
        rig.eventually(lambda: (status.ask(tmp_path / "pilogger.db") or {})["taken"] > taken)
        rig.eventually(
            lambda: (status.ask(tmp_path / "pilogger.db") or {})["destinations"][0]["pending"] < 50
        )
        rig.stop(logger)
    with closing(open_reader(tmp_path / "hub.db")) as db:
        [series] = find(db, keys=["old"])
        arrived = [(t, value) for t, _, value in History(db).read(series.id, 0, 10**13)]

    assert first.stdout == "2,500 readings stored, 0 known already, 1 refused\n"
    assert again.stdout == "0 readings stored, 2,500 known already, 1 refused\n"
    assert f"{file}:2502: there are not as many values as columns" in first.stderr
    assert arrived == [(n * 10**9 + 5 * 10**8, n) for n in range(2500)]


def test_a_replay_goes_through_the_logger(tmp_path: Path) -> None:
    """The running uploader sends the span again; a name that never was is refused."""
    port = rig.free_port()
    config = rig.configure(tmp_path, port)
    store = tmp_path / "pilogger.db"

    def place() -> dict[str, int]:
        return dict((status.ask(store) or {})["destinations"][0])

    with rig.hub(tmp_path / "hub.db", port), rig.agent(config) as logger:
        rig.eventually(lambda: place()["sent"] > 100)
        wrong = run("replay", "hut", "--config", config)
        result = run("replay", "hub", "--config", config)
        again = int(result.stdout.split()[0])
        rig.eventually(lambda: place()["pending"] < 50)
        rig.stop(logger)
    last = status.read(store)
    series = Counter((item[0], item[1]) for item in rig.held(tmp_path / "hub.db"))

    (there,) = last["destinations"]

    assert "sent nothing to hut; known: hub" in wrong.stderr
    assert again >= 100
    assert there["sent"] + there["pending"] == last["store"]["readings"] + again
    assert max(series.values()) == 1  # the hub knows what is sent again


def test_without_a_logger_the_store_is_opened(tmp_path: Path) -> None:
    """A socket that a killed logger left behind does not matter."""
    config = rig.configure(tmp_path)
    file = tmp_path / "x.csv"
    file.write_text("series,epoch,value\nt,1,2\n")
    with rig.agent(config) as logger:
        logger.kill()
        logger.wait()
        left = (tmp_path / "pilogger.db-control").exists()
        result = run("import", file, "--config", config)

    assert left
    assert result.stdout == "1 reading stored, 0 known already, 0 refused\n"


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
def test_other_users_may_not(public_path: Path) -> None:
    """They read, but change nothing; the sentence says who may."""
    config = rig.configure(public_path)
    config.chmod(0o644)
    with rig.agent(config):
        result = run(public_path / "pilogger.db", how=("-c", AS_NOBODY))

    assert "only its own user may ask it, and root: try sudo" in result.stderr


def test_strange_requests_are_answered(tmp_path: Path) -> None:
    """No request ends the logger, or changes anything."""
    config = rig.configure(tmp_path, sensors={"a": {"driver": "simulated", "every": "1h"}})
    store = tmp_path / "pilogger.db"
    requests = [
        b"", b"[]", b"{", b'{"do":"x"}', b'{"do":"take","readings":[1]}', b"\xff\xfe",
        b'{"do":"take","readings":[["a"]]}', b'{"do":"take","readings":[["a\\u0000","1",2]]}',
        b'{"do":"take","readings":[["a","x",2]]}', b'{"do":"replay","to":"hub","start":0}',
        b'{"do":"take","readings":[[["a"],{},2]]}', b'{"do":"take","readings":[["a","1",{}]]}',
    ]  # fmt: skip
    with rig.agent(config):
        with knock(store, "control") as caller, caller.makefile("rwb") as lines:
            lines.write(b"\n".join([*requests, b""]))
            lines.flush()
            answers = [lines.readline() for _ in requests]
        state = status.ask(store)

    assert [answer for answer in answers if not answer.startswith(b'{"error": ')] == []
    assert state
    assert state["store"]["stored"] == 1
