"""The installer and the units, as far as they can be tried without changing this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
INSTALLER = PROJECT / "install.sh"
UNITS = sorted((PROJECT / "systemd").glob("*.service"))
SERVICES = [unit for unit in UNITS if unit.stem != "pilogger-undo"]
BASH = shutil.which("bash") or "bash"


def program(name: str, package: str) -> str:
    if not (found := shutil.which(name)):
        pytest.skip(f"no {name} here: apt install {package}")
    return found


def bash(
    *arguments: object, user: int | None = None, text: str = "", path: str = os.defpath
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BASH, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        user=user,
        env={"PATH": path},
        timeout=30,
    )


def test_shellcheck_finds_nothing() -> None:
    """The installer is clean in the eyes of shellcheck."""
    done = subprocess.run([program("shellcheck", "shellcheck"), INSTALLER], check=False)

    assert done.returncode == 0


def test_download_that_breaks_off_runs_nothing(tmp_path: Path) -> None:
    """However many of its lines arrive, short of the last: no command is run.

    There is no PATH, so that a command would be told as not found.
    """
    lines = INSTALLER.read_text().splitlines(keepends=True)
    for count in range(len(lines)):
        done = bash("-s", text="".join(lines[:count]), path=str(tmp_path))

        assert "not found" not in done.stderr, f"after line {count}"
        assert not done.stdout, f"after line {count}"


def test_last_line_is_whole_or_nothing(tmp_path: Path) -> None:
    """Cut within its last line it does not run either: never without its arguments."""
    text = INSTALLER.read_text().rstrip("\n")
    for end in range(text.rindex("\n") + 1, len(text)):
        done = bash("-s", "--", "--help", text=text[:end], path=str(tmp_path))

        assert "not found" not in done.stderr, text[-20:end]
        assert not done.stdout


def test_help_names_every_option() -> None:
    """`--help` tells all that can be said, and needs no rights."""
    done = bash(INSTALLER, "--help")

    assert done.returncode == 0
    for option in ("--version", "--source", "--hub", "--enable", "--no-start", "--prefix"):
        assert option in done.stdout
    for option in ("--uninstall", "--purge", "--yes"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--hubb"], "there is no option --hubb"),
        (["--version"], "--version needs a value"),
        (["--enable", "i2c,uart"], "--enable takes i2c, spi and w1, not i2c,uart"),
        (["--purge"], "--purge goes with --uninstall"),
        (["--version", "1", "--source", "x.whl"], "--version and --source exclude each other"),
    ],
)
def test_wrong_option_changes_nothing(arguments: list[str], sentence: str) -> None:
    """A mistake in the options ends it with code 2, a sentence and the usage."""
    done = bash(INSTALLER, *arguments)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Usage:" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--uninstall"], ["--prefix", "/nowhere"]])
def test_without_root_it_says_so(arguments: list[str]) -> None:
    """Who is not root is told to use sudo, before anything else."""
    nobody = 65534 if os.geteuid() == 0 else None
    done = bash("-s", "--", *arguments, user=nobody, text=INSTALLER.read_text())

    assert done.returncode == 1
    assert done.stderr == "pilogger: this needs root: run it with sudo\n"
    assert not done.stdout


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_unit_is_understood(unit: Path, tmp_path: Path) -> None:
    """systemd knows every setting of a unit; only the program is not there."""
    analyze = program("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if unit.name in line]

    assert [line for line in said if "/opt/pilogger/current/bin" not in line] == []


@pytest.mark.parametrize(("name", "most"), [("pilogger", 2.0), ("pilogger-hub", 2.0)])
def test_unit_is_hardened(name: str, most: float) -> None:
    """What a unit exposes stays below a figure of `systemd-analyze security`."""
    analyze = program("systemd-analyze", "systemd")
    done = subprocess.run(
        [
            analyze,
            "security",
            "--offline=true",
            f"--threshold={most * 10:.0f}",
            PROJECT / f"systemd/{name}.service",
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-200:]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_unit_waits_for_no_network_and_never_gives_up(unit: Path) -> None:
    """It starts with the local disks alone, and is started again for ever."""
    lines = unit.read_text().splitlines()

    assert [line for line in lines if line.startswith(("After=", "Wants=", "Requires="))] == [
        "After=local-fs.target"
    ]
    assert "Restart=always" in lines
    assert "StartLimitIntervalSec=0" in lines
