"""Which version runs: the switch to this one, a look at how it does, and the way back.

    python -m pilogger.versions try SERVICE...     the config, and copies of the stores
    python -m pilogger.versions point SERVICE...   this is the version from the next start on
    python -m pilogger.versions switch SERVICE...  it is now; if it does not run well, the old one
    python -m pilogger.versions undo OLD HAD SERVICE...  back to version OLD with services HAD

install.sh calls this as root, with the Python of the new version. Before anything changes,
the way back is written down, as a script that `pilogger-undo.service` runs when the
installer lets go of its lock before it is gone: killed, or cut off from power. Every step
of it can be taken twice. Nothing that belongs to a service's user is touched as root.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pilogger.errors import PiloggerError

OPT = Path("/opt/pilogger")
CURRENT, UNDO = OPT / "current", OPT / "undo"
UNITS = Path("/etc/systemd/system")
COMMAND = Path("/usr/local/bin/pilogger")
CONFIG = Path("/etc/pilogger/pilogger.yaml")
SECRETS = CONFIG.with_name("secrets.yaml")
LOGGER, GUARD = "pilogger", "pilogger-undo"
STATES = Path("/var/lib")
STORES = {LOGGER: CONFIG, "pilogger-hub": STATES / "pilogger-hub/hub.db"}
UNDER_WAY = Path("/run/pilogger-upgrade")  # in this boot: services may start all the same

HEALTHY_S = 60.0  # that a version has to show that it runs
LOOK_S = 4.0
RESTARTS = 3  # from which on it does not run well
LINES = "20"  # of the journal, for a person

Services = Sequence[str]


def rehearse(services: Services) -> None:
    """See whether this version takes the config, and copies of the stores.

    A mistake in the config that the old version finds too is no reason to stay with it.

    Raises:
        PiloggerError: it does not.
    """
    old = current()
    refused = LOGGER in services and not _takes_config(Path(sys.prefix))
    if refused and (old is None or _takes_config(old, quiet=True)):
        raise PiloggerError(f"the new version does not take {CONFIG}")
    _stores("try", services)


def point(version: Path, services: Services) -> None:
    """Make a version the current one, with its units: at no moment is there none."""
    for service in (*services, GUARD):
        unit = version / f"share/pilogger/systemd/{service}.service"
        if unit.exists():
            new = UNITS / f".{unit.name}.new"
            shutil.copyfile(unit, new)
            new.chmod(0o644)
            new.replace(UNITS / unit.name)
    _link(CURRENT, f"versions/{version.name}")
    _link(COMMAND, f"{CURRENT}/bin/pilogger")
    os.sync()
    _systemctl("enable", "--quiet", *services, GUARD)
    if Path("/run/systemd/system").exists():
        _systemctl("daemon-reload")


def switch(services: Services) -> None:
    """Stop, switch, start; go back if this version does not run well.

    Raises:
        PiloggerError: it does not; the sentence says what runs now.
    """
    old = current()
    if old is None:
        point(Path(sys.prefix), services)
        if not _run_well(services):
            raise PiloggerError("it is installed, but does not run: the lines above say why")
        return
    had = [service for service in services if _unit(service).exists()]
    _write_down("undo", old.name, ",".join(had), *services)
    try:
        _stop(had)
        _stores("keep", services)
        point(Path(sys.prefix), services)
        well = _run_well(services)
    except (PiloggerError, OSError) as error:
        print(f"pilogger: {error}")  # noqa: T201
        well = False
    if not well:
        undo(old, had, services)
        raise PiloggerError("the new version does not run well (see above); the old one runs again")
    _forget_the_way_back()
    _stores("forget", services)


def undo(old: Path, had: Services, services: Services) -> None:
    """Go back to the old version, its services and its stores.

    Raises:
        PiloggerError: a store cannot be taken back (it is tried again at the next start of
            the machine), or the old version does not run either.
    """
    print(f"Going back to version {old.name} of {OPT}.")  # noqa: T201
    _stop(services)
    _stores("restore", services)
    for service in set(services) - set(had):
        _systemctl("disable", "--quiet", service)
        _unit(service).unlink(missing_ok=True)
    point(old, had)
    _forget_the_way_back()
    if not _run_well(had):
        raise PiloggerError("the old version does not run either: see journalctl -u pilogger")


def current() -> Path | None:
    """Return the folder of the version that is in use."""
    return CURRENT.resolve() if CURRENT.exists() else None


# -- the way back --------------------------------------------------------------------------


def _write_down(*way: str) -> None:
    """Write the way back where a guard finds it, and have the guard wait for our lock."""
    new = UNDO.with_suffix(".new")
    command = shlex.join((f"{sys.prefix}/bin/python", "-I", "-m", __spec__.name, *way))
    new.write_text(
        "# The way back from an upgrade that is under way, for pilogger-undo.service.\n"
        f"exec {command}\n"
    )
    guard = _unit(GUARD)
    shutil.copyfile(f"{sys.prefix}/share/pilogger/systemd/{guard.name}", guard)
    _systemctl("enable", "--quiet", GUARD)
    os.sync()
    UNDER_WAY.touch()
    new.replace(UNDO)
    os.sync()
    _systemctl("daemon-reload")
    _systemctl("start", GUARD)


def _forget_the_way_back() -> None:
    os.sync()
    UNDO.unlink(missing_ok=True)
    UNDER_WAY.unlink(missing_ok=True)
    os.sync()  # before the copies of the stores go


# -- services ------------------------------------------------------------------------------


def _run_well(services: Services) -> bool:
    for service in services:
        _systemctl("reset-failed", service, check=False)
        _systemctl("start", service, check=False)
        if not _healthy(service):
            subprocess.run(
                ["journalctl", "-u", service, "-n", LINES, "--no-pager", "-o", "cat"], check=False
            )
            return False
    return True


def _healthy(service: str) -> bool:
    """Whether the same process is ready at two looks, started again hardly ever."""
    end, before = time.monotonic() + HEALTHY_S, ""
    while time.monotonic() < end:
        state, process, restarts = _shown(service, "ActiveState", "MainPID", "NRestarts")
        if int(restarts) >= RESTARTS:
            return False
        if state == "active" and process == before:
            return True
        before = process if state == "active" else ""
        time.sleep(LOOK_S)
    return False


def _shown(service: str, *names: str) -> list[str]:
    wanted = [f"--property={name}" for name in names]
    said = _systemctl("show", *wanted, service).splitlines()
    found = dict(line.split("=", 1) for line in said)
    return [found[name] for name in names]


def _stop(services: Services) -> None:
    for service in services:
        if _unit(service).exists():
            _systemctl("stop", service)


def _systemctl(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise PiloggerError(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _unit(service: str) -> Path:
    return UNITS / f"{service}.service"


def _link(link: Path, target: str) -> None:
    """Point a link to its target, at once."""
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


# -- as the user of a service --------------------------------------------------------------


def _stores(verb: str, services: Services) -> None:
    """Ask `pilogger.upgrade` of each store, as its owner."""
    for service in services:
        if (STATES / service).is_dir():
            asked = (sys.executable, "-I", "-m", "pilogger.upgrade", verb, str(STORES[service]))
            if _as(service, *asked).returncode:
                raise PiloggerError(f"the store of {service}: see above ({verb})")


def _takes_config(version: Path, *, quiet: bool = False) -> bool:
    with _credentials() as folder:
        asked = (f"{version}/bin/pilogger", "check", "--config", str(CONFIG))
        return not _as(LOGGER, *asked, quiet=quiet, CREDENTIALS_DIRECTORY=folder).returncode


@contextmanager
def _credentials() -> Iterator[str]:
    """Hand the secrets file over, as systemd would."""
    owner = pwd.getpwnam(LOGGER)
    with TemporaryDirectory(dir="/run") as folder:
        copy = Path(folder, SECRETS.name)
        copy.touch(mode=0o600)
        if SECRETS.exists():
            copy.write_bytes(SECRETS.read_bytes())
        for path in (copy, folder):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        yield folder


def _as(
    user: str, *command: str, quiet: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user, so that nothing in its folders can mislead root."""
    group = pwd.getpwnam(user).pw_gid
    return subprocess.run(
        command,
        user=user,
        group=group,
        extra_groups=os.getgrouplist(user, group),
        cwd="/",
        env=os.environ | environment,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        check=False,
    )


def main(verb: str, *arguments: str) -> None:
    """Do what the command line asks."""
    match verb, arguments:
        case "try", services:
            rehearse(services)
        case "point", services:
            point(Path(sys.prefix), services)
        case "switch", services:
            switch(services)
        case "undo", (old, had, *services):
            undo(OPT / "versions" / old, [name for name in had.split(",") if name], services)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        main(*sys.argv[1:])
    except (PiloggerError, OSError) as error:
        sys.exit(f"pilogger: {error}")
