"""IIO and hwmon devices, as files that the kernel would lay out."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.iio import IIO, Input


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A DHT22, a converter and a board's own monitor."""
    lay(tmp_path / "sys/bus/iio/devices/iio:device0", {
        "name": "dht11@0", "in_temp_input": "-10100", "in_humidityrelative_input": "65200",
    })  # fmt: skip
    lay(tmp_path / "sys/bus/iio/devices/iio:device1", {
        "name": "ads1015", "in_voltage0_raw": "662", "in_voltage0_scale": "2.000000",
        "in_voltage_scale": "3", "in_voltage1_raw": "100", "in_temp_raw": "-30",
        "in_temp_offset": "130", "in_temp_scale": "250", "in_accel_x_raw": "512",
        "in_accel_scale": "0.019153", "in_anglvel_z_raw": "1", "in_anglvel_scale": "3.14159265",
    })  # fmt: skip
    lay(tmp_path / "sys/class/hwmon/hwmon3", {
        "name": "ina2xx", "temp1_input": "48312", "in1_input": "11980", "curr1_input": "-10000",
        "power1_input": "119800000", "fan1_input": "2400", "humidity1_input": "55500",
    })  # fmt: skip
    return tmp_path


def lay(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")


def sample(machine: Path, device: str, *files: str) -> dict[str, float]:
    sensor = IIO(device, files, root=str(machine))
    sensor.start()
    values = sensor.read()
    assert values.keys() == sensor.channels().keys()
    return values


def test_a_dht22_below_zero(machine: Path) -> None:
    """Thousandths, as the kernel counts them."""
    values = sample(machine, "dht11@0", "in_temp_input", "in_humidityrelative_input")

    assert values == {"temp": -10.1, "humidityrelative": 65.2}


def test_raw_numbers_have_an_offset_and_a_scale(machine: Path) -> None:
    """First the offset; an input's own scale comes before the one of its kind."""
    values = sample(
        machine, "ads1015", "in_voltage0_raw", "in_voltage1_raw", "in_temp_raw",
        "in_accel_x_raw", "in_anglvel_z_raw",
    )  # fmt: skip

    assert values == pytest.approx(
        {"voltage0": 1.324, "voltage1": 0.3, "temp": 25, "accel_x": 9.806336, "anglvel_z": 180}
    )


def test_a_monitor_of_a_board(machine: Path) -> None:
    files = [f"{one}1_input" for one in ("temp", "in", "curr", "power", "fan", "humidity")]

    assert list(sample(machine, "ina2xx", *files).values()) == [
        48.312, 11.98, -10, 119.8, 2400, 55.5
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "kernel", "unit", "ours"),
    [
        ("in_pressure_input", "101.325", "Pa", 101_325),
        ("in_concentration_co2_raw", "0.0412", "[ppm]", 412),
        ("in_magn_x_raw", "0.5", "uT", 50),
        ("in_illuminance_input", "12.5", "lx", 12.5),
        ("in_current0_raw", "250", "A", 0.25),
        ("in_power_raw", "2500", "W", 2.5),
        ("in_proximity_raw", "17", "1", 17),
    ],
)
def test_units_of_the_kernel_become_ours(
    tmp_path: Path, file: str, kernel: str, unit: str, ours: float
) -> None:
    """As Documentation/ABI/testing/sysfs-bus-iio has them."""
    (tmp_path / file).write_text(kernel)
    one = Input(file)

    assert one.channel.unit == unit
    assert one.read(tmp_path) == pytest.approx(ours)


def test_a_device_may_be_named_by_its_folder(machine: Path) -> None:
    assert sample(machine, "hwmon3", "temp1_input") == {"temp1": 48.312}


def test_several_devices_of_a_name_are_listed(machine: Path) -> None:
    lay(machine / "sys/bus/iio/devices/iio:device2", {"name": "dht11@0"})

    with pytest.raises(WrongChip, match=r"set device to one of: iio:device0, iio:device2$"):
        sample(machine, "dht11@0", "in_temp_input")


def test_a_device_that_is_missing_is_named_with_those_that_are_there(machine: Path) -> None:
    with pytest.raises(NoAnswer, match=r"no sensor device bme; it has: ads1015, dht11@0, ina2xx$"):
        sample(machine, "bme", "in_temp_input")


def test_a_sensor_that_the_kernel_cannot_read_says_so(machine: Path) -> None:
    with pytest.raises(NoAnswer, match=r"cannot read .*/in_pressure_input: No such file"):
        sample(machine, "dht11@0", "in_pressure_input")


def test_a_file_without_a_number_is_no_reading(machine: Path) -> None:
    (machine / "sys/class/hwmon/hwmon3/temp1_input").write_text("N/A\n")

    with pytest.raises(BadReading, match="temp1_input has no number: 'N/A'"):
        sample(machine, "ina2xx", "temp1_input")


@pytest.mark.parametrize("file", ["temp", "../name", "in_temp_scale", "in_power1_input2", "pwm1"])
def test_what_is_no_input_is_refused(file: str) -> None:
    with pytest.raises(ValueError, match="is no input"):
        IIO("dht11", [file])


def test_no_files_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="files names no file"):
        IIO("dht11", [])
