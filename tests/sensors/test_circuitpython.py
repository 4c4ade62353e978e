"""Libraries for CircuitPython as drivers: real ones, on chips that are made up."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import adafruit_mpu6050
import adafruit_scd4x
import adafruit_sht4x
import pytest
from adafruit_rig import CommandBus, RegisterBus, Time

from pilogger.bus.busio import BusIO
from pilogger.bus.sensirion import encode
from pilogger.channel import Channel
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.circuitpython import CircuitPython
from pilogger.sensors.tmp117 import TMP117
from pilogger.testing import MemoryBus

LUX = {"lux": Channel("lx", 0, 88_000)}
SOME = {"value": Channel("1")}


def tsl2591(all_light: int = 5000, infrared: int = 1000, ident: int = 0x50) -> MemoryBus:
    counts = struct.pack("<2H", all_light, infrared)
    return MemoryBus({0x29: {0xB2: bytes([ident]), 0xB4: counts}})


def ready(sensor: CircuitPython) -> CircuitPython:
    sensor.start()
    return sensor


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a library of one class `Chip`, whose body is given, and make a driver of it."""

    def write(body: str, **more: Any) -> CircuitPython:
        indented = "\n".join(f"    {line}" for line in body.splitlines())
        (tmp_path / "library_made_up.py").write_text(f"class Chip:\n{indented}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "library_made_up", raising=False)
        return CircuitPython(MemoryBus({}), "library_made_up.Chip", **({"gives": SOME} | more))

    return write


def test_an_attribute_is_a_channel() -> None:
    """Adafruit's library for the TSL2591: (5000 - 1.64 x 1000) x 408 / 2500."""
    sensor = ready(CircuitPython(tsl2591(), "adafruit_tsl2591.TSL2591", LUX))

    values = sensor.read()

    assert sensor.channels() == LUX
    assert values == {"lux": pytest.approx(548.352)}


def test_a_tuple_gives_its_parts_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adafruit's library for the MPU6050; 16384 counts are 1 g, and one of the whole is 340."""
    monkeypatch.setattr(adafruit_mpu6050, "sleep", Time().sleep)
    counts = struct.pack(">7h", 16384, -8192, 0, -521, 0, 0, 0)

    class Resetting(MemoryBus):
        def write(self, address: int, data: bytes) -> None:
            super().write(address, data)
            self.memory[address][0x6B] &= 0x7F

    gives = {name: Channel("m/s2", -160, 160) for name in "xyz"}
    sensor = CircuitPython(
        Resetting({0x69: {0x3B: counts, 0x75: b"\x68"}}),
        "adafruit_mpu6050.MPU6050",
        gives | {"temperature": Channel("Cel")},
        parts={"acceleration": ["x", "y", "z"]},
        options={"address": 0x69},
        settings={"accelerometer_range": 0},
    )

    values = ready(sensor).read()

    assert list(values) == ["temperature", "x", "y", "z"]
    assert list(values.values()) == pytest.approx([35, 9.80665, -4.903325, 0], abs=0.01)


def test_methods_are_called_at_the_start_and_none_is_no_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Adafruit's library for the SCD4x measures only when it is told to."""
    monkeypatch.setattr(adafruit_scd4x, "time", Time())
    bus = CommandBus(0x62, {b"\xe4\xb8": encode(0), b"\xec\x05": encode(500, 0x6667, 0x5EB9)})
    gives = {"CO2": Channel("[ppm]"), "temperature": Channel("Cel")}
    sensor = CircuitPython(bus, "adafruit_scd4x.SCD4X", gives, calls=["start_periodic_measurement"])

    sensor.start()

    assert bus.writes[-1] == b"\x21\xb1"
    assert sensor.read() == {"CO2": None, "temperature": None}
    bus.answers[b"\xe4\xb8"] = encode(0x8006)
    assert sensor.read() == {"CO2": 500, "temperature": pytest.approx(25, abs=0.003)}


def test_a_method_without_arguments_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """What libraries measure so, they usually give as several parts."""
    monkeypatch.setattr(adafruit_sht4x, "time", Time())
    bus = CommandBus(0x44, {b"\xfd": encode(0x6666, 0x8000), b"\x94": b""})

    class Methods(adafruit_sht4x.SHT4x):  # type: ignore[misc]
        def measure(self) -> tuple[float, float]:
            found: tuple[float, float] = self.measurements
            return found

    monkeypatch.setattr(adafruit_sht4x, "Methods", Methods, raising=False)
    gives = {"temperature": Channel("Cel"), "humidity": Channel("%")}
    sensor = CircuitPython(
        bus, "adafruit_sht4x.Methods", gives, parts={"measure": ["temperature", "humidity"]}
    )

    assert ready(sensor).read() == {
        "temperature": pytest.approx(25, abs=0.001),
        "humidity": pytest.approx(56.501, abs=0.001),
    }


def test_it_shares_a_bus_with_our_own_drivers() -> None:
    """Both use what the core opened; neither needs to know of the other."""
    bus = tsl2591()
    bus.memory[0x48] = RegisterBus({0x48: {0x0F: b"\x01\x17"}}).memory[0x48]

    sensor = ready(CircuitPython(bus, "adafruit_tsl2591.TSL2591", LUX))

    assert TMP117.identify(bus, 0x48)
    assert sensor.read()


def test_a_chip_that_is_gone_does_not_answer() -> None:
    """At the start, and between two readings; the sentence is that of the bus."""
    bus = tsl2591()
    sensor = ready(CircuitPython(bus, "adafruit_tsl2591.TSL2591", LUX))

    del bus.memory[0x29]

    for silent in (sensor.read, sensor.start):
        with pytest.raises(NoAnswer, match=r"^nothing answers at 0x29$"):
            silent()


def test_what_a_library_complains_of_is_no_reading() -> None:
    """Another chip at the start, and too much light later."""
    with pytest.raises(BadReading, match=r"^TSL2591: Failed to find TSL2591"):
        CircuitPython(tsl2591(ident=0x51), "adafruit_tsl2591.TSL2591", LUX).start()
    with pytest.raises(BadReading, match=r"^TSL2591: Overflow reading light channels"):
        ready(CircuitPython(tsl2591(0x8FFF), "adafruit_tsl2591.TSL2591", LUX)).read()


@pytest.mark.parametrize("error", ["RuntimeError", "ValueError"])
def test_a_library_has_two_ways_to_complain(error: str, written: Any) -> None:
    body = f"def __init__(self, bus): pass\ndef value(self): raise {error}('CRC mismatch')"

    with pytest.raises(BadReading, match=r"^Chip: CRC mismatch$"):
        ready(written(body)).read()


def test_a_bug_of_a_library_stays_one(written: Any) -> None:
    """Its trace is what its author needs; the core logs it once."""
    sensor = ready(written("def __init__(self, bus): pass\ndef value(self): return 1 / 0"))

    with pytest.raises(ZeroDivisionError):
        sensor.read()


@pytest.mark.parametrize("found", ["1.0", "(1.0, 2.0, 3.0)", "None", "'12'"])
def test_other_parts_than_named_are_no_reading(found: str, written: Any) -> None:
    gives = {"x": Channel("m"), "y": Channel("m")}
    sensor = written(
        f"value = {found}\ndef __init__(self, bus): pass", gives=gives, parts={"value": ["x", "y"]}
    )

    with pytest.raises(BadReading, match=r"^value of Chip is .*, not 2 parts$"):
        ready(sensor).read()


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"gives": {"luxx": Channel("lx")}}, "TSL2591 has no luxx; it has: .*lux, "),
        ({"settings": {"gian": 16}}, "TSL2591 has no gian; it has: .*gain, "),
        ({"calls": ["begin"]}, "TSL2591 has no begin"),
        ({"parts": {"light": ["lux"]}}, "TSL2591 has no light"),
        ({"options": {"adress": 0x29}}, "TSL2591: .*unexpected keyword argument 'adress'"),
        ({"library": "adafruit_tsl2591.Tsl"}, "module adafruit_tsl2591 has no Tsl$"),
    ],
)
def test_a_name_that_the_library_does_not_have_is_told(
    mistake: dict[str, Any], sentence: str
) -> None:
    given = {"library": "adafruit_tsl2591.TSL2591", "gives": LUX} | mistake

    with pytest.raises(WrongChip, match=sentence):
        CircuitPython(tsl2591(), **given).start()


def test_a_setting_reaches_the_chip() -> None:
    bus = tsl2591()

    ready(CircuitPython(bus, "adafruit_tsl2591.TSL2591", LUX, settings={"gain": 0x30}))

    assert bus.writes[-1] == (0x29, b"\xa1\x30")


@pytest.mark.parametrize(
    ("library", "sentence"),
    [
        ("adafruit_none_such.X", r"install .*\[circuitpython\]' adafruit-circuitpython-none_such`"),
        ("library_of_mine.X", r"micropython is missing: `pip install 'pilogger\[circuitpython\]'`"),
        ("library_of_theirs.X", r"library_of_theirs cannot be imported: .*no such board"),
    ],
)
def test_what_has_to_be_installed_is_said(
    library: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blinka gives libraries their `micropython`; on a strange machine it raises anything."""
    (tmp_path / "library_of_mine.py").write_text("import micropython\n")
    (tmp_path / "library_of_theirs.py").write_text("raise NotImplementedError('no such board')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "micropython", None)

    with pytest.raises(NoAnswer, match=sentence):
        CircuitPython(MemoryBus({}), library, LUX).start()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"library": "TSL2591"}, "module and class"),
        ({"gives": {}}, "gives names no channel"),
        ({"parts": {"raw": ["lux", "infrared"]}}, "parts names infrared, which gives does not"),
    ],
)
def test_a_config_that_cannot_be_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    """Before any library is looked for."""
    given = {"library": "none.Such", "gives": LUX} | wrong

    with pytest.raises(ValueError, match=sentence):
        CircuitPython(MemoryBus({}), **given)


def test_the_bus_has_what_libraries_ask_of_one() -> None:
    """Slices of buffers, an empty write that only looks, and a scan."""
    bus = RegisterBus({0x29: {0x10: b"\x01\x02\x03"}, 0x77: {}})
    busio, buffer = BusIO(bus), bytearray(b"\xaa" * 5)

    assert busio.try_lock()
    busio.writeto(0x50, b"")
    busio.writeto(0x29, b"\xff\x10\xff", start=1, end=2)
    busio.readfrom_into(0x29, buffer, start=1, end=3)
    busio.writeto_then_readfrom(0x29, b"\x11\xff", buffer, out_end=1, in_start=4)
    busio.unlock()

    assert bus.writes == [(0x29, b"\x10")]
    assert buffer == b"\xaa\x01\x02\xaa\x02"
    assert busio.scan() == [0x29, 0x77]
    with pytest.raises(OSError, match="nothing answers at 0x50"):
        busio.writeto(0x50, b"\x00")
