"""A card that counts: ext4 on a loop device, with the kernel's count of written sectors."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

SIZE = 2 << 30  # the image is sparse
SECTOR = 512
COMMIT_S = 5  # ext4(5): its journal is committed at least so often
EXPIRE_S = 30  # vm.dirty_expire_centisecs: what is dirty for longer is written
TOOLS = ("losetup", "mkfs.ext4", "mount", "umount")


class Card:
    """A mounted file system of its own."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self._count = Path("/sys/block", Path(device).name, "stat")
        self._fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        self._touched = 0
        self.sync()
        self._before = self._sectors()

    def written(self) -> int:
        """Tell how many bytes went to the device, the file system's own included."""
        return (self._sectors() - self._before) * SECTOR

    def _sectors(self) -> int:
        return int(self._count.read_text().split()[6])  # Documentation/block/stat.rst

    def sync(self) -> None:
        """Write all that the kernel holds for this file system, and wait for it."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(self._fd):
            raise OSError(ctypes.get_errno(), "syncfs")

    def pass_second(self, second: int) -> None:
        """Do what the kernel does by itself while time passes, where time is simulated.

        A file that was touched, if only its modification time, has the journal committed
        soon after; its dirty pages follow later.
        """
        if second % EXPIRE_S == 0:
            self.sync()
        elif second % COMMIT_S == 0:
            touched = max((file.lstat().st_mtime_ns for file in self.folder.iterdir()), default=0)
            if touched != self._touched:
                self._touched = touched
                os.utime(self.folder)  # so that there is a reason to commit, without data
                os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


@contextmanager
def inserted(folder: Path) -> Iterator[Card]:
    """Make a card whose image is in a folder; it is gone afterwards.

    Exits with what to do where this needs rights or tools that are not there.
    """
    if os.geteuid() != 0:
        sys.exit("counting a device's bytes takes a loop device, and that takes root: use sudo")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        sys.exit(f"{', '.join(missing)} not found: sudo apt install mount e2fsprogs")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        image, place = Path(scratch, "card.img"), Path(scratch, "card")
        place.mkdir()
        with image.open("wb") as file:
            file.truncate(SIZE)
        # Nothing is left for the kernel to initialise later, which would be counted.
        _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
        device = _run("losetup", "--find", "--show", image)
        try:
            _run("mount", "-o", "noatime", device, place)  # as Raspberry Pi OS mounts its root
            try:
                with closing(Card(place, device)) as card:
                    yield card
            finally:
                _run("umount", place)
        finally:
            _run("losetup", "--detach", device)


def _run(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
