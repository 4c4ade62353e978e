"""What is wired to this machine: every I2C bus, the 1-wire bus and the serial ports.

`finds` says what a find is, `chips` how a chip is asked without harm, `ports` the same for the
other buses, `words` writes it all down, also as a config to start with.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pilogger.bus import Kind, i2c, mux, onewire
from pilogger.errors import NoAnswer
from pilogger.scan.chips import Walk
from pilogger.scan.finds import Find, Open, Trouble, Wait, candidates
from pilogger.scan.ports import listen, one_wire, serial_ports
from pilogger.scan.words import as_json, as_yaml, tell

__all__ = ["Find", "Report", "Trouble", "as_json", "as_yaml", "scan", "tell"]

NO_PORT = (
    "there is none: switch the Pi's own on, and its console off, with `sudo raspi-config`,"
    " or plug an adapter in"
)


def _open(kind: Kind, name: Any) -> Any:
    return kind.open(name)


class Report(NamedTuple):
    """What was found, and what could not be looked at; `looked` is whether anything could."""

    finds: list[Find]
    troubles: list[Trouble]
    looked: bool


def scan(
    bus: int | str | None = None,
    folders: Iterable[Path] = (),
    *,
    root: Path = Path("/"),
    open_bus: Open = _open,
    wait: Wait = time.sleep,
) -> Report:
    """Look at every bus, or at one I2C bus; `folders` are those with drivers of one's own.

    `root` is where the machine's file system is found.

    Raises:
        ValueError: no I2C bus can have that name.
    """
    known = candidates(folders)
    dev, sys = root / "dev", root / "sys"
    walk = Walk([one for one in known if one.kind is i2c.KIND], wait, sys)
    names = [bus] if bus is not None else _i2c_buses(dev) or [i2c.KIND.default]
    looks = [_i2c(walk, name, open_bus) for name in names]
    if bus is None:
        looks.append(one_wire(known, open_bus(onewire.KIND, sys / "bus/w1/devices"), wait))
        ports = serial_ports(dev)
        looks += [listen(known, str(port), wait, open_bus) for port in ports]
        if not ports:
            looks.append([Trouble("serial", "", NO_PORT)])
    told = [one for look in looks for one in look]
    return Report(
        finds=[one for one in told if isinstance(one, Find)],
        troubles=[one for one in told if isinstance(one, Trouble)],
        looked=any(not look or any(isinstance(one, Find) for one in look) for look in looks),
    )


def _i2c_buses(dev: Path) -> list[int | str]:
    return sorted(int(file.name[4:]) for file in dev.glob("i2c-[0-9]*"))


def _i2c(walk: Walk, name: int | str, open_bus: Open) -> list[Find | Trouble]:
    name = mux.named(name)
    try:
        bus = open_bus(i2c.KIND, mux.trunk(name))
    except NoAnswer as error:
        return [Trouble("i2c", name, str(error))]
    try:
        return list(walk.over(bus, name))
    finally:
        bus.close()
