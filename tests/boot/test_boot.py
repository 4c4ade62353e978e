"""From the one line to readings on a hub, and through every upgrade, on a Debian of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import container
import pytest
from container import Machine, eventually

pytestmark = pytest.mark.boot

PATIENCE_S = 30.0
INSTALLER = (container.PROJECT / "install.sh").read_text()

MIGRATION = """
MIGRATIONS["m998_test"] = "CREATE TABLE newer (x);\\n"
VERSION = len(MIGRATIONS)
"""
ANOTHER = MIGRATION.replace("newer", "newest").replace("m998", "m999")
FAILING = """
def run(config: Path) -> None:
    from pilogger.clock import SystemClock
    from pilogger.store import Store

    Store.open(load(config).store.path, SystemClock()).close()
    raise SystemExit(1)
"""
KILLED = """
import os, runpy, signal, sys
from itertools import count

CHANGES = {"os.rename", "os.symlink", "subprocess.Popen"}
steps, last = count(1), int(sys.argv.pop(1))

def watch(event, _arguments):
    if event in CHANGES and next(steps) == last:
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
runpy.run_module("pilogger.versions", run_name="__main__", alter_sys=True)
"""
PROBE = "import ctypes; exit(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)) < 0)"
IN_TIME = "[Service]\nEnvironment=PILOGGER_SYNC_FILE=/etc/hostname\n"
"""No machine without network knows that its time is right; this one takes it to be."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """This pilogger; a newer one; one whose store is newer still, and that does not run."""
    container.needed()
    tree = tmp_path_factory.mktemp("wheels") / "tree"
    shutil.copytree(container.PROJECT, tree, ignore=container.NOT_BUILT, symlinks=True)
    return [
        container.build(tree, "1.0"),
        container.build(tree, "1.1", store__schema=MIGRATION),
        container.build(tree, "1.2", store__schema=MIGRATION + ANOTHER, daemon=FAILING),
    ]


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory, wheels: list[Path]) -> Iterator[Machine]:
    root = container.debian(tmp_path_factory.mktemp("machine"))
    container.wheels(root, *wheels)
    machine = Machine(root)
    with machine.booted():
        yield machine


@pytest.fixture
def machine(booted: Machine) -> Machine:
    """A booted machine with pilogger 1.0 or newer on it, and a hub."""
    if booted.run("systemctl", "is-active", "pilogger", check=False) != "active":
        drop_in(booted, "pilogger", IN_TIME)
        drop_in(booted, "pilogger-hub", IN_TIME)
        install(booted, "1.0", "--hub")
    return booted


def install(machine: Machine, version: str, *options: str) -> str:
    """Install as the one line does: piped into bash, in a folder where anything may lie."""
    wheel = f"/wheels/pilogger-{version}-py3-none-any.whl"
    piped = ("bash", "-s", "--", "--source", wheel)
    folder = machine.root / "srv/downloads"
    folder.mkdir(exist_ok=True)
    for module in ("venv", "secrets", "pip", "pilogger"):
        (folder / f"{module}.py").write_text("raise SystemExit('this is another one')\n")
    return machine.run("env", "--chdir=/srv/downloads", *piped, *options, stdin=INSTALLER)


def drop_in(machine: Machine, service: str, text: str) -> None:
    folder = machine.root / f"etc/systemd/system/{service}.service.d"
    folder.mkdir(exist_ok=True)
    (folder / "test.conf").write_text(text)


def status(machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.run("pilogger", "status", "--json"))
    return found


def shown(machine: Machine, name: str) -> str:
    return machine.run("systemctl", "show", "--property", name, "--value", "pilogger")


def stored(machine: Machine, where: str = "pilogger/pilogger.db") -> int:
    count = "SELECT count(*) FROM reading"
    program = (
        "import sqlite3, sys; print(sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)"
        f".execute('{count}').fetchone()[0])"
    )
    return int(machine.run("python3", "-c", program, f"/var/lib/{where}"))


def version(machine: Machine) -> str:
    return machine.run("pilogger", "--version").removeprefix("pilogger ")


def test_one_line_leads_to_readings_on_the_hub(machine: Machine) -> None:
    """The logger is ready and sends this machine's own readings to the hub beside it."""
    said = eventually(lambda: status(machine)["destinations"][0]["sent"], PATIENCE_S)

    assert said > 0
    assert eventually(lambda: stored(machine, "pilogger-hub/hub.db"), PATIENCE_S) > 0
    assert shown(machine, "SubState") == "running"
    assert shown(machine, "StatusText")


def test_sensors_at_serial_ports_need_no_pip(machine: Machine) -> None:
    """All that such a sensor wants is its port."""
    (machine.root / "root/gps.yaml").write_text("sensors: {place: {driver: gps, every: 1s}}\n")

    _, said = machine.attempt("pilogger", "read", "place", "--config", "/root/gps.yaml")

    assert "there is no /dev/serial0" in said


def test_secrets_are_for_their_owners_only(machine: Machine) -> None:
    """Nobody else reads an access key; everybody may ask how it goes."""
    seen = machine.run("stat", "-c", "%U %a", "/etc/pilogger/secrets.yaml", "/etc/pilogger/hub.env")

    assert seen.split() == ["pilogger", "600", "root", "600"]
    as_nobody = ("setpriv", "--reuid=65534", "--clear-groups")
    assert "running for" in machine.run(*as_nobody, "pilogger", "status")


def test_secrets_may_be_of_root_alone(machine: Machine) -> None:
    """systemd hands them over, and a file that is not there stops no start."""
    secrets = machine.root / "etc/pilogger/secrets.yaml"
    config = machine.root / "etc/pilogger/pilogger.yaml"
    text, before = secrets.read_text(), config.read_text()
    owner = secrets.stat()
    os.chown(secrets, 0, 0)
    machine.run("systemctl", "restart", "pilogger")
    sent = status(machine)["destinations"][0]["sent"]
    eventually(lambda: status(machine)["destinations"][0]["sent"] > sent, PATIENCE_S)
    secrets.write_text("hub: another key\n")
    machine.run("systemctl", "reload", "pilogger")
    waits = "what changed in secrets.yaml will hold after a restart"
    eventually(lambda: waits in shown(machine, "StatusText"), PATIENCE_S)
    secrets.unlink()
    config.write_text(before.partition("destinations:")[0])
    machine.run("systemctl", "restart", "pilogger")

    assert status(machine)["destinations"] == []
    config.write_text(before)
    secrets.write_text(text)
    secrets.chmod(0o600)
    os.chown(secrets, owner.st_uid, owner.st_gid)
    machine.run("systemctl", "restart", "pilogger")


@pytest.mark.parametrize("service", ["pilogger", "pilogger-hub"])
def test_sandbox_lets_the_state_of_the_clock_through(machine: Machine, service: str) -> None:
    """Behind a unit's hardening adjtimex(2) still answers."""
    unit = (container.PROJECT / f"systemd/{service}.service").read_text()
    hardening = unit.partition("# Hardening\n")[2].partition("[Install]")[0]
    probe = machine.root / f"etc/systemd/system/probe-{service}.service"
    probe.write_text(
        f"[Service]\nType=oneshot\nUser={service}\n"
        f'ExecStart=/usr/bin/python3 -c "{PROBE}"\n{hardening}'
    )
    machine.run("systemctl", "daemon-reload")

    machine.run("systemctl", "start", probe.stem)


def test_reload_takes_the_new_config(machine: Machine) -> None:
    """`systemctl reload` brings a new sensor, in the same process."""
    process = shown(machine, "MainPID")
    config = machine.root / "etc/pilogger/pilogger.yaml"
    before = config.read_text()
    config.write_text(before.replace("sensors:\n", "sensors:\n  it: {driver: system}\n", 1))

    machine.run("systemctl", "reload", "pilogger")

    eventually(lambda: "it" in {one["id"] for one in status(machine)["sensors"]}, PATIENCE_S)
    assert shown(machine, "MainPID") == process
    config.write_text(before)
    machine.run("systemctl", "reload", "pilogger")


def test_hung_logger_is_ended_and_comes_back(machine: Machine) -> None:
    """A process that makes no progress misses its watchdog, and a new one takes over."""
    drop_in(machine, "pilogger", IN_TIME + "WatchdogSec=2s\nRestartSec=1s\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "pilogger")
    hung = shown(machine, "MainPID")

    machine.run("bash", "-c", f"kill -STOP {hung}")

    eventually(lambda: shown(machine, "MainPID") not in ("0", hung), PATIENCE_S)
    eventually(lambda: shown(machine, "ActiveState") == "active", PATIENCE_S)
    assert "result 'watchdog'" in machine.run("journalctl", "-u", "pilogger", "-o", "cat")
    assert int(shown(machine, "NRestarts")) > 0
    drop_in(machine, "pilogger", IN_TIME)
    machine.run("systemctl", "daemon-reload")


def test_power_cut_in_an_upgrade_is_undone_at_the_next_boot(machine: Machine) -> None:
    """The new version ran already, on a store of a new format; now the old one does."""
    old, before = version(machine), eventually(lambda: stored(machine), PATIENCE_S)
    (machine.root / "install.sh").write_text(INSTALLER)
    wheel = "/wheels/pilogger-1.1-py3-none-any.whl"
    installer = machine.begin("bash", "/install.sh", "--source", wheel)
    kept = machine.root / "var/lib/pilogger/pilogger.db-before"
    eventually(lambda: kept.exists() and version(machine) == "1.1", 2 * PATIENCE_S)
    eventually(lambda: shown(machine, "ActiveState") == "active", PATIENCE_S)

    machine.lose_power()

    installer.wait()
    eventually(lambda: not (machine.root / "opt/pilogger/undo").exists(), PATIENCE_S)
    eventually(lambda: status(machine)["running"], PATIENCE_S)
    assert version(machine) == old
    assert stored(machine) >= before
    assert not kept.exists()


@pytest.mark.parametrize("step", [7, 20])
def test_installer_that_is_killed_is_undone_at_once(machine: Machine, step: int) -> None:
    """When all is stopped, and when the new version was started: nobody is needed."""
    (machine.root / "killed.py").write_text(KILLED)
    new = max(int(folder.name) for folder in (machine.root / "opt/pilogger/versions").iterdir())
    python = f"/opt/pilogger/versions/{new}/bin/python"
    services = ("pilogger-hub", "pilogger")

    code, said = machine.attempt(
        *("flock", "/opt/pilogger", python, "-I", "/killed.py", step, "switch", *services)
    )

    assert code == 137, said
    undo = machine.root / "opt/pilogger/undo"
    eventually(lambda: not undo.exists() and status(machine)["running"], PATIENCE_S)
    assert version(machine) == "1.0"
    assert machine.run("systemctl", "is-active", *services).split() == ["active"] * 2
    guard = ("systemctl", "is-active", "pilogger-undo")
    assert eventually(lambda: machine.run(*guard, check=False) == "inactive", PATIENCE_S)


def test_upgrade_takes_readings_and_config_along(machine: Machine) -> None:
    """A newer version tries a copy of the store first, then goes on with it."""
    config = machine.root / "etc/pilogger/pilogger.yaml"
    config.write_text(f"{config.read_text()}\n# mine\n")
    before = eventually(lambda: stored(machine), PATIENCE_S)

    said = install(machine, "1.1")

    assert "a copy of /var/lib/pilogger/pilogger.db went from format" in said
    assert version(machine) == "1.1"
    assert stored(machine) >= before
    assert config.read_text().endswith("# mine\n")
    assert not (machine.root / "var/lib/pilogger/pilogger.db-before").exists()


def test_failing_upgrade_goes_back(machine: Machine) -> None:
    """A version that does not run leaves the old one running, on the store as it was."""
    old, before = version(machine), eventually(lambda: stored(machine), PATIENCE_S)
    wheel = "/wheels/pilogger-1.2-py3-none-any.whl"

    code, said = machine.attempt("bash", "-s", "--", "--source", wheel, stdin=INSTALLER)

    assert code == 1, said
    assert "the store is as before the upgrade" in said
    assert "the old one runs again" in said
    assert 'step 7, "Switch and start", was not completed' in said
    assert version(machine) == old
    assert status(machine)["running"]
    assert stored(machine) >= before


@pytest.mark.fault(92)
def test_planted_link_is_not_followed(machine: Machine) -> None:
    """Where a link lies in the way nothing is written, and the sentence names it."""
    victim = machine.root / "root/victim"
    victim.write_text("precious")
    config = machine.root / "etc/pilogger/hub.env"
    kept = config.read_text()
    config.unlink()
    config.symlink_to("/root/victim")

    code, said = machine.attempt("bash", "-s", stdin=INSTALLER)

    config.unlink()
    config.write_text(kept)
    config.chmod(0o600)
    assert code == 1
    assert "/etc/pilogger/hub.env is a link" in said
    assert victim.read_text() == "precious"
    assert "not done  Debian packages" in said


def test_uninstall_keeps_readings_until_purged(machine: Machine) -> None:
    """The program goes; data and config stay, until they are asked to go too."""
    eventually(lambda: stored(machine), PATIENCE_S)

    machine.run("bash", "-s", "--", "--uninstall", stdin=INSTALLER)

    assert not (machine.root / "opt/pilogger").exists()
    assert not (machine.root / "usr/local/bin/pilogger").is_symlink()
    assert machine.run("systemctl", "is-active", "pilogger", check=False) == "inactive"
    assert stored(machine) > 0
    assert (machine.root / "etc/pilogger/pilogger.yaml").exists()

    machine.run("bash", "-s", "--", "--uninstall", "--purge", "--yes", stdin=INSTALLER)

    assert not (machine.root / "var/lib/pilogger").exists()
    assert not (machine.root / "etc/pilogger").exists()
    assert machine.attempt("id", "pilogger")[0] == 1


def test_image_with_pilogger_logs_at_its_first_boot(
    tmp_path: Path, wheels: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--prefix` puts it into a root that does not run; nothing is left to do there."""
    root = container.debian(tmp_path)
    container.wheels(root, wheels[0])
    for setting in container.ENVIRONMENT:
        monkeypatch.setenv(*setting.split("="))
    install = ("bash", container.PROJECT / "install.sh", "--prefix", root, "--source", wheels[0])
    (root / "opt").rename(root / "was-opt")
    (root / "opt").symlink_to(tmp_path)
    with pytest.raises(AssertionError, match="opt is a link, which leads out of"):
        container.call(*install)
    (root / "opt").unlink()
    (root / "was-opt").rename(root / "opt")

    container.call(*install)

    machine = Machine(root)
    with machine.booted():
        assert eventually(lambda: stored(machine), PATIENCE_S) > 0
