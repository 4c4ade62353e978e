"""`pilogger doctor`: what keeps a machine from logging, and what to do about it."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import closing
from pathlib import Path

import logger_rig as rig
import pytest
from click.testing import CliRunner

from pilogger import doctor
from pilogger.cli import main
from pilogger.sample import Sample
from pilogger.store import Store, open_reader
from pilogger.store.checkpoint import LONG
from pilogger.store.connection import LARGEST_LOG
from pilogger.testing import FakeClock


def findings(config: Path) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine(config)}


def states(config: Path) -> dict[str, str]:
    return {finding.what: finding.state for finding in doctor.examine(config)}


def test_a_machine_before_its_first_start(tmp_path: Path) -> None:
    """Nothing is wrong, nothing is made, and what comes next is said."""
    config = rig.configure(tmp_path, store={"path": str(tmp_path / "new" / "pilogger.db")})
    found = findings(config)

    assert found["config"].found == f"{config}: 5 sensors, 0 destinations, no mistakes"
    assert {it.what for it in found.values() if it.state == "note"} >= {"room", "logger"}
    assert "wrong" not in {it.state for it in found.values()}
    assert [file.name for file in tmp_path.iterdir()] == ["pilogger.yaml"]


def test_a_logger_that_runs_is_asked(tmp_path: Path) -> None:
    """Its sensors and destinations are told as it has them; its lock stays its own."""
    port = rig.free_port()
    with rig.agent(rig.configure(tmp_path, port)) as agent:
        rig.eventually(lambda: states(tmp_path / "pilogger.yaml")["destination hub"] == "wrong")
        found = findings(tmp_path / "pilogger.yaml")
        lock = (tmp_path / "pilogger.db-lock").read_text()
        said = rig.stop(agent)

    assert found["logger"].found == f"process {agent.pid} runs, and answers"
    assert found["sensor s0"].state == "ok"
    assert "refuses connections" in found["destination hub"].found
    assert lock.startswith(f"{agent.pid}\n"), said


def test_every_line_says_what_to_do(tmp_path: Path) -> None:
    """Exit 1 with what is wrong; `--json` has the same for programs."""
    config = rig.configure(tmp_path, sensors={"air": {"driver": "bme280", "bus": 250}})
    (tmp_path / "secrets.yaml").write_text("a: b")
    (tmp_path / "secrets.yaml").chmod(0o644)
    said = CliRunner().invoke(main, ["doctor", "--config", str(config)])
    told = CliRunner().invoke(main, ["doctor", "--config", str(config), "--json"])
    wrong = [line.split() for line in said.output.splitlines() if line.startswith("wrong")]

    assert (said.exit_code, told.exit_code) == (1, 1)
    assert [words[1] for words in wrong] == ["secrets", "bus"]
    assert f"chmod 600 {tmp_path}/secrets.yaml" in said.output
    assert "there is no /dev/i2c-250: switch I2C on" in said.output
    assert [it["what"] for it in json.loads(told.output) if it["state"] == "wrong"] == [
        "secrets",
        "bus i2c 250",
    ]


def test_a_config_with_a_mistake_hides_nothing_else(tmp_path: Path) -> None:
    """Where the store is can be read all the same."""
    config = rig.configure(tmp_path, colour="red")
    found = findings(config)

    assert found["config"].state == "wrong"
    assert "colour" in found["config"].found
    assert {"disk", "room", "logger", "clock"} <= found.keys()


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("type_", "options", "state", "remedy"),
    [
        ("ext4", "rw", "ok", ""),
        ("ext4", "ro", "wrong", "a card that fails becomes read-only"),
        ("nfs4", "rw", "wrong", "a disk of this machine"),
        ("cifs", "rw", "wrong", "a disk of this machine"),
        ("vfat", "rw", "wrong", "use ext4"),
        ("overlay", "rw", "note", "survive a restart"),
        ("tmpfs", "rw", "note", "survive a restart"),
    ],
)
def test_the_file_system_of_the_store_is_known(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    type_: str,
    options: str,
    state: str,
    remedy: str,
) -> None:
    """By the mount that its folder is under, which may have a space in its name."""
    folder = tmp_path / "a disk"
    folder.mkdir()
    place = str(folder).replace(" ", "\\040")
    (tmp_path / "mounts").write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"23 22 0:5 / {tmp_path} rw shared:7 - xfs /dev/sdb rw\n"
        f"24 23 0:6 / {place} {options} shared:8 master:1 - {type_} somewhere rw\n"
    )
    monkeypatch.setattr(doctor, "MOUNTS", tmp_path / "mounts")
    config = rig.configure(tmp_path, store={"path": str(folder / "pilogger.db")})
    found = findings(config)["disk"]

    assert (found.state, remedy in found.remedy) == (state, True)
    assert f"is on {type_}" in found.found


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a file system needs root")
@pytest.mark.fault(29)
def test_a_real_disk_in_memory_without_inodes(tmp_path: Path) -> None:
    """The kernel's own table is understood; a disk may be full though it has room."""
    card = tmp_path / "card"
    card.mkdir()
    options = "size=8m,nr_inodes=50"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", card], check=True)
    try:
        found = findings(rig.configure(tmp_path, store={"path": str(card / "x.db")}))
    finally:
        subprocess.run(["umount", card], check=True)

    assert found["disk"].found == f"{card} is on tmpfs, which may be in memory"
    assert found["room"].state == "wrong"
    assert "inodes" in found["room"].found


@pytest.mark.fault(32)
def test_a_reader_that_holds_the_log_is_told_and_costs_nothing(tmp_path: Path) -> None:
    """Readings are stored meanwhile; when it ends, the log is as short as ever."""
    config = rig.configure(tmp_path)
    store = Store.open(tmp_path / "pilogger.db", FakeClock(), durability=0)
    store.declare("n", {"": "1"})
    text = "x" * LONG
    with closing(open_reader(store.path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sample").fetchone()
        for n in range(20):
            store.append([Sample("n", {"": f"{n} {text}"}, 100_000_000 + n)])
        held = findings(config)["log"]
    for n in range(20, 23):
        store.append([Sample("n", {"": f"{n} {text}"}, 100_000_000 + n)])
    after = findings(config)["log"]
    stored = len(rig.held(store.path))
    log = (tmp_path / "pilogger.db-wal").stat().st_size
    store.close()

    assert (held.state, after.state) == ("wrong", "ok")
    assert "a reader holds it: end what reads" in f"{held.found}: {held.remedy}"
    assert log <= LARGEST_LOG
    assert stored == 23
