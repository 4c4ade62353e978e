"""Each sensor with a bus, wired and well: a fake that a driver can start on and read once.

The fakes are those of the drivers' own tests. From them comes, too, how long a driver waits and
keeps its bus busy, for `docs/sensors.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, NamedTuple

import test_ads1115
import test_aht20
import test_bh1750
import test_bme280
import test_bme680
import test_bmp180
import test_bmp280
import test_ds3231
import test_ens160
import test_gps
import test_htu21d
import test_ina219
import test_ina226
import test_ina260
import test_lc709203f
import test_lm75
import test_ltr559
import test_max17048
import test_mcp9808
import test_mhz19
import test_mpu6050
import test_pcf8591
import test_pms5003
import test_pmsa003i
import test_scd4x
import test_scd30
import test_sgp30
import test_sgp40
import test_sht3x
import test_sht4x
import test_shtc3
import test_tmp117
import test_tsl2561
import test_tsl2591
import test_veml7700
from adafruit_rig import CommandBus

from pilogger.bus.sensirion import encode
from pilogger.channel import Channel
from pilogger.driver import GROUP, bus_kind, find
from pilogger.sensors.mhz19 import READ, command
from pilogger.testing import ScriptedBus, ScriptedOneWire, SerialPort, run, w1_slave

WORDS = encode(0x6666, 0x8000)  # 25 Cel and 50 % to most of Sensirion's

CHIPS: Mapping[str, Callable[[], Any]] = {
    "ads1115": lambda: test_ads1115.Chip(0x4000),
    "aht20": lambda: test_aht20.chip(test_aht20.with_crc(bytes.fromhex("187552058e40"))),
    "bh1750": lambda: test_bh1750.measuring(b"\x83\x90"),
    "bme280": test_bme280.chip,
    "bme680": test_bme680.chip,
    "bmp180": lambda: test_bmp180.polled(
        (27898).to_bytes(2, "big"), (23843 << 8).to_bytes(3, "big")
    ),
    "bmp280": test_bmp280.chip,
    "circuitpython": lambda: test_tsl2591.chip(1000, 300),
    "ds18b20": lambda: ScriptedOneWire(
        ("devices", ["28-00000a1b2c3d"]),
        ("read", "28-00000a1b2c3d", "w1_slave", w1_slave("91 01 4b 46 7f ff 0f 10 25")),
    ),
    "ds3231": test_ds3231.chip,
    "ens160": lambda: test_ens160.chip(tvoc=100, eco2=500),
    "gps": lambda: SerialPort(b"old", test_gps.OLD, b"old", test_gps.GGA, test_gps.RMC),
    "htu21d": lambda: test_htu21d.chip(test_htu21d.frame(0x683A), test_htu21d.frame(0x4E85)),
    "ina219": lambda: test_ina219.chip(2000, 0x5D9A),
    "ina226": lambda: test_ina226.chip(8000, 9584),
    "ina260": lambda: test_ina260.chip(8000, 9584),
    "lc709203f": lambda: test_lc709203f.Chip({}),
    "lm75": lambda: test_lm75.chip(0x1900),
    "ltr559": lambda: test_ltr559.chip(1000, 100),
    "max17048": lambda: test_max17048.chip(0xC000, 0x5000),
    "mcp9808": lambda: test_mcp9808.chip(0xC190),
    "mhz19": lambda: SerialPort(answers={command(READ): test_mhz19.ANSWER}),
    "mpu6050": lambda: test_mpu6050.Resetting(
        {0x68: {0x3B: bytes(14), 0x6B: b"\x40", 0x75: b"\x68"}}
    ),
    "pcf8591": lambda: test_pcf8591.Chip([0, 64, 128, 255]),
    "pms5003": lambda: SerialPort(*[test_pms5003.FRAME] * 4),
    "pmsa003i": lambda: ScriptedBus(
        ("read", 0x12, b"BM"), ("read", 0x12, test_pmsa003i.frame([*range(13)]))
    ),
    "scd30": lambda: CommandBus(
        0x61,
        test_scd30.chip().answers
        | {b"\x46\x00": encode(2), b"\x51\x02": encode(0)}
        | {b"\x53\x06": encode(1)},
    ),
    "scd4x": test_scd4x.chip,
    "sgp30": test_sgp30.chip,
    "sgp40": test_sgp40.chip,
    "sht3x": lambda: test_sht3x.chip(WORDS),
    "sht4x": lambda: test_sht4x.chip(WORDS),
    "shtc3": lambda: test_shtc3.chip(WORDS),
    "tmp117": lambda: test_tmp117.chip(0x0C80),
    "tsl2561": lambda: test_tsl2561.chip(1000, 300),
    "tsl2591": lambda: test_tsl2591.chip(1000, 300),
    "veml7700": lambda: test_veml7700.chip(1000),
}

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "circuitpython": {"library": "adafruit_tsl2591.TSL2591", "gives": {"lux": Channel("lx", 0)}}
}
"""What a driver needs besides its bus."""

BIT_S = 1 / 100_000


class Meter:
    """A bus that counts how long the bytes on I2C take, at 100 kHz; other ports have one user."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self.seconds = 0.0

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def metered(*args: Any) -> Any:
            answer = getattr(self._bus, verb)(*args)
            if args and isinstance(args[0], int):  # an address, sent before each part
                parts = [len(part) for part in (*args, answer) if isinstance(part, bytes)]
                self.seconds += sum(9 * (1 + part) + 2 for part in parts) * BIT_S
            return answer

        return metered


class Times(NamedTuple):
    """How long a driver waits while others have the bus, and keeps the bus busy, in seconds."""

    start_wait: float
    start_bus: float
    read_wait: float
    read_bus: float


def poll(name: str) -> tuple[object, object, Times]:
    """Start a driver on its idle chip and read it once; return it, its reading, and the times."""
    meter = Meter(CHIPS[name]())
    driver = find(name)(meter, **OPTIONS.get(name, {}))
    _, start = run(driver.start()) if hasattr(driver, "start") else (None, [])
    started = meter.seconds
    reading, read = run(driver.read())
    return driver, reading, Times(sum(start), started, sum(read), meter.seconds - started)


def times() -> dict[str, Times]:
    """Return the times of every driver but those for which the kernel waits, or a library."""
    return {name: poll(name)[2] for name in CHIPS if name not in {"ds18b20", "circuitpython"}}


def registered() -> list[str]:
    """Return the names of the drivers that pilogger itself brings, whatever else is installed."""
    points = entry_points(group=GROUP)
    return sorted(it.name for it in points if it.value.startswith("pilogger.sensors."))


def wired() -> set[str]:
    """Return those whose bus is I2C, 1-wire or serial."""
    kinds = {name: bus_kind(find(name)) for name in registered()}
    return {name for name, kind in kinds.items() if kind and kind.name != "gpio"}
