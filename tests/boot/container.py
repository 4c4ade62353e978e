"""A whole Debian of its own, booted with systemd-nspawn: no network, and its own systemd.

The root is made once by mmdebstrap, from the sources that this machine's apt has, and kept
as a tarball in the user's cache.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap"}
PACKAGES = ("systemd", "systemd-sysv", "passwd", "python3", "python3-venv", "ca-certificates")
SOURCES = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")
NOT_BUILT = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__")
BOOT_S = 60.0
ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PIP_NO_INDEX=1",
    "PIP_FIND_LINKS=/wheels",
)

NSPAWN = (
    "systemd-nspawn --quiet --boot --private-network --register=no --keep-unit --console=pipe "
    "--system-call-filter=adjtimex --system-call-filter=clock_adjtime"  # as outside a container
)


def needed() -> None:
    """Skip unless this machine can boot another one."""
    if missing := [package for name, package in PROGRAMS.items() if not shutil.which(name)]:
        pytest.skip(f"no {' or '.join(missing)}: apt install {' '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("only root can boot a system with systemd-nspawn")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("this machine lets root make no namespaces, so systemd-nspawn cannot boot")


class Machine:
    """A system below `root`; commands run in it as root, once it is booted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._log = root.with_suffix(".console")
        self._leader = 0
        self._nspawn: subprocess.Popen[bytes]

    def begin(self, *command: object) -> subprocess.Popen[bytes]:
        """Run a command, and do not wait for it."""
        with self._log.open("a") as console:
            return subprocess.Popen(self._inside(command), stdout=console, stderr=console)

    def run(self, *command: object, stdin: str = "", check: bool = True) -> str:
        """Run a command; returns what it printed. Fails the test if the command fails."""
        code, said = self.attempt(*command, stdin=stdin)
        assert code == 0 or not check, f"{command} exited {code}:\n{said}"
        return said.strip()

    def attempt(self, *command: object, stdin: str = "") -> tuple[int, str]:
        """Run a command that may fail; returns its exit code and what it printed."""
        done = subprocess.run(
            self._inside(command),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout

    def _inside(self, command: Sequence[object]) -> list[str]:
        into = ["nsenter", f"--target={self._leader}", "--all", "--root", "--wd"]
        return [*into, "env", "-i", *ENVIRONMENT, *map(str, command)]

    @contextmanager
    def booted(self) -> Iterator[None]:
        """Have it running until the end of the block; then it is deleted, for it is large."""
        try:
            self._boot()
            yield
        except AssertionError as error:
            error.add_note(self._log.read_text()[-2000:])
            raise
        finally:
            self._nspawn.terminate()
            self._nspawn.wait(BOOT_S)
            shutil.rmtree(self.root)

    def lose_power(self) -> None:
        """End all that runs in it at once, and boot it again."""
        os.kill(self._leader, signal.SIGKILL)
        self._nspawn.wait(BOOT_S)
        self._boot()

    def _boot(self) -> None:
        with self._log.open("w") as console:
            self._nspawn = subprocess.Popen(
                [*NSPAWN.split(), f"--directory={self.root}"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        self._leader = eventually(lambda: int(children.read_text().split()[-1]), BOOT_S)
        state = ("systemctl", "is-system-running")
        up = ("running", "degraded")
        eventually(lambda: self.run(*state, check=False) in up, BOOT_S)


def eventually(what: Callable[[], Any], patience: float) -> Any:
    """Wait until something is true, errors counting as false; returns it."""
    end = time.monotonic() + patience
    while True:
        try:
            if found := what():
                return found
            problem = f"it is {found!r}"
        except (OSError, ValueError, IndexError) as error:
            problem = str(error)
        assert time.monotonic() < end, f"it did not happen within {patience:.0f} s: {problem}"
        time.sleep(0.1)


def debian(folder: Path) -> Path:
    """Unpack a fresh root below `folder`, made first if there is none in the cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pilogger-tests"
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    sources = [Path("/etc/apt") / name for name in SOURCES]
    sources = [source for source in sources if source.exists()]
    made_of = f"{suite} {PACKAGES} {[source.read_text() for source in sources]}"
    tarball = cache / f"{suite}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.tar"
    if not tarball.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = tarball.with_suffix(f".{os.getpid()}.tar")
        include = f"--include={','.join(PACKAGES)}"
        call("mmdebstrap", "--quiet", "--variant=minbase", include, suite, part, *sources)
        part.rename(tarball)
    root = folder / "root"
    root.mkdir()
    call("tar", "--extract", "--numeric-owner", f"--file={tarball}", f"--directory={root}")
    return root


def wheels(root: Path, *built: Path) -> None:
    """Put wheels, and all that they need, into a root's /wheels: it has no network."""
    folder = root / "wheels"
    folder.mkdir(exist_ok=True)
    for wheel in built:
        shutil.copy(wheel, folder)
    python = next((root / "usr/bin").glob("python3.[0-9]*")).name.removeprefix("python")
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:")
    call(*pip, f"--python-version={python}", f"--dest={folder}", f"{built[0]}[hub,serial]")


def build(tree: Path, version: str, **added: str) -> Path:
    """Build a wheel of a checkout with another version; `added` ends its modules."""
    copy = tree.with_name(version)
    shutil.copytree(tree, copy, ignore=NOT_BUILT, symlinks=True)
    (copy / "pilogger/__init__.py").write_text(f'__version__ = "{version}"\n')
    for module, text in added.items():
        with (copy / "pilogger" / f"{module.replace('__', '/')}.py").open("a") as file:
            file.write(text)
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"-w{tree.parent}", copy)
    return next(tree.parent.glob(f"pilogger-{version}-*.whl"))


def call(*command: object) -> None:
    """Run a program here; a failure shows what it said."""
    done = subprocess.run(
        [*map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} exited {done.returncode}:\n{done.stdout}"
