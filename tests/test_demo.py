"""`pilogger demo`: the whole job, counted."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import logger_rig as rig
import requests

from pilogger import status

KINDS = {"taken", "stored", "uploaded", "pending", "refused", "hub"}


def last_line(said: str) -> dict[str, int]:
    counts: dict[str, int] = json.loads(said.splitlines()[-1])
    assert set(counts) >= KINDS
    return counts


def test_every_reading_is_accounted_for(tmp_path: Path) -> None:
    """Unattended: the last line counts readings, and the counts add up; twice in one folder."""
    counts = []
    for _ in range(2):
        with rig.process("demo", "--for", "3s", "--json", "--dir", tmp_path) as demo:
            said, _err = demo.communicate(timeout=60)
        assert demo.returncode == 0, said
        counts.append(last_line(said))

    for found in counts:
        assert found["taken"] == found["stored"]
        assert found["stored"] == found["uploaded"] + found["pending"] + found["refused"]
        assert found["hub"] == found["uploaded"] > 0
    assert counts[1]["taken"] > counts[0]["taken"]


def test_ctrl_c_stops_cleanly_and_says_what_was_kept(tmp_path: Path) -> None:
    """The page is live meanwhile; afterwards both stores are there and closed."""
    with rig.process("demo", "--dir", tmp_path) as demo:
        assert demo.stdout is not None
        page = re.search(r"http://\S+", demo.stdout.readline())
        assert page
        live = f"{page[0]}/api/live"
        rig.eventually(
            lambda: (
                {s["key"] for s in requests.get(live, timeout=5).json()["series"]}
                >= {"machine.load1", "sine.value", "walk.value"}
            )
        )
        said = rig.stop(demo, signal.SIGINT)

    assert demo.returncode == 0
    assert f"Kept in {tmp_path}" in said
    assert "Traceback" not in said
    assert rig.held(tmp_path / "hub.db")
    assert not list(tmp_path.glob("*-fresh-*"))


def test_a_demo_of_no_time_ends_at_once(tmp_path: Path) -> None:
    """Nothing was sent, and so it was no success; but everything is counted."""
    with rig.process("demo", "--for", "0s", "--json", "--dir", tmp_path) as demo:
        said, _ = demo.communicate(timeout=30)

    assert last_line(said)["taken"] == last_line(said)["stored"]
    assert "Traceback" not in said


def test_a_hub_that_died_is_told_with_the_counts(tmp_path: Path) -> None:
    """What the logger stored is accounted for all the same."""
    with rig.process("demo", "--for", "4s", "--dir", tmp_path) as demo:
        rig.eventually(lambda: (status.ask(tmp_path / "pilogger.db") or {}).get("taken", 0) > 5)
        os.kill(int((tmp_path / "hub.db-lock").read_text().split()[0]), signal.SIGKILL)
        said, _ = demo.communicate(timeout=60)

    assert demo.returncode == 1
    assert "the hub does not answer" in said
    assert f"Kept in {tmp_path}" in said
    assert "Traceback" not in said


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """As `run` and `hub` say it."""
    (tmp_path / "file").touch()
    with rig.process("demo", "--dir", tmp_path / "file" / "x") as demo:
        said, _ = demo.communicate(timeout=30)

    assert demo.returncode == 1
    assert "cannot be made" in said
    assert "Traceback" not in said


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    """The hub says why it does not start."""
    port = rig.free_port()
    with (
        rig.hub(tmp_path / "other.db", port),
        rig.process("demo", "--port", port, "--dir", tmp_path / "demo") as demo,
    ):
        said, _ = demo.communicate(timeout=30)

    assert demo.returncode == 1
    assert "the hub does not start" in said
    assert str(port) in said
    assert "Traceback" not in said


def test_a_killed_demo_can_go_on_in_its_folder(tmp_path: Path) -> None:
    """Its hub ends with it; the next run adds up, with what the first one had taken."""
    with rig.process("demo", "--dir", tmp_path) as demo:
        rig.eventually(lambda: (status.ask(tmp_path / "pilogger.db") or {}).get("taken", 0) > 20)
        demo.kill()
        demo.wait()
    with rig.process("demo", "--for", "2s", "--json", "--dir", tmp_path) as again:
        said, _ = again.communicate(timeout=60)

    assert again.returncode == 0, said
    assert last_line(said)["taken"] > 20
