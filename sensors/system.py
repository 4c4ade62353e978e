"""The machine itself: what the kernel knows without any wiring.

Sources: proc(5), sysfs, statvfs(3), adjtimex(2); Documentation/block/stat.rst,
drivers/hwmon/raspberrypi-hwmon.c and drivers/firmware/raspberrypi.c of the kernel. thermal_zone0 is
the CPU of a Pi, mmcblk0 its card.
"""

# quality: bench

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from pilogger.channel import Channel
from pilogger.errors import NoAnswer
from pilogger.kernel import discipline
from pilogger.sample import Value

Group = Literal[
    "load", "memory", "disk", "network", "temperature", "uptime",
    "power", "throttling", "wifi", "card", "clock",
]  # fmt: skip
GROUPS: tuple[Group, ...] = get_args(Group)

LOAD = Channel("1", 0, step=0.01)
PERCENT = Channel("%", 0, 100, step=0.01)
BYTES = Channel("By", 0)
FLAG = Channel("1", 0, 1)
FIRMWARE = "soc*/soc*:firmware/get_throttled"  # soc@107c000000 on a Pi 5
SECTOR = 512  # bytes, whatever the card's own are

CHANNELS: dict[Group, dict[str, Channel]] = {
    "load": {"load1": LOAD, "load5": LOAD, "load15": LOAD},
    "memory": {"memory_available": BYTES, "memory_used": PERCENT},
    "disk": {"disk_free": BYTES, "disk_used": PERCENT},
    "network": {"network_received": BYTES, "network_sent": BYTES},
    "temperature": {"temperature": Channel("Cel", -55, 150, step=0.01)},
    "uptime": {"uptime": Channel("s", 0, step=0.01)},
    "power": {"under_voltage": FLAG},
    "throttling": {"frequency_capped": FLAG, "throttled": FLAG, "temperature_limited": FLAG},
    "wifi": {"wifi_signal": Channel("dB[mW]", -256, 0, step=1)},
    "card": {"card_written": BYTES},
    "clock": {"clock_synced": FLAG, "clock_error": Channel("s", 0, step=1e-6)},
}


class System:
    """Reads this machine's load, memory, disk, traffic, temperature, supply, Wi-Fi and clock.

    What a machine does not have, as a thermal sensor, Wi-Fi or a card, is no channel of it. Network
    counters are totals since the start, over the interfaces that have hardware, or, in a
    container, over all but the loopback; so is what was written to the card. A Pi's supply was
    below 4.63 V in the last seconds where `under_voltage` is true. Its firmware tells whether it
    slows the CPU down now (`frequency_capped`, `throttled`), and whether that is for its heat
    (`temperature_limited`); a new kernel calls that file deprecated in its log, once. `clock_error`
    is the most that the time can err while NTP keeps it.

    Options:
        groups: which of load, memory, disk, network, temperature, uptime, power, throttling, wifi,
            card, clock; all by default.
        path: a folder on the disk to watch.
        root: where the machine's file system is found; in a container perhaps /host.
    """

    def __init__(self, groups: Sequence[Group] = GROUPS, path: str = "/", root: str = "/") -> None:
        self.groups = tuple(groups)
        self.root = Path(root)
        self.disk = self.root / path.lstrip("/")
        self.zone = self.root / "sys/class/thermal/thermal_zone0/temp"
        self.wireless = self.root / "proc/net/wireless"
        self.card = self.root / "sys/block/mmcblk0/stat"

    def channels(self) -> dict[str, Channel]:
        """Return the channels of the chosen groups, as far as this machine has them."""
        return {
            name: channel for group in self._present() for name, channel in CHANNELS[group].items()
        }

    def read(self) -> dict[str, Value]:
        """Return all of them.

        Raises:
            NoAnswer: a file of the kernel, or the disk, is not there.
        """
        values: dict[str, Value] = {}
        try:
            for group in self._present():
                values |= getattr(self, f"_{group}")()
        except OSError as error:
            raise NoAnswer(f"cannot read {error.filename}: {error.strerror}") from error
        return values

    def _present(self) -> list[Group]:
        there = {
            "temperature": self.zone.exists,
            "power": lambda: bool(self._alarm()),
            "throttling": lambda: bool(self._firmware()),
            "wifi": self.wireless.exists,
            "card": self.card.exists,
        }
        return [group for group in self.groups if group not in there or there[group]()]

    def _alarm(self) -> Path | None:
        """Find the file in which the kernel tells that a Pi's supply is too low."""
        for name in sorted((self.root / "sys/class/hwmon").glob("*/name")):
            if name.read_text().strip() == "rpi_volt":
                return name.with_name("in0_lcrit_alarm")
        return None

    def _firmware(self) -> Path | None:
        """Find the file in which a Pi's firmware tells what slows it down."""
        return next((self.root / "sys/devices/platform").glob(FIRMWARE), None)

    def _load(self) -> dict[str, Value]:
        averages = (self.root / "proc/loadavg").read_text().split()[:3]
        return dict(zip(CHANNELS["load"], map(float, averages), strict=True))

    def _memory(self) -> dict[str, Value]:
        lines = (self.root / "proc/meminfo").read_text().splitlines()
        kilobytes = {name: int(rest.split()[0]) for name, rest in (x.split(":") for x in lines)}
        total, available = kilobytes["MemTotal"], kilobytes["MemAvailable"]
        return {
            "memory_available": available * 1024,
            "memory_used": 100 * (total - available) / total,
        }

    def _disk(self) -> dict[str, Value]:
        found = os.statvfs(self.disk)
        used = found.f_blocks - found.f_bfree
        return {
            "disk_free": found.f_bavail * found.f_frsize,
            "disk_used": 100 * used / (used + found.f_bavail),  # as df(1) does
        }

    def _network(self) -> dict[str, Value]:
        every = [nic for nic in (self.root / "sys/class/net").iterdir() if nic.name != "lo"]
        real = [nic for nic in every if (nic / "device").exists()] or every

        def total(counter: str) -> int:
            return sum(int((nic / "statistics" / counter).read_text()) for nic in real)

        return {"network_received": total("rx_bytes"), "network_sent": total("tx_bytes")}

    def _temperature(self) -> dict[str, Value]:
        return {"temperature": int(self.zone.read_text()) / 1000}

    def _uptime(self) -> dict[str, Value]:
        return {"uptime": float((self.root / "proc/uptime").read_text().split()[0])}

    def _power(self) -> dict[str, Value]:
        alarm = self._alarm()
        return {"under_voltage": alarm.read_text().strip() != "0"} if alarm else {}

    def _throttling(self) -> dict[str, Value]:
        """Return bits 1 to 3, which are of now; bit 0 is the supply's, those from 16 the past's."""
        if not (file := self._firmware()):
            return {}
        flags = int(file.read_text(), 16)
        return {name: bool(flags >> bit & 1) for bit, name in enumerate(CHANNELS["throttling"], 1)}

    def _wifi(self) -> dict[str, Value]:
        """Return the first level; who is not connected, or does not count in dBm, has none."""
        for line in self.wireless.read_text().splitlines()[2:]:  # two lines of headings
            level = float(line.split()[3])
            if -256 < level < 0:
                return {"wifi_signal": round(level)}
        return {}

    def _card(self) -> dict[str, Value]:
        return {"card_written": int(self.card.read_text().split()[6]) * SECTOR}

    def _clock(self) -> dict[str, Value]:
        found = discipline()
        error: dict[str, Value] = {"clock_error": found.error / 1_000_000} if found.synced else {}
        return {"clock_synced": found.synced} | error
