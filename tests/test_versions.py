"""The switch from one version to another, with stand-ins for systemd and for the versions.

The stand-in of systemctl is a program that keeps what runs in files. The services are
called after users of this machine, as whom stores are looked after; a booted Debian with
the real ones is in tests/boot.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from pilogger import versions
from pilogger.clock import SystemClock
from pilogger.errors import PiloggerError
from pilogger.store import Store
from pilogger.store.connection import Lock

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")

SERVICE, MORE = "root", "daemon"
SYSTEMCTL = """#!/bin/sh
cd {home}/systemd && echo "$*" >>calls
while [ "${{2#--}}" != "${{2-}}" ]; do verb=$1; shift 2; set -- "$verb" "$@"; done
case $1 in
    start) touch "$2.active" ;;
    stop) rm -f "$2.active" ;;
    show)
        echo MainPID=17
        if [ ! -e "$2.active" ]; then echo ActiveState=inactive; else echo ActiveState=active; fi
        if grep -qs . bad && grep -qx "$(readlink {home}/opt/current)" bad
        then echo NRestarts=3; else echo NRestarts=0; fi ;;
esac
"""
CHECK = """#!/bin/sh
[ "$(cat "$CREDENTIALS_DIRECTORY/secrets.yaml")" = "key: x" ] && [ ! -e {version}/refuses ]
"""


class House:
    """Two versions and what surrounds them; this process is that of the second."""

    def __init__(self, home: Path) -> None:
        self.home, self.opt, self.units = home, home / "opt", home / "units"
        for folder in ("opt/versions", "units", "systemd", "bin", f"lib/{SERVICE}"):
            (home / folder).mkdir(parents=True)
        self.program(home / "bin/systemctl", SYSTEMCTL.format(home=home))
        self.program(home / "bin/journalctl", "#!/bin/sh\necho its journal\n")
        for number in (1, 2):
            version = self.opt / f"versions/{number}"
            (version / "share/pilogger/systemd").mkdir(parents=True)
            for unit in (SERVICE, MORE, versions.GUARD):
                text = f"# of version {number}\n"
                (version / f"share/pilogger/systemd/{unit}.service").write_text(text)
            (version / "bin").mkdir()
            self.program(version / "bin/pilogger", CHECK.format(version=version))
        self.store = home / "lib" / SERVICE / "pilogger.db"
        Store.open(self.store, SystemClock()).close()

    def program(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def has(self, number: int) -> None:
        """Have that version installed and running."""
        versions.point(self.opt / f"versions/{number}", [SERVICE])
        versions._systemctl("start", SERVICE)
        (self.home / "systemd/calls").unlink()

    def bad(self, *numbers: int) -> None:
        """Have versions that do not run well."""
        text = "".join(f"versions/{number}\n" for number in numbers)
        (self.home / "systemd/bad").write_text(text)

    @property
    def calls(self) -> list[str]:
        return (self.home / "systemd/calls").read_text().splitlines()

    @property
    def current(self) -> str:
        return (self.opt / "current").readlink().name

    def unit(self, service: str) -> str:
        return (self.units / f"{service}.service").read_text()

    def runs(self, service: str) -> bool:
        return (self.home / f"systemd/{service}.active").exists()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    house = House(tmp_path)
    (tmp_path / "secrets.yaml").write_text("key: x")
    for name, value in {
        "OPT": house.opt,
        "CURRENT": house.opt / "current",
        "UNDO": house.opt / "undo",
        "UNITS": house.units,
        "COMMAND": tmp_path / "bin/pilogger",
        "SECRETS": tmp_path / "secrets.yaml",
        "LOGGER": SERVICE,
        "STATES": tmp_path / "lib",
        "STORES": {SERVICE: house.store, MORE: tmp_path / "lib/none.db"},
        "UNDER_WAY": tmp_path / "under-way",
        "LOOK_S": 0.01,
    }.items():
        monkeypatch.setattr(versions, name, value)
    monkeypatch.setattr(sys, "prefix", str(house.opt / "versions/2"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return house


def test_the_first_version_has_nothing_to_go_back_to(house: House) -> None:
    """Its units and links are there, and it runs; no way back is written."""
    versions.main("switch", SERVICE)

    assert house.current == "2"
    assert house.unit(SERVICE) == "# of version 2\n"
    assert (house.home / "bin/pilogger").readlink() == house.opt / "current/bin/pilogger"
    assert house.runs(SERVICE)
    assert not (house.opt / "undo").exists()


def test_a_first_version_that_does_not_run_says_so(
    house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    """With its journal; it stays, so that a person can see to it."""
    house.bad(2)
    with pytest.raises(PiloggerError, match="it is installed, but does not run"):
        versions.main("switch", SERVICE)

    assert "its journal" in capfd.readouterr().out
    assert house.current == "2"


def test_an_upgrade_stops_switches_and_starts(house: House) -> None:
    """With a guard that waits for the end of the installer, from before the first step."""
    house.has(1)
    versions.main("switch", SERVICE)
    acts = [call for call in house.calls if call.split()[0] in ("start", "stop")]

    assert acts == [f"start {versions.GUARD}", f"stop {SERVICE}", f"start {SERVICE}"]
    assert house.current == "2"
    assert house.unit(SERVICE) == "# of version 2\n"
    assert not (house.opt / "undo").exists()
    assert not (house.home / "under-way").exists()


@pytest.mark.fault(17)
def test_a_version_that_does_not_run_well_goes_back(house: House) -> None:
    """All of it: version, units, and a service that came with it."""
    house.has(1)
    house.bad(2)
    with pytest.raises(PiloggerError, match="the old one runs again"):
        versions.main("switch", MORE, SERVICE)

    assert house.current == "1"
    assert house.unit(SERVICE) == "# of version 1\n"
    assert not (house.units / f"{MORE}.service").exists()
    assert house.runs(SERVICE)
    assert not house.runs(MORE)
    assert not (house.opt / "undo").exists()


def test_a_store_that_cannot_be_set_aside_stops_an_upgrade(
    house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever the reason, the old version runs on; here the new one finds no store."""
    house.has(1)
    house.store.write_bytes(b"no store")
    with pytest.raises(PiloggerError, match="the old one runs again"):
        versions.main("switch", SERVICE)

    assert "the store of root: see above (keep)" in capfd.readouterr().out
    assert house.current == "1"
    assert house.runs(SERVICE)


def test_the_way_back_stays_until_it_was_taken(house: House) -> None:
    """While the store is in use by someone it cannot be; the next try can."""
    house.has(1)
    versions._write_down("undo", "1", SERVICE, SERVICE)
    (_, command) = (house.opt / "undo").read_text().splitlines()
    words = shlex.split(command)
    house.store.with_name("pilogger.db-before").mkdir()
    lock = Lock(house.store)
    with pytest.raises(PiloggerError, match=r"see above \(restore\)"):
        versions.main(*words[5:])
    lock.release()
    still = (house.opt / "undo").exists()
    house.store.with_name("pilogger.db-before").rmdir()
    versions.main(*words[5:])

    assert words[:2] == ["exec", str(house.opt / "versions/2/bin/python")]
    assert words[2:5] == ["-I", "-m", "pilogger.versions"]
    assert still
    assert not (house.opt / "undo").exists()
    assert house.runs(SERVICE)


def test_an_old_version_that_does_not_run_either_is_told(house: House) -> None:
    """There is nothing more to go back to."""
    house.has(1)
    house.bad(1, 2)
    with pytest.raises(PiloggerError, match="the old version does not run either"):
        versions.main("switch", SERVICE)

    assert house.current == "1"


def test_no_start_only_points(house: House) -> None:
    """What runs goes on, until the next start."""
    house.has(1)
    versions.main("point", SERVICE)

    assert house.current == "2"
    assert not [call for call in house.calls if call.split()[0] in ("start", "stop")]


@pytest.mark.parametrize(("refuse", "said"), [([2], "does not take"), ([1, 2], ""), ([], "")])
def test_a_config_is_tried_with_its_secrets(house: House, refuse: list[int], said: str) -> None:
    """A mistake that the old version finds too is no reason to stay with it."""
    house.has(1)
    for number in refuse:
        (house.opt / f"versions/{number}/refuses").touch()
    told = ""
    try:
        versions.main("try", SERVICE)
    except PiloggerError as error:
        told = str(error)

    assert said in told
    assert bool(told) == bool(said)
