"""Wires between sensors, in YAML: they lead somewhere, carry the right thing, make no circle."""

from __future__ import annotations

import pytest
from config_rig import SENSOR, mistake, mistakes

from pilogger.channel import Channel
from pilogger.config import loads, schema
from pilogger.parts import probe
from pilogger.scheduler import Wire

AIR = "sensors:\n  air: {driver: bme280, channels: {temperature: {unit: degF}}}\n"


def voc(wires: str) -> str:
    return f"{AIR}  voc: {{driver: sgp40, compensate: {{{wires}}}}}\n"


def test_a_wire_says_what_the_driver_wants_to_know() -> None:
    """In the driver's unit and range, whatever unit the other sensor is stored in."""
    _, found = loads(voc("temperature: air.temperature, humidity: air.humidity")).sensors

    assert dict(found.wires) == {"temperature": "air.temperature", "humidity": "air.humidity"}
    assert probe(found).wires == {
        "temperature": Wire("air.temperature", Channel("Cel", -45, 130)),
        "humidity": Wire("air.humidity", Channel("%", 0, 100)),
    }


def test_the_driver_can_be_made_without_its_wires() -> None:
    """As `check` does; they are no options."""
    _, found = loads(voc("temperature: air.temperature")).sensors

    assert dict(found.options) == {}
    assert found.build("a bus").temperature is None


@pytest.mark.parametrize(
    ("wires", "said"),
    [
        ("temperature: ari.temperature", "temperature: there is no sensor of this name (did you m"),
        ("temperature: air.temprature", "temperature: air has no channel temprature (did you mea"),
        ("temperature: air.humidity", "temperature: it is measured in %, wanted is Cel"),
        ("temperature: temperature", "temperature: must look like"),
        ("temperature: 25", "temperature: expected text"),
        ("temprature: air.temperature", "temprature: unknown option (did you mean temperature?)"),
        ("humidity: voc.voc_index", "humidity: a sensor cannot be compensated by itself"),
    ],
)
def test_a_wire_that_leads_nowhere_is_told(wires: str, said: str) -> None:
    found = mistake(voc(wires))

    assert found.startswith("3:")
    assert f": sensors.voc.compensate.{said}" in found


def test_a_driver_that_wants_nothing_has_no_wires() -> None:
    assert mistake(SENSOR.replace("bme280", "bme280, compensate: {x: a.b}")).startswith(
        "1:33: sensors.air.compensate: unknown option"
    )


def test_a_circle_is_told_once() -> None:
    """Each of them would wait for what it gives itself."""
    found = mistake(
        """\
        sensors:
          a: {driver: scd30, compensate: {pressure: b.sea_level_pressure}}
          b:
            driver: bme280
            derive: {sea_level_pressure: {altitude: 9, temperature: c.dew_point}}
          c: {driver: bme280, derive: {dew_point: {humidity: a.humidity}}}
          d: {driver: sgp40, compensate: {humidity: a.humidity}}
        """
    )

    assert found == (
        "2:45: sensors.a.compensate.pressure: these sensors wait for one another: a -> b -> c -> a"
    )


def test_two_that_use_the_same_one_are_no_circle() -> None:
    text = voc("humidity: air.humidity") + "  co2: {driver: scd4x, compensate: {pressure: "

    assert len(loads(text + "air.pressure}}\n").sensors) == 3


def test_a_sensor_with_mistakes_of_its_own_is_not_asked() -> None:
    """What it has is not known; its own mistakes are told."""
    found = mistakes(voc("temperature: air.x").replace("driver: bme280", "driver: bme288"))

    assert len(found) == 1
    assert "there is no driver 'bme288'" in found[0]


def test_editors_know_the_wires() -> None:
    found = schema()["$defs"]

    wires = found["SGP40Wires"]
    assert set(wires["properties"]) == {"temperature", "humidity"}
    assert wires["properties"]["humidity"]["description"].startswith("of the air")
    assert wires["additionalProperties"] is False
    assert "compensate" not in found["BME280"]["properties"]
    assert "degF" in found["StepSettings"]["properties"]["unit"]["enum"]
    assert found["ChannelSettings"]["properties"]["offset"]["description"].startswith("is added")
