"""A small disk of its own: it gets full, it turns read-only as a worn card does, it comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from conftest import NO_SKIPS
from syscall_rig import WRITES, failing

SIZE = 48 << 20  # bytes
BLOCK = 4096
"""Bytes, as on a card. Where a block is less than a page of memory, SQLite's map of its index has
holes, and whoever writes into one on a full disk dies of SIGBUS: nothing here can help that."""

FILLER = "other.log"


class CannotMount(Exception):
    """This machine, or this user, may not mount a file system."""


def find(folder: Path) -> Card | Folder:
    """Mount a card, or take its place where that cannot be; with PILOGGER_NO_SKIPS it must be."""
    try:
        return Card(folder)
    except CannotMount as error:
        if os.environ.get(NO_SKIPS):
            raise
        return Folder(folder, str(error))


class Card:
    """An ext4 file system in a file of `folder`, mounted on its folder `card` until the block ends.

    Raises:
        CannotMount: not here.
    """

    def __init__(self, folder: Path) -> None:
        self.missing = ""
        self.place = folder / "card"
        self.read_only = False
        self.full = False
        self._image = folder / "card.img"
        if os.getuid() != 0:
            raise CannotMount("mounting a file system needs root")
        self.place.mkdir(exist_ok=True)
        with self._image.open("wb") as file:
            file.truncate(SIZE)
        try:
            _run("mkfs.ext4", "-q", "-m", "0", "-b", BLOCK, self._image)
            self._mount()
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", error)
            raise CannotMount(f"no file system can be mounted: {said}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it; what was on it stays, as files of the folder."""
        for file in self.place.glob("pilogger.db*"):
            if file.is_file():
                shutil.copy(file, self.place.parent)
        _run("umount", "--lazy", self.place)

    def fill(self, _process: int) -> None:
        """Let another program take all that is left, to the last byte."""
        self.full = True
        with (self.place / FILLER).open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                _fill(file.fileno(), b"x" * size)

    def clear(self) -> None:
        """Let that program give its room back."""
        self.full = False
        (self.place / FILLER).unlink(missing_ok=True)

    def turn_read_only(self, _process: int) -> None:
        """Do what the kernel does when a card fails: whoever writes gets EROFS, from now on."""
        self.read_only = True
        _run("mount", "-o", "remount,abort", self.place)

    def pull(self) -> None:
        """Pull the card and put it in again: what no sync had put on it is gone.

        It comes back as a copy, as others who look at our mounts may hold on to the old one.
        """
        if not self.read_only:  # or to unmount it would write all that the kernel has
            self.turn_read_only(0)
        _run("umount", "--lazy", self.place)
        old, self._image = self._image, self._image.with_suffix(f".{time.time_ns()}")
        _run("cp", "--sparse=always", old, self._image)
        old.unlink()
        self._mount()
        self.read_only = False

    def _mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self.place)


class Folder(ExitStack):
    """Takes the place of a card: the calls fail of the `process` that writes there."""

    def __init__(self, place: Path, missing: str) -> None:
        super().__init__()
        self.missing = missing
        """Why there is no card."""
        self.place = place
        self.read_only = False
        self.full = False

    def fill(self, process: int) -> None:
        self.full = True
        self._fail(process, "ENOSPC")

    def clear(self) -> None:
        self.full = False
        self.close()

    def turn_read_only(self, process: int) -> None:
        self.read_only = True
        self._fail(process, "EROFS")

    def pull(self) -> None:
        self.read_only = False
        self.close()

    def _fail(self, process: int, error: str) -> None:
        files = [self.place / f"pilogger.db{part}" for part in ("", "-wal", "-fresh-0", "-fresh-1")]
        self.enter_context(failing(process, WRITES, f"error={error}", *files))


def _fill(file: int, piece: bytes) -> None:
    with suppress(OSError):
        while os.write(file, piece):
            pass


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
