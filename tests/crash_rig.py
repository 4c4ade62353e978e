"""Simulated power cuts: a real run is recorded once, and the power fails at any moment of it.

`record` runs a program under strace, which writes down what it asks the kernel to do with the
files of one folder: every write with its bytes, every sync, truncation and change of a name.
`Disk` goes through that record as a card does. What was synced stays. Of everything since, each
sector of 512 bytes is kept or lost on its own, so that writes are torn and come in any order; so
are sizes. Names are kept up to some moment, as journaling file systems do it, until their folder
is synced. A sync that fails lets go of what it was for: of that, a part is lost for ever, whatever
sync comes later. A program tells what it promised by writing to the file `said` of that folder: so
that is in the record at its place.

So it is Python's own SQLite that is watched, and every other file too, which a VFS of SQLite would
not see. What it cannot show: a card that tears a sector, or loses what it has synced.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

SECTOR = 512  # bytes that a card writes whole or not at all
SAID = "said"
CALLS = (  # those with a ? are not on every machine
    "openat,write,pwrite64,ftruncate,?ftruncate64,?truncate,?truncate64,fallocate,fsync,fdatasync"
    ",?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat"
)
STRACE = (
    *("strace", "--seccomp-bpf", "-f", "-y", "-qq", "-s", "1000000"),
    *("-e", "signal=none", "-e", f"trace={CALLS}"),
)
KEPT = (0.0, 0.05, 0.3, 0.5, 0.7, 0.95, 1.0)
"""How likely a sector is kept; one of these for each cut. Nothing kept and all kept are likely."""

LINE = re.compile(r"(\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\()(?P<rest>.*)")
FD = re.compile(r"(\d+)<(?P<path>[^>]*)>")
ENDS = re.compile(r"\) += (0$|-1 )")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')

Files = Mapping[str, bytes]


class Event(NamedTuple):
    """One thing that the kernel was asked to do with a file, by its name in the folder.

    Or `harm`: what a card did to it by itself, which no power cut undoes.
    """

    what: str
    name: str
    data: bytes = b""
    at: int = 0  # where the data go, a new size, or the sync that this is the end of
    to: str = ""


def record(
    folder: Path, program: Path, *arguments: object, faults: Sequence[str] = ()
) -> list[Event]:
    """Run a Python program that works in a folder; it may end by SIGKILL, but not by an error.

    `faults` are for strace to inject: `fdatasync:error=EIO:when=7+5`.
    """
    log = folder.with_name(f"{folder.name}.strace")
    injected = [word for fault in faults for word in ("-e", f"inject={fault}")]
    done = subprocess.run(
        [*STRACE, *injected, "-o", log, sys.executable, program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -9, 137), done.stderr
    with log.open(encoding="latin-1") as lines:
        return list(_read(lines, f"{folder}"))


def _read(lines: Iterator[str], folder: str) -> Iterator[Event]:
    """Understand strace's words; a sync is two events, as it counts when it has come back.

    Or it fails: then the second event says so.
    """
    syncs: dict[str, Event] = {}
    for number, line in enumerate(lines):
        match = LINE.match(line)
        if match is None:
            continue
        process, rest = match[1], match["rest"]
        if call := match["call"]:
            event = _event(call, rest, folder, number)
            if event is not None:
                yield event
                if event.what == "sync":
                    syncs[process] = event
        if (end := ENDS.search(rest)) and (sync := syncs.pop(process, None)):
            yield sync._replace(what="synced" if end[1] == "0" else "failed")


def _event(call: str, rest: str, folder: str, number: int) -> Event | None:  # noqa: PLR0911
    texts = [ast.literal_eval(f'b"{text}"') for text in TEXT.findall(rest)]
    fd = FD.match(rest)
    paths = [text.decode() for text in texts] if fd is None else [fd["path"]]
    if fd and call.startswith(("openat", "unlinkat", "mkdirat", "renameat")):
        paths = [f"{fd['path']}/{text.decode()}" for text in texts]
    names = [path[len(folder) + 1 :] for path in paths if path.startswith(folder)]
    is_sync = call in ("fsync", "fdatasync")
    if not names or "(deleted)" in rest or (" = -1 " in rest and not is_sync):
        return None
    numbers = [int(n) for n in re.findall(r", (\d+)(?=[,) ])", rest)]
    match call:
        case "openat" if "O_CREAT" in rest:
            return Event("create", names[0], at=int("O_TRUNC" in rest))
        case "write":
            return Event("say" if names[0] == SAID else "append", names[0], texts[0])
        case "pwrite64":
            return Event("write", names[0], texts[0], numbers[-1])
        case "ftruncate" | "ftruncate64" | "truncate" | "truncate64":
            return Event("truncate", names[0], at=numbers[-1])
        case "fallocate":
            return Event("extend", names[0], at=sum(numbers[-2:]))
        case "fsync" | "fdatasync":
            return Event("sync", names[0], at=number)
        case "unlink" | "unlinkat" | "rmdir":
            return Event("remove", names[0])
        case "rename" | "renameat" | "renameat2":
            return Event("rename", names[0], to=names[1])
        case "mkdir" | "mkdirat":
            return Event("folder", names[0])
    return None


class _File:
    """The bytes of one file: those that are safe, and what was done since."""

    def __init__(self, data: bytes = b"") -> None:
        self.safe = bytearray(data)
        self.pending: list[Event] = []
        self.size = len(data)

    def add(self, event: Event) -> None:
        if event.what == "append":
            event = event._replace(what="write", at=self.size)
        if event.what == "write":
            self.size = max(self.size, event.at + len(event.data))
        elif event.what == "truncate":
            self.size = event.at
        else:
            self.size = max(self.size, event.at)
        self.pending.append(event)

    def settle(self, count: int, kept: float, random: Random) -> None:
        """Take the first of the pending events as done for ever, as far as they are kept."""
        _apply(self.safe, self.pending[:count], kept, random)
        del self.pending[:count]

    def after(self, kept: float, random: Random) -> bytes:
        data = bytearray(self.safe)
        _apply(data, self.pending, kept, random)
        return bytes(data)


def _apply(data: bytearray, events: list[Event], kept: float, random: Random) -> None:
    chance = random.random
    for what, _, written, at, _ in events:
        if what == "write":
            end = at + len(written)
            if kept >= 1.0:
                _put(data, at, written)
                continue
            start = at
            while start < end:
                stop = min(end, (start // SECTOR + 1) * SECTOR)
                if chance() < kept:
                    _put(data, start, written[start - at : stop - at])
                start = stop
        elif kept >= 1.0 or chance() < kept:
            if what == "truncate":
                del data[at:]
            data.extend(bytes(max(0, at - len(data))))


def _put(data: bytearray, at: int, written: bytes) -> None:
    if at > len(data):
        data.extend(bytes(at - len(data)))  # a hole: the size came, the sectors before did not
    data[at : at + len(written)] = written


class Disk:
    """A folder on a card, while the events of a record come one after the other.

    Without `random`, a sync that fails loses nothing: so it is for a process that is killed.
    """

    def __init__(self, before: Files, random: Random | None = None) -> None:
        self._random = random
        self._files: dict[str, _File | None] = {n: _File(data) for n, data in before.items()}
        self._safe = dict(self._files)  # names that a power cut leaves
        self._pending: list[tuple[Event, _File | None]] = []
        self._syncing: dict[int, int] = {}

    @property
    def at_stake(self) -> bool:
        """Whether a power cut would cost anything now."""
        files = {*self._files.values(), *self._safe.values()} - {None}
        return bool(self._pending) or any(file.pending for file in files if file)

    def add(self, event: Event) -> None:
        files, name = self._files, event.name
        match event.what:
            case "say":
                return
            case "sync":
                file = files.get(name)
                self._syncing[event.at] = len(file.pending if file else self._pending)
            case "synced" | "failed":
                self._end_sync(event)
            case "harm":
                file = files[name]
                assert file is not None
                file.add(event._replace(what="write"))
                _put(file.safe, event.at, event.data)
            case "create" if name in files:
                if event.at and (file := files[name]):
                    file.add(Event("truncate", name))
            case "create" | "folder":
                files[name] = _File() if event.what == "create" else None
                self._pending.append((event, files[name]))
            case "remove" | "rename" if name in files:
                file = files[name]
                _rename(files, event, file)
                self._pending.append((event, file))
            case "remove" | "rename":
                return
            case _:
                file = files[name]
                assert file is not None
                file.add(event)

    def _end_sync(self, event: Event) -> None:
        file, count = self._files.get(event.name), self._syncing.pop(event.at)
        lossy = event.what == "failed" and self._random
        if file and lossy:
            file.settle(count, lossy.choice(KEPT), lossy)
        elif file:
            file.settle(count, 1.0, Random(0))
        elif event.what == "synced":
            self._settle(count)

    def _settle(self, count: int) -> None:
        for event, file in self._pending[:count]:
            _rename(self._safe, event, file)
        del self._pending[:count]

    def after_kill(self) -> dict[str, bytes]:
        """Return what is there when only the process ended: all of it."""
        return _contents(self._files, 1.0, Random(0))

    def after_cut(self, random: Random) -> dict[str, bytes]:
        """Return what is there when the power comes back."""
        names = dict(self._safe)
        for event, file in self._pending[: random.randint(0, len(self._pending))]:
            _rename(names, event, file)
        return _contents(names, random.choice(KEPT), random)


def _contents(names: Mapping[str, _File | None], kept: float, random: Random) -> dict[str, bytes]:
    """Return what is in each file; the name of a folder ends in a slash."""
    found = {name: file.after(kept, random) for name, file in names.items() if file}
    return found | {f"{name}/": b"" for name, file in names.items() if file is None}


def _rename(names: dict[str, _File | None], event: Event, file: _File | None) -> None:
    if event.what in ("remove", "rename"):
        names.pop(event.name, None)
    if event.what == "rename":
        inside = f"{event.name}/"
        for name in [name for name in names if name.startswith(inside)]:
            names[f"{event.to}/{name.removeprefix(inside)}"] = names.pop(name)
    if event.what != "remove":
        names[event.to or event.name] = file
