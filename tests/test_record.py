"""Record: a file of some polls that plays back to the driver, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pilogger.bus import Kind, gpio
from pilogger.bus.sensirion import encode
from pilogger.cli import main
from pilogger.config import loads
from pilogger.driver import bus_kind
from pilogger.errors import NoAnswer
from pilogger.record import KINDS, record
from pilogger.sensors.ds18b20 import DS18B20
from pilogger.sensors.ds3231 import DS3231
from pilogger.sensors.mhz19 import MHZ19, READ, SELF_CALIBRATION, command
from pilogger.sensors.sht3x import SHT3x
from pilogger.sensors.sht4x import MEASURE, SERIAL, SHT4x
from pilogger.testing import MemoryBus, MuxBus, Recording, ScriptedBus, SerialPort, w1_slave

WARM = encode(0x6666, 0x8000)  # 25 Cel, 56.5 %
SCRATCHPAD = "50 05 4b 46 7f ff 0c 10 1c"  # the datasheet's 85 Cel, which no conversion gave
COLD = "91 01 4b 46 7f ff 0f 10 25"  # 25.0625 Cel


class Open:
    """A bus with a close()."""

    def __init__(self, bus: Any) -> None:
        self.bus = bus
        self.closed = False

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.bus, verb)

    def close(self) -> None:
        self.closed = True


def recorded(file: Path, sensor: str, bus: object, polls: int = 2) -> int:
    """Record a sensor as the config has it, on a bus of ours; return how many polls failed."""
    (found,) = loads(f"sensors: {{it: {sensor}}}").sensors
    opened = Open(bus)
    if found.kind:
        found = replace(found, kind=found.kind._replace(open=lambda _: opened))
    with file.open("w") as out:
        failed = record(found, polls, out.write, lambda _: None)
    assert opened.closed == (found.kind is not None)
    return failed


def test_i2c_traffic_with_errors_plays_back(tmp_path: Path) -> None:
    """A good poll, a bad checksum, a start anew, a chip that left: all of it comes again."""
    file = tmp_path / "sht4x.jsonl"
    bus = ScriptedBus(
        ("write", 0x45, SERIAL),
        ("read", 0x45, encode(1, 2)),
        ("write", 0x45, b"\x94"),
        ("write", 0x45, MEASURE),
        ("read", 0x45, WARM),
        ("write", 0x45, MEASURE),
        ("read", 0x45, WARM[:5] + b"\x00"),
        ("write", 0x45, SERIAL),
        ("read", 0x45, NoAnswer("nothing answers at 0x45")),
        ("write_read", 0x45, b"\xf3\x2d", NoAnswer("timed out: a chip holds the bus")),
    )

    assert recorded(file, "{driver: sht4x, address: 0x45}", bus, polls=3) == 2
    bus.done()
    recording = Recording(file)
    assert recording.calls == ["start", "read", "read", "start"]
    start, good, bad, left = recording.outcomes
    assert start is None
    assert good == {"temperature": 25.0, "humidity": pytest.approx(56.501, abs=0.001)}
    assert str(bad).startswith("BadReading: the checksum is wrong")
    assert left == "NoAnswer: timed out: a chip holds the bus"
    assert recording.play(SHT4x) == recording.outcomes
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [event["wait"] for event in events if "wait" in event][:3] == [0.01, 0.001, 0.0083]
    moments = [event["at"] for event in events[1:]]
    assert moments == sorted(moments)


def test_one_wire_files_play_back(tmp_path: Path) -> None:
    """What the kernel's files said, word for word."""

    texts = [w1_slave(SCRATCHPAD), w1_slave(COLD)]

    class Kernel:
        def devices(self) -> list[str]:
            return ["28-00000a1b2c3d"]

        def read(self, _device: str, _file: str) -> str:
            return texts.pop(0)

    assert recorded(tmp_path / "w1.jsonl", "{driver: ds18b20}", Kernel()) == 1
    recording = Recording(tmp_path / "w1.jsonl")
    assert recording.outcomes[-1] == {"temperature": 25.0625}
    assert recording.play(DS18B20) == recording.outcomes


def test_serial_traffic_plays_back(tmp_path: Path) -> None:
    """Also that nothing had come in."""
    answer = bytes.fromhex("ff86019000000000e9")
    port = SerialPort(answers={command(READ): answer, command(SELF_CALIBRATION, 0): b"\xff\x79"})
    sensor = "{driver: mhz19, self_calibration: false}"

    assert recorded(tmp_path / "co2.jsonl", sensor, port) == 0
    recording = Recording(tmp_path / "co2.jsonl")
    assert recording.outcomes == [None, {"co2": 400}, {"co2": 400}]
    assert recording.play(MHZ19) == recording.outcomes


def test_another_behaviour_does_not_play(tmp_path: Path) -> None:
    """A driver that asks for something else ends the test; so does one that asks for less."""
    file = tmp_path / "sht4x.jsonl"
    bus = ScriptedBus(
        ("write", 0x44, SERIAL),
        ("read", 0x44, encode(1, 2)),
        ("write", 0x44, b"\x94"),
        ("write", 0x44, MEASURE),
        ("read", 0x44, WARM),
    )
    recorded(file, "{driver: sht4x}", bus, polls=1)

    with pytest.raises(AssertionError):
        Recording(file).play(SHT3x)
    with pytest.raises(AssertionError):
        Recording(file).play(SHT4x, address=0x45)
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line for line in lines if '"do": "read"' not in line))
    with pytest.raises(AssertionError, match="never happened"):
        Recording(file).play(SHT4x)


def test_behind_a_multiplexer_only_the_chips_traffic_is_recorded(tmp_path: Path) -> None:
    """So the file plays on any bus."""
    chip = MemoryBus({0x68: {0x03: b"\x01", 0x11: b"\x19\x40"}})
    bus = MuxBus(MemoryBus({}), {3: chip})

    assert recorded(tmp_path / "rtc.jsonl", "{driver: ds3231, bus: 1/0x70/3}", bus) == 0
    recording = Recording(tmp_path / "rtc.jsonl")
    assert recording.about["bus"] == "1/0x70/3"
    assert recording.play(DS3231) == [None, {"temperature": 25.25}, {"temperature": 25.25}]


def test_pins_leave_only_what_came_of_the_calls(tmp_path: Path, pins: gpio.PinBus) -> None:
    """gpiozero's devices speak to the pins themselves."""
    assert recorded(tmp_path / "door.jsonl", "{driver: contact, pin: 17}", pins) == 0
    recording = Recording(tmp_path / "door.jsonl")

    assert recording.outcomes == [None, {"closed": False}, {"closed": False}]
    assert "gpio" not in KINDS


def test_the_head_says_what_was_recorded_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chip, driver, version, options, machine."""
    monkeypatch.setenv("KEY", "hunter2")
    monkeypatch.setenv("BUS", "/dev/i2c-7")
    sensor = "{driver: command, run: [echo, !env KEY], gives: {level: {unit: m}}}"

    recorded(tmp_path / "it.jsonl", sensor, None, polls=1)

    text = (tmp_path / "it.jsonl").read_text()
    about = json.loads(text.splitlines()[0])
    assert about["driver"] == "pilogger.sensors.command:Command"
    assert about["options"]["run"] == "***"
    assert "unit='m'" in about["options"]["gives"]["level"]
    assert about["recording"] == 1
    assert about.keys() >= {"pilogger", "machine", "kernel", "python", "kind", "bus"}
    assert "printed no JSON" in text
    assert "hunter2" not in text
    (other,) = loads("sensors: {it: {driver: tmp117, bus: !env BUS}}").sensors
    assert other.options.shown() == {}, "no option is secret"


def test_a_bus_that_cannot_be_opened_is_in_the_file(tmp_path: Path) -> None:
    lines: list[str] = []
    (sensor,) = loads("sensors: {it: {driver: sht4x, bus: 199}}").sensors

    with pytest.raises(NoAnswer, match="there is no /dev/i2c-199"):
        record(sensor, 1, lines.append)
    assert json.loads(lines[1])["fails"].startswith("NoAnswer: there is no /dev/i2c-199")


def test_polls_follow_the_config_but_nobody_waits_for_hours(tmp_path: Path) -> None:
    waits: list[float] = []
    for every in ("2s", "6h"):
        (sensor,) = loads(f"sensors: {{it: {{driver: simulated, every: {every}}}}}").sensors
        record(sensor, 2, lambda _: None, waits.append)

    assert waits == [2, 10]


def test_lines_are_written_before_the_next_thing_happens(tmp_path: Path) -> None:
    """A driver that hangs leaves all that it did."""

    class Hangs(BaseException):
        """A person's patience."""

    class Bus(MemoryBus):
        def close(self) -> None:
            """Nothing is held open."""

        def write_read(self, _address: int, _data: bytes, _length: int) -> bytes:
            raise Hangs

    (sensor,) = loads("sensors: {it: {driver: tmp117}}").sensors
    assert sensor.kind
    lines: list[str] = []
    sensor = replace(sensor, kind=sensor.kind._replace(open=lambda _: Bus({})))

    with pytest.raises(Hangs):
        record(sensor, 1, lines.append)
    assert json.loads(lines[-1])["do"] == "start"


def test_the_command_writes_a_file(tmp_path: Path) -> None:
    """Exit 0 if anything was read, 1 if not, and the counts beside the file."""
    config = tmp_path / "c.yaml"
    config.write_text(
        "sensors:\n"
        "  fake: {driver: simulated, every: 1s}\n"
        "  none: {driver: command, run: 'false', gives: {level: {unit: m}}}\n"
    )
    run: Callable[..., Any] = lambda *args: CliRunner().invoke(  # noqa: E731
        main, ["record", *args, "--config", str(config)]
    )

    said = run("fake", "--polls", "2", "--out", str(tmp_path / "out.jsonl"))
    assert (said.exit_code, said.stdout, said.stderr) == (0, "", "2 polls, 0 failed\n")
    assert len(Recording(tmp_path / "out.jsonl").outcomes) == 2
    failed = run("none", "--polls", "1")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout.splitlines()[-1])["fails"].startswith("NoAnswer: false failed")
    unknown = run("nobody")
    assert unknown.exit_code == 1
    assert "no sensor is called 'nobody'; the config has fake, none" in unknown.stderr
    nowhere = run("fake", "--out", str(tmp_path / "no/folder"))
    assert nowhere.exit_code == 1
    assert "cannot write" in nowhere.stderr


def test_every_verb_of_a_recordable_bus_is_played() -> None:
    """The seam and its player have the same verbs."""
    from pilogger import testing
    from pilogger.bus import i2c, onewire, serial

    players: Mapping[type, type] = {
        i2c.Bus: testing.ScriptedBus,
        onewire.Bus: testing.ScriptedOneWire,
        serial.Bus: testing.ScriptedPort,
    }
    for seam, player in players.items():
        assert {verb for verb in vars(seam) if not verb.startswith("_")} <= vars(player).keys()
    kinds: list[Kind | None] = [bus_kind(cls) for cls in (SHT4x, DS18B20, MHZ19)]
    assert [kind and kind.name for kind in kinds] == list(KINDS)
