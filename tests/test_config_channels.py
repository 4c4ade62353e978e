"""What is done to a channel, in YAML: the order counts, and every mistake has its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from config_rig import mistake, mistakes

from pilogger.config import loads
from pilogger.config.channels import MAKERS
from pilogger.config.settings import SensorSettings
from pilogger.pipeline import (
    FORMULAS,
    Becomes,
    Clamp,
    Convert,
    Derivation,
    Offset,
    OnChange,
    Polynomial,
    Round,
    Scale,
    Table,
    Treatment,
    Valid,
    Window,
)
from pilogger.units import SCALES, unit_of


def sensor(more: str) -> SensorSettings:
    return loads(f"sensors: {{air: {{driver: bme280, {more}}}}}").sensors[0]


def channel(text: str) -> str:
    return f"sensors:\n  air: {{driver: bme280, channels: {{pressure: {text}}}}}\n"


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("offset: -0.4", Offset(-0.4)),
        ("scale: 2", Scale(2)),
        ("polynomial: [1, 2.5]", Polynomial((1, 2.5))),
        ("table: [[0, 1], [2, 3]]", Table(((0, 1), (2, 3)))),
        ("clamp: [0, ~]", Clamp(0, None)),
        ("valid: [~, 9.5]", Valid(None, 9.5)),
        ("unit: hPa", Convert("hPa")),
        ("unit: inHg", Convert("[in_i'Hg]")),
        ("becomes: '%'", Becomes("%")),
        ("median: 5", Window("median", 5)),
        ("mean: 10s", Window("mean", 10.0)),
        ("min: 2m", Window("min", 120.0)),
        ("max: 3", Window("max", 3)),
        ("round: 0.5", Round(0.5)),
        ("on_change: {by: 0.2, heartbeat: 1h}", OnChange(0.2, 3600)),
        ("on_change: {}", OnChange(0, 600)),
    ],
)
def test_every_step_has_a_word(text: str, step: Any) -> None:
    (settings,) = loads(channel(f"{{{text}}}")).sensors

    assert settings.channels["pressure"] == Treatment((step,))


def test_steps_are_done_in_the_order_in_which_they_are_written() -> None:
    """`steps` has its place among them, and is for what is wanted twice."""
    text = "{median: 5, unit: hPa, steps: [{offset: 1, scale: 2}, {offset: 3}], round: 1, raw: yes}"

    found = sensor(f"channels: {{pressure: {text}}}").channels["pressure"]

    assert found == Treatment(
        (Window("median", 5), Convert("hPa"), Offset(1), Scale(2), Offset(3), Round(1)), raw=True
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{scale: 0}", "2:54: sensors.air.channels.pressure.scale: scaled by 0, all values are 0"),
        ("{scale: x}", "2:54: sensors.air.channels.pressure.scale: expected a number, found text"),
        (
            "{scael: 2}",
            "2:47: sensors.air.channels.pressure.scael: unknown option (did you mean sc",
        ),
        (
            "{clamp: [5, 1]}",
            "2:54: sensors.air.channels.pressure.clamp: there is nothing between 5",
        ),
        ("{clamp: [5]}", "2:54: sensors.air.channels.pressure.clamp: this list is too short"),
        ("{table: [[1, 2]]}", "2:54: sensors.air.channels.pressure.table: a table has two points"),
        ("{table: [[1, 2], [x, 3]]}", "2:64: sensors.air.channels.pressure.table[1][0]: expected"),
        ("{polynomial: []}", "2:59: sensors.air.channels.pressure.polynomial: a polynomial has a "),
        ("{mean: 1}", "2:53: sensors.air.channels.pressure.mean: must be from 2 to 1000 readings"),
        ("{mean: 2d}", "2:53: sensors.air.channels.pressure.mean: must be from 1s to 1h"),
        ("{mean: 1.5}", "2:53: sensors.air.channels.pressure.mean: expected a number of readings"),
        (
            "{mean: often}",
            "2:53: sensors.air.channels.pressure.mean: expected a duration, a number",
        ),
        ("{round: 0}", "2:54: sensors.air.channels.pressure.round: values are rounded to"),
        (
            "{unit: hpa}",
            "2:53: sensors.air.channels.pressure.unit: there is no such unit (did you m",
        ),
        ("{unit: 3}", "2:53: sensors.air.channels.pressure.unit: expected a unit, as in degF"),
        (
            "{unit: degF}",
            "2:53: sensors.air.channels.pressure.unit: Pa cannot be converted to [deg",
        ),
        (
            "{steps: [{offset: 1}, {scale: 0}]}",
            "2:76: sensors.air.channels.pressure.steps[1].scale: scaled by 0",
        ),
        (
            "{steps: [{ofset: 1}]}",
            "2:56: sensors.air.channels.pressure.steps[0].ofset: unknown option (did you mean off",
        ),
        ("{on_change: {by: -1}}", "2:58: sensors.air.channels.pressure.on_change: a change is 0"),
        ("{becomes: '%', unit: hPa}", "2:67: sensors.air.channels.pressure.unit: % cannot be conv"),
    ],
)
def test_a_mistake_is_told_where_it_is(text: str, said: str) -> None:
    assert mistake(channel(text)).startswith(said)


def test_units_are_checked_along_the_way() -> None:
    """Volts that became percent are no volts any more; one unit after the other is fine."""
    (found,) = loads(channel("{unit: hPa, steps: [{unit: inHg}]}")).sensors

    assert found.channels["pressure"].steps == (Convert("hPa"), Convert("[in_i'Hg]"))


def test_channels_are_derived_from_those_of_the_sensor() -> None:
    """`{dew_point}` is YAML for `dew_point:` with nothing said about it."""
    found = sensor("derive: {dew_point, sea_level_pressure: {altitude: 420}}")

    assert found.derivations == (
        Derivation("dew_point", {"temperature": "temperature", "humidity": "humidity"}),
        Derivation("sea_level_pressure", {"pressure": "pressure"}, {"altitude": 420}),
    )


def test_what_is_derived_is_a_channel_like_others() -> None:
    text = "derive: {dew_point}, channels: {dew_point: {unit: degF}}"

    assert sensor(text).channels["dew_point"] == Treatment((Convert("[degF]"),))
    assert mistake(f"sensors: {{air: {{driver: bme280, {text.replace('degF', 'hPa')}}}}}").endswith(
        "sensors.air.channels.dew_point.unit: Cel cannot be converted to hPa, but to K, [degF]"
    )


GARDEN = "  garden: {driver: sht4x, channels: {temperature: {unit: degF}}}\n"


@pytest.mark.parametrize(
    ("derive", "said"),
    [
        ("dew_piont", "unknown option (did you mean dew_point?)"),
        ("sea_level_pressure", "altitude is missing"),
        ("sea_level_pressure: {altitude: 10000}", "altitude: must be at most 9000"),
        ("dew_point: {humidity: pressure}", "humidity: it is measured in Pa, wanted is %"),
        ("dew_point: {humidity: humidty}", "air has no channel humidty (did you mean humidity?)"),
        ("dew_point: {humidity: gardn.humidity}", "no sensor of this name (did you mean garden?)"),
        ("dew_point: {humidity: garden.wind}", "garden has no channel wind; there are: tempera"),
        ("dew_point: {humidity: 'a b'}", "humidity: must look like"),
    ],
)
def test_a_derivation_that_cannot_be_is_told(derive: str, said: str) -> None:
    found = mistake(f"sensors:\n  air: {{driver: bme280, derive: {{{derive}}}}}\n{GARDEN}")

    assert said in found
    assert found.startswith("2:"), "with its place"


def test_a_derivation_may_use_another_sensors_channel() -> None:
    """In whatever unit that is declared."""
    text = "sea_level_pressure: {altitude: 420, temperature: garden.temperature}"
    found = loads(f"sensors:\n  air: {{driver: bmp280, derive: {{{text}}}}}\n{GARDEN}").sensors[0]

    assert found.derivations[0].inputs == {
        "pressure": "pressure",
        "temperature": "garden.temperature",
    }


def test_a_drivers_own_channel_is_not_hidden() -> None:
    text = (
        "sensors: {c: {driver: command, run: x, gives: {dew_point: {unit: Cel}, "
        "temperature: {unit: Cel}, humidity: {unit: '%'}}, derive: {dew_point}}}"
    )

    assert mistake(text).endswith(
        "c.derive.dew_point: the driver has a channel dew_point of its own"
    )


PAGE = (Path(__file__).parent.parent / "docs" / "channels.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(sensors:.*?)```", PAGE, re.DOTALL))
def test_the_examples_of_the_page_are_configs(example: str) -> None:
    assert loads(example).sensors


def test_the_page_names_every_step_unit_and_derived_channel() -> None:
    words = set(re.findall(r"`([^`\n]+)`", PAGE))

    assert words >= set(MAKERS)
    assert words >= set(FORMULAS)
    table = PAGE[PAGE.index("| quantity | units |") : PAGE.index("## Channels from channels")]
    units = re.findall(r"`([^`]+)`", table)
    assert {unit_of(unit) for unit in units} >= {*SCALES}
    assert None not in {unit_of(unit) for unit in units}


def test_mistakes_in_several_channels_are_all_told() -> None:
    found = mistakes(
        "sensors: {air: {driver: bme280, derive: {dew_point: {humidity: x.y}},\n"
        "  channels: {pressure: {unit: degF}, humidity: {scale: 0}}}}"
    )

    assert [line.split(": ")[1] for line in found] == [
        "sensors.air.derive.dew_point.humidity",
        "sensors.air.channels.pressure.unit",
        "sensors.air.channels.humidity.scale",
    ]
