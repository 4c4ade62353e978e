"""Scan: every chip by its name or "one of", nobody changed by the question, and a config."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from adafruit_rig import CommandBus, RegisterBus
from click.testing import CliRunner

from pilogger import driver
from pilogger.bus import Kind, i2c, serial
from pilogger.bus.sensirion import encode
from pilogger.cli import main
from pilogger.config import loads
from pilogger.errors import NoAnswer
from pilogger.scan import Find, Report, as_json, as_yaml, scan, tell
from pilogger.scan.chips import Walk
from pilogger.scan.finds import candidates
from pilogger.scan.ports import serial_ports
from pilogger.sensors.lc709203f import crc8
from pilogger.sensors.mhz19 import READ, command
from pilogger.testing import MemoryBus, MuxBus, SerialPort

VERSION = b"\x01\x27"  # of an LC709203F; its checksum is over the address bytes, too
LC709203F = VERSION + bytes([crc8(b"\x16\x11\x17" + VERSION)])


class Board:
    """An I2C bus with chips of several kinds; a chip is a bus on which only it lives."""

    def __init__(self, chips: Mapping[int, i2c.Bus], held: tuple[int, ...] = ()) -> None:
        self.chips = dict(chips)
        self.held = held
        self.closed = False

    def write(self, address: int, data: bytes) -> None:
        self._chip(address).write(address, data)

    def read(self, address: int, length: int) -> bytes:
        return self._chip(address).read(address, length)

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        return self._chip(address).write_read(address, data, length)

    def answers(self, address: int) -> bool:
        if address in self.held:
            raise i2c.Held(f"busy: a kernel driver uses the chip at {address:#04x}")
        return address in self.chips

    def close(self) -> None:
        self.closed = True

    def _chip(self, address: int) -> i2c.Bus:
        if address not in self.chips:
            raise NoAnswer(f"nothing answers at {address:#04x}")
        return self.chips[address]


class Strict(RegisterBus):
    """A chip with registers that may be read and never written."""

    def write(self, address: int, data: bytes) -> None:
        if len(data) > 1:
            pytest.fail(f"{data.hex(' ')} changes a register at {address:#04x}")
        self.pointer = data[0]

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        if len(data) > 1:
            pytest.fail(f"{data.hex(' ')} changes a register at {address:#04x}")
        self.pointer = data[0]
        return super().write_read(address, data, length)


class Wide(Strict):
    """The same where each register has two bytes."""

    def __init__(self, address: int, words: Mapping[int, int]) -> None:
        super().__init__({address: {}})
        self.words = dict(words)

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        super().write_read(address, data, 0)
        return self.words.get(data[0], 0).to_bytes(2, "big").ljust(length, b"\xff")[:length]


class Commands(CommandBus):
    """A chip with commands that bears no other than these."""

    def write(self, address: int, data: bytes) -> None:
        if data not in self.answers and data not in self.harmless:
            pytest.fail(f"{data.hex(' ')} is a strange command at {address:#04x}")
        if data not in self.answers:
            raise NoAnswer(f"{address:#04x} knows no such command")
        super().write(address, data)

    harmless: tuple[bytes, ...] = ()


def registers(address: int, memory: Mapping[int, bytes]) -> Strict:
    return Strict({address: memory})


def commands(address: int, answers: Mapping[bytes, bytes], *harmless: bytes) -> Commands:
    found = Commands(address, answers)
    found.harmless = harmless
    return found


class Frame(MemoryBus):
    """Gives a frame to each who reads, whatever was asked."""

    def __init__(self, address: int, frame: bytes) -> None:
        super().__init__({address: {}})
        self.frame = frame

    def write(self, address: int, data: bytes) -> None:
        pytest.fail(f"{data.hex(' ')} is written at {address:#04x}")

    def read(self, _address: int, length: int) -> bytes:
        return self.frame[:length]


# One of each chip that can say what it is, as it is after power-on.
CHIPS: dict[str, tuple[int, i2c.Bus]] = {
    "aht20": (0x38, Frame(0x38, b"\x18")),
    "bme280": (0x76, registers(0x76, {0xD0: b"\x60"})),
    "bme680": (0x76, registers(0x76, {0xD0: b"\x61"})),
    "bmp180": (0x77, registers(0x77, {0xD0: b"\x55"})),
    "bmp280": (0x77, registers(0x77, {0xD0: b"\x58"})),
    "ds3231": (0x68, registers(0x68, {0x03: b"\x01", 0x11: b"\x19\x40"})),
    "ens160": (0x53, registers(0x53, {0x00: b"\x60\x01"})),
    # Its reset, 0xfe, is what an INA226 has its maker in.
    "htu21d": (0x40, commands(0x40, {b"\xe7": b"\x02"}, b"\x00")),
    "ina226": (0x40, Wide(0x40, {0x00: 0x4127, 0xFE: 0x5449, 0xFF: 0x2260})),
    "ina260": (0x45, Wide(0x45, {0x00: 0x6127, 0xFE: 0x5449, 0xFF: 0x2270})),
    "lc709203f": (0x0B, registers(0x0B, {0x11: LC709203F})),
    "ltr559": (0x23, registers(0x23, {0x86: b"\x92\x05"})),
    "max17048": (0x36, Wide(0x36, {0x08: 0x0012})),
    "mcp9808": (0x18, Wide(0x18, {0x06: 0x0054, 0x07: 0x0400})),
    "mpu6050": (0x69, registers(0x69, {0x75: b"\x68"})),
    "pmsa003i": (0x12, Frame(0x12, b"\x42\x4d")),
    "scd30": (0x61, commands(0x61, {b"\xd1\x00": encode(0x0342)})),
    "scd4x": (0x62, commands(0x62, {b"\xe4\xb8": encode(0x8000)})),
    "sgp30": (0x58, commands(0x58, {b"\x20\x2f": encode(0x0022)})),
    "sgp40": (0x59, commands(0x59, {b"\x20\x2f": encode(0x3220)})),
    "sht3x": (0x44, commands(0x44, {b"\xf3\x2d": encode(0x8010)}, b"\x00", b"\x89")),
    "sht4x": (0x44, commands(0x44, {b"\x89": encode(1, 2)}, b"\x00")),
    "shtc3": (
        0x70,
        commands(0x70, {b"\x35\x17": b"", b"\xef\xc8": encode(0x0887), b"\xb0\x98": b""}),
    ),
    "tmp117": (0x4A, Wide(0x4A, {0x0F: 0x0117})),
    "tsl2561": (0x39, registers(0x39, {0x8A: b"\x50"})),
    "tsl2591": (0x29, registers(0x29, {0xB2: b"\x50"})),
    "veml7700": (0x10, registers(0x10, {0x07: b"\x81\xc4"})),
}


KNOWN = [one for one in candidates() if one.kind is i2c.KIND]


def found(bus: Board | MuxBus, name: int | str = 1) -> list[Find]:
    return [one for one in Walk(KNOWN, int).over(bus, name) if isinstance(one, Find)]


def drivers(find: Find) -> list[str]:
    return [one.name for one in find.fits]


def test_every_driver_that_can_ask_is_tried_below() -> None:
    """A driver that learns to identify its chip gets a chip here."""
    able = {one.name for one in KNOWN if one.can_ask}

    assert able == set(CHIPS)


@pytest.mark.parametrize("name", sorted(CHIPS))
def test_a_chip_is_known_by_what_it_says_and_unchanged(name: str) -> None:
    """The fakes end the test where a register is written, or a strange command comes."""
    address, chip = CHIPS[name]

    (find,) = found(Board({address: chip}))

    assert (find.at, drivers(find), find.sure) == (address, [name], True)


def test_chips_without_an_identity_are_one_of_several() -> None:
    """Nobody picks one; those that were asked and said no are left out."""
    (find,) = found(Board({0x48: Wide(0x48, {})}))

    assert drivers(find) == ["ads1115", "ina219", "lm75", "pcf8591"]
    assert not find.sure


@pytest.mark.parametrize("address", [0x48, 0x49, 0x4F])
@pytest.mark.parametrize("code", [0, 0x35, 0xFF])
def test_the_output_of_a_pcf8591_stays_off(address: int, code: int) -> None:
    """Each byte that it is sent is its settings; bit 6 switches the output on."""

    class PCF8591(Frame):
        def write_read(self, _address: int, data: bytes, length: int) -> bytes:
            if len(data) > 1 or data[0] & 0b0100_0000:
                pytest.fail(f"{data.hex(' ')} switches the output on")
            return self.frame[:length]

    (find,) = found(Board({address: PCF8591(address, bytes([code, code]))}))

    assert "pcf8591" in drivers(find)


def test_who_does_not_answer_the_question_is_another_chip() -> None:
    """Here neither of Sensirion's; what has no identity remains."""
    silent = commands(0x44, {}, b"\x00", b"\x89", b"\xf3\x2d")

    assert drivers(*found(Board({0x44: silent}))) == ["ina219"]


def test_an_old_chip_without_the_identity_of_new_ones_may_be_one() -> None:
    """A VEML7700 from before it got its register."""
    (find,) = found(Board({0x10: registers(0x10, {})}))

    assert (drivers(find), find.sure) == (["veml7700"], False)


def test_two_that_say_yes_are_two() -> None:
    """A clock that is read as an MPU-6050 at the wrong moment, say."""
    (find,) = found(Board({0x68: registers(0x68, {0x03: b"\x01", 0x75: b"\x68"})}))

    assert (drivers(find), find.sure) == (["ds3231", "mpu6050"], False)


def test_a_chip_with_registers_gets_no_command_of_two_bytes() -> None:
    """At 0x58 a dimmer would take an SGP30's question for the brightness of a lamp."""
    (find,) = found(Board({0x58: registers(0x58, {})}))

    assert (drivers(find), find.sure) == (["sgp30"], False)
    assert "perhaps Sensirion SGP30" in tell([find], [])


def test_what_no_driver_knows_is_shown() -> None:
    finds = found(Board({0x3C: registers(0x3C, {}), 0x0F: registers(0x0F, {})}))

    assert [(find.at, drivers(find), find.note) for find in finds] == [
        (0x0F, [], "nothing that a driver knows"),
        (0x3C, [], "perhaps a display: SSD1306, SH1106"),
    ]


def test_a_chip_of_the_kernel_is_left_to_it(tmp_path: Path) -> None:
    """Its driver is named where the kernel tells it."""
    (tmp_path / "drivers/rtc-ds1307").mkdir(parents=True)
    device = tmp_path / "sys/bus/i2c/devices/1-0068"
    device.mkdir(parents=True)
    (device / "driver").symlink_to(tmp_path / "drivers/rtc-ds1307")
    bus = Board({0x68: registers(0x68, {0x75: b"\x68"})}, held=(0x68,))

    (find,) = scan(1, root=tmp_path, open_bus=lambda *_: bus).finds

    assert "its driver rtc-ds1307" in find.note
    assert not find.fits
    assert "one of its drivers" in found(bus)[0].note


@pytest.mark.parametrize("address", [*range(8), *range(0x78, 0x80)])
def test_reserved_addresses_are_never_asked(address: int) -> None:
    assert found(Board({address: registers(address, {})})) == []


def test_the_channels_of_a_multiplexer_are_walked_and_left_off() -> None:
    """A chip of the trunk is seen on each branch, too, and told once."""
    one, two = CHIPS["bme280"][1], CHIPS["bmp180"][1]
    trunk = Board({0x23: CHIPS["ltr559"][1]})
    inner = MuxBus(Board({}), {5: Board({0x77: two})}, address=0x71)
    bus = MuxBus(trunk, {0: Board({0x76: one}), 3: inner})
    finds = found(bus)

    assert [(find.bus, find.at, drivers(find)) for find in finds] == [
        (1, 0x23, ["ltr559"]),
        (1, 0x70, []),
        ("1/0x70/0", 0x76, ["bme280"]),
        ("1/0x70/3", 0x71, []),
        ("1/0x70/3/0x71/5", 0x77, ["bmp180"]),
    ]
    assert bus.control == inner.control == 0
    assert [drivers(find) for find in found(bus, "1/0x70/0")] == [["bme280"]]


def test_a_branch_in_trouble_does_not_end_the_walk() -> None:
    """A bus in trouble would time out at every address: it is left at the first."""

    class Stuck(Board):
        asked = 0

        def answers(self, address: int) -> bool:
            if address not in range(0x70, 0x78):  # whoever routes to us asks, too
                self.asked += 1
            raise NoAnswer(f"timed out: a chip holds the bus at {address:#04x}")

    stuck = Stuck({})
    report = scan(1, open_bus=lambda *_: stuck)

    assert (report.finds, report.looked, stuck.asked) == ([], False, 1)
    assert "timed out" in report.troubles[0].why
    assert stuck.closed


def test_a_strangers_driver_that_fails_costs_only_its_answer(tmp_path: Path) -> None:
    """It stays among those that it can be; one that cannot be imported is passed over."""
    (tmp_path / "broken.py").write_text("import no_such_module")
    (tmp_path / "mine.py").write_text(
        "from pilogger.bus.i2c import Bus\n"
        "class Mine:\n"
        "    addresses = (0x0f,)\n"
        "    def __init__(self, bus: Bus, level: int): ...\n"
        "    @staticmethod\n"
        "    def identify(bus, address):\n"
        "        raise LookupError\n"
        "    def read(self): ...\n"
    )
    bus = Board({0x0F: registers(0x0F, {})})

    (find,) = scan(1, [tmp_path], open_bus=lambda *_: bus).finds

    assert (drivers(find), find.sure) == (["mine"], False)
    assert "# mine: {driver: mine}  # needs level" in as_yaml([find])
    assert "  # mine: {driver: mine}" in as_yaml([find._replace(sure=True)])


def test_a_driver_that_hides_our_refusal_is_asked_again(tmp_path: Path) -> None:
    """With a broad `except`, which makes a no of it."""
    (tmp_path / "broad.py").write_text(
        "from pilogger.bus.i2c import Bus\n"
        "class Broad:\n"
        "    addresses = (0x0f,)\n"
        "    def __init__(self, bus: Bus): ...\n"
        "    @staticmethod\n"
        "    def identify(bus, address):\n"
        "        try:\n"
        "            return bus.write_read(address, b'\\x01', 1) == b'\\x07'\n"
        "        except Exception:\n"
        "            return False\n"
        "    def read(self): ...\n"
    )
    bus = Board({0x0F: registers(0x0F, {0x01: b"\x07"})})

    (find,) = scan(1, [tmp_path], open_bus=lambda *_: bus).finds

    assert (drivers(find), find.sure) == (["broad"], True)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with two I2C buses, and two chips on 1-wire."""
    (tmp_path / "dev").mkdir()
    for file in ("i2c-1", "i2c-20"):
        (tmp_path / "dev" / file).touch()
    for device in ("28-00000a1b2c3d", "10-000802", "w1_bus_master1"):
        (tmp_path / "sys/bus/w1/devices" / device).mkdir(parents=True)
    return tmp_path


def whole(machine: Path, port: SerialPort | None = None) -> Report:
    """Scan a machine with two I2C buses, and a serial port if there is one."""
    found: dict[str, object] = {
        "1": Board({0x76: CHIPS["bme280"][1]}),
        "20": Board({0x77: CHIPS["bmp180"][1]}),
    }
    if port:
        found[f"{machine}/dev/serial0"] = port
        (machine / "dev/serial0").touch()

    def open_bus(kind: Kind, name: object) -> object:
        return found.get(str(name)) or kind.open(name)

    return scan(root=machine, open_bus=open_bus, wait=lambda _: None)


FRAME = bytes.fromhex("424d001c") + bytes(26) + b"\x00\xab"
SENTENCE = b"$GPGSV,1,1,00*79\r\n"
CO2 = bytes.fromhex("ff86019000000000e9")


@pytest.mark.parametrize(
    ("port", "name", "sent"),
    [
        (SerialPort(*[FRAME] * 60), "pms5003", 0),
        (SerialPort(*[SENTENCE] * 60), "gps", 0),
        (SerialPort(answers={command(READ): CO2}), "mhz19", 1),
    ],
)
def test_a_serial_sensor_is_heard_or_asked(
    machine: Path, port: SerialPort, name: str, sent: int
) -> None:
    """Nothing is sent to one that speaks by itself."""
    find = whole(machine, port).finds[-1]

    assert (find.kind, drivers(find), find.sure) == ("serial", [name], True)
    assert len(port.writes) == sent


@pytest.mark.parametrize(
    ("port", "note", "sent"),
    [
        (SerialPort(*[b"\x80\x01"] * 60), "no driver knows what it sends", 0),
        (SerialPort(), "nothing is heard", 1),
    ],
)
def test_a_serial_port_without_a_sensor_that_is_known(
    machine: Path, port: SerialPort, note: str, sent: int
) -> None:
    find = whole(machine, port).finds[-1]

    assert note in find.note
    assert not find.fits
    assert len(port.writes) == sent


def test_adapters_are_called_by_the_names_that_stay(tmp_path: Path) -> None:
    """The kernel numbers them as they come; udev also names them by what they are."""
    for name in ("ttyS0", "ttyACM0", "ttyUSB1", "ttyUSB0"):
        (tmp_path / name).touch()
    assert [port.name for port in serial_ports(tmp_path)] == ["ttyUSB0", "ttyUSB1", "ttyACM0"]

    (tmp_path / "serial/by-id").mkdir(parents=True)
    (tmp_path / "serial/by-id/usb-Silicon, Labs: CP2102").touch()
    (tmp_path / "serial0").touch()
    ports = serial_ports(tmp_path)
    assert [port.name for port in ports] == ["serial0", "usb-Silicon, Labs: CP2102"]


def test_a_strange_name_is_quoted(machine: Path) -> None:
    """What YAML would take for something else."""
    found = whole(machine, SerialPort(*[FRAME] * 60)).finds[-1]
    find = found._replace(bus="/dev/serial/by-id/usb-Silicon, Labs: CP2102")

    (sensor, _) = loads(as_yaml([find])).sensors
    assert sensor.bus == "/dev/serial/by-id/usb-Silicon, Labs: CP2102"


def test_a_port_that_somebody_has_is_left_to_him(machine: Path) -> None:
    """A real one: a pseudo-terminal that is open already."""
    ends = os.openpty()
    (machine / "dev/serial0").symlink_to(os.ttyname(ends[1]))
    user = serial.open(os.ttyname(ends[1]))

    assert "is used by another program" in whole(machine).troubles[-1].why
    user.close()
    assert "nothing is heard" in whole(machine).finds[-1].note
    for end in ends:
        os.close(end)


def test_a_whole_machine_becomes_a_config_that_check_accepts(machine: Path) -> None:
    """Every kind of find, the second of a kind with an id of its own, doubts in comments."""
    report = whole(machine, SerialPort(*[FRAME] * 60))
    doubts = found(Board({0x48: Wide(0x48, {}), 0x77: CHIPS["bmp180"][1]}))
    text = as_yaml([*report.finds, *doubts])

    sensors = loads(text).sensors
    assert {one.id: (one.driver.__name__, one.bus, dict(one.options)) for one in sensors} == {
        "bme280": ("BME280", 1, {}),
        "bmp180": ("BMP180", 20, {}),
        "bmp180_2": ("BMP180", 1, {}),
        "ds18b20": ("DS18B20", "/sys/bus/w1/devices", {"id": "28-00000a1b2c3d"}),
        "pms5003": ("PMS5003", f"{machine}/dev/serial0", {}),
        "pi": ("System", None, {}),
    }
    assert "  # i2c 1, 0x48: one of these, or something else:\n  # ads1115: {driver: ads" in text
    assert "  # onewire, 10-000802: no driver knows family 10\n" in text
    (machine / "found.yaml").write_text(text)
    assert CliRunner().invoke(main, ["check", str(machine / "found.yaml")]).exit_code == 0


def test_people_are_told_a_line_for_each(machine: Path) -> None:
    report = whole(machine, SerialPort(*[FRAME] * 60))
    lines = tell(report.finds, report.troubles).splitlines()

    about = "Bosch BME280: temperature, pressure and relative humidity"
    assert re.fullmatch(rf"i2c 1 +0x76 +{about} +{{driver: bme280}}", lines[0])
    assert lines[1].endswith("  {driver: bmp180, bus: 20}")
    assert len(lines) == 5


def test_programs_get_settings_for_each_driver_that_fits() -> None:
    finds = found(Board({0x41: Wide(0x41, {})}))
    told = json.loads(json.dumps(as_json(finds, [])))

    assert told["found"][0]["at"] == 0x41
    assert told["found"][0]["config"] == [{"driver": "ina219", "address": 0x41}]
    assert told["found"][0]["sure"] is False


def test_nothing_that_could_be_looked_at_is_a_failure_with_remedies(tmp_path: Path) -> None:
    """No bus at all: what to switch on; but one empty bus is an answer."""
    (tmp_path / "dev").mkdir()

    report = scan(root=tmp_path)
    said = tell(report.finds, report.troubles)

    assert not report.looked
    assert "nothing was found" in said
    assert "raspi-config nonint do_onewire" in said
    assert "not looked at: serial: there is none" in said
    assert scan(1, open_bus=lambda *_: Board({})).looked


def test_the_command_says_what_to_do_about_a_missing_bus() -> None:
    """Exit 1, and 2 for what is no bus."""
    missing = CliRunner().invoke(main, ["scan", "--bus", "199"])

    assert missing.exit_code == 1
    assert "there is no /dev/i2c-199: switch I2C on with `sudo raspi-config" in missing.output
    assert CliRunner().invoke(main, ["scan", "--bus", "i2c"]).exit_code == 2
    told = CliRunner().invoke(main, ["scan", "--bus", "199", "--json"])
    assert json.loads(told.output)["troubles"][0]["bus"] == 199
    started = CliRunner().invoke(main, ["scan", "--bus", "199", "--yaml"])
    assert "pi: {driver: system" in started.output


@pytest.mark.parametrize("name", sorted(driver.available()))
def test_every_chip_has_declared_addresses(name: str) -> None:
    """The one by default is among them; a driver that has the option has more than one."""
    cls = driver.find(name)
    kind = driver.bus_kind(cls)
    there = driver.addresses(cls)

    is_chip = kind is not None and kind.name == "i2c" and name != "circuitpython"  # which is any
    assert bool(there) == is_chip
    option = driver.options(cls).get("address")
    assert (option is not None) == (len(there) > 1)
    assert option is None or option.default in there
