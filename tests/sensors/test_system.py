"""The machine itself, on a made-up file system and on the real one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pilogger.errors import NoAnswer
from pilogger.kernel import Discipline
from pilogger.sensors import system
from pilogger.sensors.system import CHANNELS, GROUPS, Group, System

WIRELESS = """\
Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
  ap0: 0000    0    -256  -256        0      0      0      0      0        0
 wlan0: 0000   58.  -52.  -256        0      0      0      0     23        0
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A Pi with a bridge over its wired interface, as the kernel describes it."""
    files = {
        "proc/loadavg": "0.20 1.18 12.05 1/80 11206\n",
        "proc/meminfo": "MemTotal:  1000 kB\nMemFree:  100 kB\nMemAvailable:  250 kB\nHuge:  0\n",
        "proc/uptime": "350735.47 234388.90\n",
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "proc/net/wireless": WIRELESS,
        "sys/block/mmcblk0/stat": " 4315 1 158846 1216 337370 120510 8747966 428218 0 454516 799\n",
        "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
        "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
        "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
        "sys/class/net/lo/statistics/rx_bytes": "5\n",
        "sys/class/net/lo/statistics/tx_bytes": "5\n",
        "sys/class/net/br0/statistics/rx_bytes": "1000\n",
        "sys/class/net/br0/statistics/tx_bytes": "2000\n",
    }
    for name, (received, sent) in {"eth0": (1100, 2200), "wlan0": (30, 40)}.items():
        files[f"sys/class/net/{name}/device/uevent"] = ""
        files[f"sys/class/net/{name}/statistics/rx_bytes"] = f"{received}\n"
        files[f"sys/class/net/{name}/statistics/tx_bytes"] = f"{sent}\n"
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_group_is_read_from_the_kernels_files(machine: Path) -> None:
    groups: tuple[Group, ...] = ("load", "memory", "network", "temperature", "uptime")

    assert System(groups, root=str(machine)).read() == {
        "load1": 0.20,
        "load5": 1.18,
        "load15": 12.05,
        "memory_available": 256_000,
        "memory_used": 75.0,
        "network_received": 1130,
        "network_sent": 2240,
        "temperature": 48.312,
        "uptime": 350735.47,
    }


def test_in_a_container_all_interfaces_but_the_loopback_count(machine: Path) -> None:
    """There none has hardware; elsewhere a bridge would count its traffic twice."""
    for uevent in machine.glob("sys/class/net/*/device/uevent"):
        uevent.unlink()
        uevent.parent.rmdir()

    values = System(["network"], root=str(machine)).read()

    assert values == {"network_received": 2130, "network_sent": 4240}


def test_the_disk_is_measured_as_df_does(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks kept back for root are neither free nor used; a block has f_frsize bytes."""
    asked = []

    def statvfs(path: Path) -> os.statvfs_result:
        asked.append(path)
        return os.statvfs_result((4096, 1024, 1000, 400, 300, 9, 8, 7, 0, 255))

    monkeypatch.setattr(os, "statvfs", statvfs)

    values = System(["disk"], path="/data", root=str(machine)).read()

    assert asked == [machine / "data"]
    assert values == {"disk_free": 300 * 1024, "disk_used": pytest.approx(100 * 600 / 900)}


def test_only_chosen_groups_have_channels(machine: Path) -> None:
    sensor = System(["memory", "uptime"], root=str(machine))

    assert list(sensor.channels()) == ["memory_available", "memory_used", "uptime"]
    assert list(sensor.read()) == list(sensor.channels())


def test_a_machine_without_a_thermal_sensor_has_no_temperature(machine: Path) -> None:
    """Absent, and no error."""
    zone = machine / "sys/class/thermal/thermal_zone0/temp"
    with_sensor = System(["temperature", "load"], root=str(machine))

    assert "temperature" in with_sensor.channels()
    zone.unlink()
    assert list(with_sensor.channels()) == ["load1", "load5", "load15"]
    assert list(with_sensor.read()) == ["load1", "load5", "load15"]


def test_a_disk_that_is_not_there_is_named(machine: Path) -> None:
    with pytest.raises(NoAnswer, match=r"cannot read .*/stick: No such file or directory"):
        System(["disk"], path="/stick", root=str(machine)).read()


def test_this_very_machine_gives_what_it_declares() -> None:
    sensor = System()

    values = sensor.read()

    assert sensor.channels().keys() - values.keys() <= {"wifi_signal", "clock_error"}
    assert {name for group in GROUPS for name in CHANNELS[group]} - values.keys() <= {
        "temperature", "under_voltage", "frequency_capped", "throttled", "temperature_limited",
        "wifi_signal", "card_written", "clock_error",
    }  # fmt: skip
    for name, value in values.items():
        channel = sensor.channels()[name]
        assert isinstance(value, int | float)
        assert channel.low <= value <= channel.high, name
    assert values["memory_available"]
    assert values["uptime"]


def test_a_pi_tells_of_its_supply_its_wifi_and_its_card(machine: Path) -> None:
    """Field 7 of a card's statistics are sectors of 512 bytes (Documentation/block/stat.rst)."""
    sensor = System(["power", "wifi", "card"], root=str(machine))

    assert sensor.read() == {
        "under_voltage": False,
        "wifi_signal": -52,
        "card_written": 8_747_966 * 512,
    }
    (machine / "sys/class/hwmon/hwmon1/in0_lcrit_alarm").write_text("1\n")
    assert sensor.read()["under_voltage"] is True


@pytest.mark.parametrize(
    ("flags", "set_now"),
    [
        ("0", []),
        ("50005", ["throttled"]),
        ("2", ["frequency_capped"]),
        ("80008", ["temperature_limited"]),
        ("f0000", []),
        ("e000e", ["frequency_capped", "throttled", "temperature_limited"]),
    ],
)
@pytest.mark.parametrize("soc", ["soc", "soc@107c000000"])
def test_a_pi_tells_what_slows_it_down(
    machine: Path, soc: str, flags: str, set_now: list[str]
) -> None:
    """In hex without a mark; the upper half is what has been (raspberrypi/linux, pull 2397)."""
    platform = machine / "sys/devices/platform"
    (platform / "soc/soc:firmware").rename(platform / f"soc/{soc}:firmware")
    (platform / "soc").rename(platform / soc)
    (platform / soc / f"{soc}:firmware/get_throttled").write_text(f"{flags}\n")

    values = System(["throttling"], root=str(machine)).read()

    assert list(values) == ["frequency_capped", "throttled", "temperature_limited"]
    assert [name for name, value in values.items() if value is True] == set_now


def test_wifi_without_a_connection_has_no_level(machine: Path) -> None:
    """-256 dBm is nothing, and a positive number is in units of the card's own."""
    wireless = machine / "proc/net/wireless"
    sensor = System(["wifi"], root=str(machine))

    wireless.write_text(WIRELESS.replace("-52.", " 40."))

    assert sensor.read() == {}
    assert list(sensor.channels()) == ["wifi_signal"]


@pytest.mark.parametrize(
    ("group", "file"),
    [
        ("power", "sys/class/hwmon/hwmon1/name"),
        ("throttling", "sys/devices/platform/soc/soc:firmware/get_throttled"),
        ("wifi", "proc/net/wireless"),
        ("card", "sys/block/mmcblk0/stat"),
    ],
)
def test_what_the_machine_does_not_have_is_no_channel(
    machine: Path, group: Group, file: str
) -> None:
    sensor = System([group], root=str(machine))

    assert sensor.channels()
    (machine / file).unlink()
    assert sensor.channels() == {}
    assert sensor.read() == {}


@pytest.mark.parametrize(
    ("synced", "values"),
    [(True, {"clock_synced": True, "clock_error": 0.0125}), (False, {"clock_synced": False})],
)
def test_the_clock_is_the_kernels(
    monkeypatch: pytest.MonkeyPatch, synced: bool, values: dict[str, object]
) -> None:
    """How much it errs means something only while NTP keeps it."""
    state = Discipline(synced=synced, error=12_500, frequency=0)
    monkeypatch.setattr(system, "discipline", lambda: state)

    assert System(["clock"]).read() == values
