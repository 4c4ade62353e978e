"""What is wrong with this machine for logging, and what to do about it; nothing is changed.

A logger may run meanwhile, and is asked then: what it has open is not opened twice.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from pilogger import status
from pilogger.clock import SystemClock
from pilogger.config import Settings, load, store_path
from pilogger.config.secrets import FILE, OTHERS
from pilogger.errors import ConfigError, PiloggerError, StoreBroken
from pilogger.store import ballast, beside, open_reader, salvaged
from pilogger.store.connection import LARGEST_LOG
from pilogger.words import plural, size, table

MOUNTS = Path("/proc/self/mountinfo")
LOCKS = Path("/proc/locks")
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs", "glusterfs", "lustre", "fuse.sshfs"}
FAT = {"vfat", "msdos", "exfat", "fuseblk"}
VOLATILE = {"tmpfs", "ramfs", "overlay"}
FEW_INODES = 100
HELD_LOG = 4 * LARGEST_LOG  # bytes; a log that can be emptied never gets so long
WAL = b"\2\2"  # bytes 18 and 19 of a database in WAL mode


class Finding(NamedTuple):
    """One look at something; `note` is no fault, but good to know."""

    what: str
    state: Literal["ok", "note", "wrong"]
    found: str
    remedy: str = ""


def examine(config: Path) -> Iterator[Finding]:
    """Look at everything that a logger needs, as a config has it."""
    settings = None
    try:
        settings = load(config)
        sensors = plural(len(settings.sensors), "sensor")
        places = plural(len(settings.destinations), "destination")
        yield Finding("config", "ok", f"{config}: {sensors}, {places}, no mistakes")
    except ConfigError as error:
        found = (
            f"{config}: {plural(len(error.mistakes), 'mistake')}, the first: {error.mistakes[0]}"
        )
        yield Finding("config", "wrong", found, "pilogger check tells them all")
    yield _secrets(config.parent / FILE)
    try:
        store = store_path(config).resolve()
    except ConfigError:  # told above
        return
    yield _disk(store.parent)
    yield _room(store, settings)
    yield _logger(store)
    yield from _file(store)
    yield _clock(settings)
    state = status.ask(store) if store.parent.is_dir() else None
    yield from _running(state) if state else _buses(settings)


def _secrets(file: Path) -> Finding:
    try:
        found = file.stat()
    except FileNotFoundError:
        return Finding("secrets", "ok", f"there is no {file}")
    except OSError as error:
        return Finding("secrets", "note", f"{file}: {error.strerror}", "ask as its owner")
    if found.st_mode & OTHERS:
        return Finding("secrets", "wrong", f"others can read {file}", f"chmod 600 {file}")
    return Finding("secrets", "ok", f"only its owner can read {file}")


def file_system(folder: Path) -> tuple[str, bool]:
    """Tell the type of the file system that a folder is on, and whether it is read-only."""
    best, found = -1, ("", False)
    for line in MOUNTS.read_text(errors="replace").splitlines():
        words = line.split()
        place = Path(words[4].replace("\\040", " "))
        if folder.is_relative_to(place) and len(place.parts) >= best:  # the last one is on top
            rest = words[words.index("-") + 1 :]
            options = {*words[5].split(","), *rest[2].split(",")}
            best, found = len(place.parts), (rest[0], "ro" in options)
    return found


def _disk(folder: Path) -> Finding:
    """Say whether the disk keeps what SQLite and the kernel say that it has."""
    type_, read_only = file_system(folder)
    where = f"{folder} is on {type_}"
    if read_only:
        remedy = "see dmesg: a card that fails becomes read-only; copy it and take another"
        return Finding("disk", "wrong", f"{where}, and read-only", remedy)
    if type_ in NETWORK:
        remedy = "set store.path to a disk of this machine: SQLite's log needs its memory"
        return Finding("disk", "wrong", f"{where}, a network", remedy)
    if type_ in FAT:
        remedy = "use ext4: this one has no journal, so a power cut may take whole files"
        return Finding("disk", "wrong", where, remedy)
    if type_ in VOLATILE:
        remedy = "set store.path to a real disk, if readings are to survive a restart"
        return Finding("disk", "note", f"{where}, which may be in memory", remedy)
    return Finding("disk", "ok", where)


def _room(store: Path, settings: Settings | None) -> Finding:
    disk = ballast.disk(store)
    if not disk.size:
        return Finding("room", "note", f"there is no {store.parent} yet", "start pilogger")
    found = os.statvfs(store.parent)
    least = min(settings.store.min_free if settings else 0, disk.size // 20)
    words = f"{size(disk.free)} of {size(disk.size)} free"
    if disk.free < least:
        remedy = "delete something else, or lower store.keep or store.max_size"
        return Finding("room", "wrong", f"{words}, less than store.min_free", remedy)
    if found.f_files and found.f_favail < FEW_INODES:
        remedy = "delete files that are many"
        return Finding("room", "wrong", f"{words}, but {found.f_favail} inodes", remedy)
    return Finding("room", "ok", words)


def _logger(store: Path) -> Finding:
    """Say who writes the store; to try its lock could keep a logger from starting just now."""
    try:
        inode = beside(store, "lock").stat().st_ino
    except OSError:
        return Finding("logger", "note", f"nobody wrote {store} yet", "start pilogger")
    locks = [line.split() for line in LOCKS.read_text().splitlines()]
    held = [lock[4] for lock in locks if lock[1] == "FLOCK" and lock[5].endswith(f":{inode}")]
    if not held:
        return Finding("logger", "note", "it does not run", "systemctl start pilogger")
    if status.ask(store):
        return Finding("logger", "ok", f"process {held[0]} runs, and answers")
    remedy = "a hub is asked by its page; else see journalctl -u pilogger"
    return Finding("logger", "note", f"process {held[0]} writes, and answers nobody", remedy)


def _file(store: Path) -> Iterator[Finding]:
    """Look at the file of the store and its write-ahead log."""
    if not store.exists():
        return
    engine = f"SQLite {sqlite3.sqlite_version}"
    try:
        with closing(open_reader(store)) as db:
            state = salvaged(db, store)
    except StoreBroken as error:
        remedy = "start pilogger: it begins a new one, and saves what can be saved"
        yield Finding("store", "wrong", str(error), remedy)
        return
    with store.open("rb") as file:
        mode = file.read(20)[18:]
    if mode != WAL:
        remedy = "stop what else opens it; pilogger sets the mode at its start"
        yield Finding("store", "wrong", f"{store} has no write-ahead log", remedy)
    elif kept := [wreck["folder"] for wreck in state if wreck["kept"] and wreck["done"]]:
        remedy = "delete what you do not need any more"
        yield Finding("store", "note", f"damaged once: {', '.join(kept)}", remedy)
    else:
        yield Finding("store", "ok", f"{store} can be read, by {engine}")
    log = beside(store, "wal")
    length = log.stat().st_size if log.exists() else 0
    if length > HELD_LOG:
        remedy = f"end what reads the store for so long (fuser {log} names it)"
        yield Finding("log", "wrong", f"{log} has {size(length)}: a reader holds it", remedy)
    else:
        yield Finding("log", "ok", size(length))


def _clock(settings: Settings | None) -> Finding:
    clock = SystemClock(settings.clock.trust if settings else "ntp")
    if clock.synced():
        return Finding("clock", "ok", f"right, says {clock.source}")
    remedy = "start systemd-timesyncd, or see clock.http_date and clock.trust in the config"
    return Finding("clock", "note", "not known to be right, so readings wait", remedy)


def _running(state: status.State) -> Iterator[Finding]:
    """Pass on what the logger says of its parts."""
    for sensor in state["sensors"]:
        well = sensor["status"] not in ("failing", "hung", "set aside")
        found = sensor["status"] if well else f"{sensor['status']}: {sensor['error']}"
        yield Finding(f"sensor {sensor['id']}", "ok" if well else "wrong", found)
    for place in state["destinations"]:
        name, well = f"destination {place['name']}", not place["why"]
        yield Finding(name, "ok" if well else "wrong", place["why"] or place["outcome"])
    if trouble := state["store"]["trouble"]:
        yield Finding("trouble", "wrong", trouble)


def _buses(settings: Settings | None) -> Iterator[Finding]:
    """Open each bus of the config once, as the logger would."""
    wanted = {
        (sensor.kind, sensor.bus)
        for sensor in (settings.sensors if settings else ())
        if sensor.kind is not None
    }
    for kind, bus in sorted(wanted, key=str):
        try:
            kind.open(bus).close()
            yield Finding(f"bus {kind.name} {bus}", "ok", "can be used")
        except PiloggerError as error:
            yield Finding(f"bus {kind.name} {bus}", "wrong", str(error))


def tell(findings: list[Finding]) -> str:
    """Say it in words, a line for each."""
    return table(
        (it.state, it.what, f"{it.found}: {it.remedy}" if it.remedy else it.found)
        for it in findings
    )
