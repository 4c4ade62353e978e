"""What hangs on the 1-wire bus, and on serial ports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pilogger.bus import onewire, serial
from pilogger.errors import NoAnswer
from pilogger.scan.finds import Candidate, Find, Open, Trouble, Wait

FIXED = "serial0"  # a Pi's own port
NAMED = "serial/by-id"  # adapters, by names that stay when they are plugged in elsewhere
ADAPTERS = ("ttyUSB*", "ttyACM*")
BABBLE = "no driver knows what it sends, at 9600 baud"


def one_wire(known: Sequence[Candidate], bus: onewire.Bus, wait: Wait) -> list[Find | Trouble]:
    """List the chips that the kernel has found; a family says what each of them is."""
    try:
        devices = bus.devices()
    except NoAnswer as error:
        return [Trouble("onewire", "", str(error))]
    mine = [one for one in known if one.kind is onewire.KIND and one.can_ask]
    found: list[Find | Trouble] = []
    for device in devices:
        fits = [one for one in mine if one.ask(wait, bus, device)]
        note = "" if fits else f"no driver knows family {device.partition('-')[0]}"
        found.append(Find("onewire", "", device, fits, sure=len(fits) == 1, note=note))
    return found


def serial_ports(dev: Path) -> list[Path]:
    """List the ports at which a sensor can be."""
    adapters = sorted((dev / NAMED).glob("*")) or [
        port for pattern in ADAPTERS for port in sorted(dev.glob(pattern))
    ]
    own = dev / FIXED
    return [own, *adapters] if own.exists() else adapters


def listen(
    known: Sequence[Candidate], device: str, wait: Wait, open_bus: Open
) -> list[Find | Trouble]:
    """Listen at a port, and only where nobody is heard ask, as some sensors have to be."""
    try:
        port = open_bus(serial.KIND, device)
    except NoAnswer as error:
        return [Trouble("serial", device, str(error))]
    mine = [one for one in known if one.kind is serial.KIND and one.can_ask]
    try:
        for may_ask in (False, True):
            watched = WatchedPort(port, may_ask=may_ask)
            for one in mine:
                if one.ask(wait, watched):
                    return [Find("serial", device, "", [one], sure=True)]
            if watched.heard:
                return [Find("serial", device, "", note=BABBLE)]
    finally:
        port.close()
    return [Find("serial", device, "", note="nothing is heard")]


class WatchedPort:
    """A port at which it is noticed whether something comes in, and perhaps nothing is sent."""

    def __init__(self, port: serial.Bus, *, may_ask: bool) -> None:
        self.port = port
        self.may_ask = may_ask
        self.heard = False

    def speed(self, baud: int) -> None:
        self.port.speed(baud)

    def write(self, data: bytes) -> None:
        if not self.may_ask:
            raise NoAnswer("nothing is asked yet")
        self.port.write(data)

    def read(self) -> bytes:
        data = self.port.read()
        self.heard |= bool(data)
        return data
