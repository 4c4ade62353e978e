"""Sensors: found by driver, with the options of the driver's own `__init__`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from config_rig import mistake, mistakes

from pilogger.config import from_dict, loads
from pilogger.config.shape import names_at
from pilogger.pipeline import Offset, Treatment

PROBE = """
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from pilogger.bus.i2c import Bus
from pilogger.channel import Channel

class Mode(Enum):
    FAST = "fast"
    SLOW = "slow"

class Session:
    pass

class Scale(NamedTuple):
    factor: float
    unit: str = "m"

class Reading(NamedTuple):
    depth: Annotated[float, Channel("m")]
    flow: Annotated[float, Channel("m/s")]

class Probe:
    def __init__(self, bus: Bus, pin: int, mode: Mode = Mode.FAST, file: Path = Path("x"),
                 pair: tuple[int, int] = (1, 2), scale: Scale | str = "none",
                 speed: Literal[100, 400] = 100, model_name: str = "", copy: bool = False,
                 session: Session | None = None) -> None:
        if pin == 99:
            raise ValueError("pin 99 needs another mode")
        if pin == 98:
            raise RuntimeError("surprise")
        self.given = (bus, pin, mode, file, pair, scale, speed, model_name, copy)

    def read(self) -> Reading:
        return Reading(1.0, 2.0)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config's drivers."""
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers" / "probe.py").write_text(PROBE)
    return tmp_path


def probe(options: str) -> str:
    return f"driver_dirs: [drivers]\nsensors:\n  a: {{driver: probe, {options}}}\n"


def test_a_sensor_has_everything_that_the_agent_needs(folder: Path) -> None:
    """Its driver, the bus to open, its options as the types that the driver asks for."""
    text = probe(
        "pin: 0x11, mode: slow, file: a/b, pair: [3, 4], scale: {factor: 2}, bus: 3, every: 5m, "
        "speed: 400, model_name: z, copy: true, deadline: 2s, raw: yes, channels: {flow: {raw: on}}"
    )

    (sensor,) = loads(text, folder=folder).sensors
    driver = sensor.build("a bus")

    assert (sensor.id, sensor.driver.__name__, sensor.bus) == ("a", "Probe", 3)
    assert sensor.kind is not None
    assert sensor.kind.name == "i2c"
    assert (sensor.every, sensor.deadline, sensor.raw) == (300.0, 2.0, True)
    assert dict(sensor.channels) == {"flow": Treatment(raw=True)}
    bus, pin, mode, file, pair, scale, speed, name, copy = driver.given
    assert (bus, pin, mode.value, file, pair) == ("a bus", 17, "slow", Path("a/b"), (3, 4))
    assert (scale.factor, scale.unit, speed, name, copy) == (2.0, "m", 400, "z", True)


def test_what_is_not_said_is_the_default(folder: Path) -> None:
    """The usual bus of its kind; every 10 s; the driver's own defaults stay its own."""
    (sensor,) = loads(probe("pin: 1"), folder=folder).sensors

    assert (sensor.bus, sensor.every, sensor.deadline, sensor.raw) == (1, 10.0, 10.0, False)
    assert dict(sensor.options) == {"pin": 1}
    assert len(sensor.options) == 1


def test_a_driver_without_a_bus_has_none() -> None:
    """And is built without one."""
    (sensor,) = loads("sensors: {pi: {driver: system, groups: [load]}}").sensors

    assert (sensor.kind, sensor.bus) == (None, None)
    assert list(sensor.build().channels()) == ["load1", "load5", "load15"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "3:3: sensors.a: pin is missing"),
        ("pin: '17'", "3:27: sensors.a.pin: expected a whole number, found text"),
        ("pin: 1.0", "3:27: sensors.a.pin: expected a whole number, found a number"),
        ("pin: yes", "3:27: sensors.a.pin: expected a whole number, found true or false"),
        ("pin: 1, copy: 1", "3:36: sensors.a.copy: expected true or false, found a whole number"),
        ("pin: 1, file: 3", "3:36: sensors.a.file: expected text, found a whole number: put it in"),
        ("pin: 1, mod: slow", "3:30: sensors.a.mod: unknown option (did you mean mode?)"),
        ("pin: 1, mode: slwo", "3:36: sensors.a.mode: expected fast or slow (did you mean slow?)"),
        ("pin: 1, mode: off", "3:36: sensors.a.mode: expected fast or slow, found true or false: "),
        ("pin: 1, speed: 300", "3:37: sensors.a.speed: expected 100 or 400, found a whole number"),
        ("pin: 1, pair: [1]", "3:36: sensors.a.pair: this list is too short"),
        ("pin: 1, pair: [1, 2, 3]", "3:36: sensors.a.pair: must have 2 or fewer entries"),
        ("pin: 1, pair: [1, x]", "3:40: sensors.a.pair[1]: expected a whole number, found text"),
        ("pin: 1, scale: {}", "3:30: sensors.a.scale: factor is missing"),
        ("pin: 1, scale: 3", "3:37: sensors.a.scale: expected a list or a mapping or text, found"),
        (
            "pin: 1, scale: {factor: 1, unti: m}",
            "3:49: sensors.a.scale.unti: unknown option (did you mean unit?)",
        ),
        ("pin: 99", "3:6: sensors.a: pin 99 needs another mode"),
        ("pin: 98", "3:6: sensors.a: cannot be used: RuntimeError('surprise')"),
        ("pin: 1, bus: 1.5", "3:35: sensors.a.bus: expected a whole number or text, found a"),
        ("pin: 1, raw: 1", "3:35: sensors.a.raw: expected true or false, found a whole number"),
        (
            "pin: 1, channels: {flwo: {}}",
            "3:41: sensors.a.channels.flwo: unknown channel (did you mean flow?)",
        ),
        (
            "pin: 1, channels: {flow: {ofset: 1}}",
            "3:48: sensors.a.channels.flow.ofset: unknown option (did you mean offset?)",
        ),
        (
            "pin: 1, channels: {flow: {offset: .inf}}",
            "3:56: sensors.a.channels.flow.offset: expected a number, found text",
        ),
        ("pin: 1, xyz: 1", "3:30: sensors.a.xyz: unknown option; there are: driver, every, deadl"),
    ],
)
def test_an_option_is_checked_against_the_signature(folder: Path, options: str, said: str) -> None:
    """Each mistake with its place, what was expected, and the nearest name."""

    assert mistake(probe(options), folder).startswith(said)


class Leaf(NamedTuple):
    key: str


@pytest.mark.parametrize(
    ("kind", "trail"),
    [
        (Leaf, ()),
        (Leaf | None, ()),
        (list[Leaf] | None, (0,)),
        (dict[str, Annotated[Leaf, "a note"]], ("any",)),
        (dict[str, str | list[Leaf | int]], ("any", 3)),
    ],
)
def test_the_names_that_were_possible_are_found_inside_any_type(kind: Any, trail: Any) -> None:
    """To name the nearest of them."""

    assert names_at(kind, trail) == ["key"]


def test_an_option_that_yaml_cannot_express_is_a_mistake(folder: Path) -> None:
    """It is for code that makes the driver itself; pydantic's versions word it differently."""

    assert ": sensors.a" in mistake(probe("pin: 1, session: x"), folder)


def test_a_mistake_hides_none_beside_it(folder: Path) -> None:
    """Not in the same sensor, not in another, and not that of a channel's name."""
    found = mistakes(
        probe("pni: 3, every: 5x, channels: {flwo: {}}") + "  b: {driver: probe}\n", folder
    )

    assert [line.split(": ")[1] for line in found] == [
        "sensors.a",
        "sensors.a.pni",
        "sensors.a.every",
        "sensors.a.channels.flwo",
        "sensors.b",
    ]


def test_a_bus_is_only_for_drivers_that_have_one() -> None:
    """`system` reads files."""

    assert mistake("sensors: {pi: {driver: system, bus: 1}}").startswith(
        "1:32: sensors.pi.bus: unknown option"
    )


def test_a_combination_that_the_driver_refuses_is_told_in_its_words() -> None:
    """Its `__init__` does no I/O, so that a check can ask it."""
    found = mistake("sensors: {s: {driver: simulated, low: 5, high: 3}}")

    assert found == "1:14: sensors.s: there is nothing to simulate from 5.0 to 3.0"


def test_channels_that_depend_on_options_are_asked_of_the_driver() -> None:
    """The command's channels are those that `gives` names."""
    text = (
        "sensors: {{c: {{driver: command, run: x, gives: {{level: {{unit: m}}}}, channels: {}}}}}"
    )

    (sensor,) = loads(text.format("{level: {offset: 1}}")).sensors
    found = mistake(text.format("{levle: {offset: 1}}"))

    assert sensor.channels["level"] == Treatment((Offset(1.0),))
    assert found.endswith("sensors.c.channels.levle: unknown channel (did you mean level?)")


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        ("bme208", "1:23: sensors.a.driver: there is no driver 'bme208' (did you mean bme280?)"),
        ("../x", "1:23: sensors.a.driver: there is no driver '../x'"),
        ("280", "1:23: sensors.a.driver: expected text, found a whole number: put it in quotes"),
        ("~", "1:23: sensors.a.driver: expected text, found nothing"),
    ],
)
def test_an_unknown_driver_is_one_mistake(driver: str, said: str) -> None:
    """Its options are not known, so they are not judged."""

    assert mistake(f"sensors: {{a: {{driver: {driver}, pin: x}}}}") == said


@pytest.mark.fault(93, 100)
def test_a_driver_is_a_name_and_no_path(folder: Path) -> None:
    """Nothing outside the named folders is ever run."""
    (folder / "outside.py").write_text("raise SystemExit")
    found = mistake("driver_dirs: [drivers]\nsensors: {a: {driver: ../outside}}", folder)

    assert found == "2:23: sensors.a.driver: there is no driver '../outside'"


def test_of_several_types_only_the_one_that_nearly_fits_is_told() -> None:
    """A command is text or a list of texts: in a list, the number is the mistake."""
    found = mistake("sensors: {c: {driver: command, run: [x, 1], gives: {level: {unit: m}}}}")

    assert found == "1:41: sensors.c.run[1]: expected text, found a whole number: put it in quotes"


def test_a_broken_value_is_the_only_mistake(folder: Path) -> None:
    """The driver is not asked what it thinks of a secret that is not there."""
    (folder / "drivers" / "probe.py").write_text(
        "class Probe:\n"
        "    def __init__(self, key: str | None = 'x'):\n"
        "        if not key: raise ValueError('key is needed')\n"
        "    def read(self) -> dict: ...\n"
    )
    found = mistake(probe("key: !env NO_SUCH_KEY"), folder)

    assert found.startswith("3:27: sensors.a.key: the environment variable NO_SUCH_KEY is not")


def test_a_sensor_without_a_driver_is_told_at_its_name() -> None:
    """There is nothing else to point at."""

    assert mistake("sensors: {a: {}}") == "1:11: sensors.a: driver is missing"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_like_it", "cannot be imported: ModuleNotFoundError"),
        ("def", "cannot be imported: SyntaxError"),
        ("x = 1", "must hold one class with a read method, not 0"),
        ("class A:\n  def __init__(self, x: 'Nope'): ...\n  def read(self): ...", "NameError"),
        ("class A:\n  def __init__(self, bus: int): ...\n  def read(self): ...", "is no bus"),
        (
            "class A:\n  def __init__(self, every: int): ...\n  def read(self) -> dict: ...",
            "would hide",
        ),
        ("class A:\n  def read(self): ...", "A.read does not say what it returns"),
    ],
)
def test_a_driver_that_is_none_is_told_where_it_is_named(
    folder: Path, source: str, said: str
) -> None:
    """A stranger's file may hold anything."""
    (folder / "drivers" / "probe.py").write_text(source)
    found = mistake("driver_dirs: [drivers]\nsensors: {a: {driver: probe}}", folder)

    assert found.startswith("2:23: sensors.a.driver: ")
    assert said in found


def test_drivers_may_lie_beside_the_config(folder: Path) -> None:
    """`.` is a folder as good as any."""
    (sensor,) = loads(probe("pin: 1").replace("drivers]", "., drivers]"), folder=folder).sensors

    assert sensor.driver.__name__ == "Probe"


def test_drop_in_drivers_are_found_in_spite_of_other_mistakes(folder: Path) -> None:
    """So that no mistake is told that is none."""
    found = mistakes("driver_dirs: [drivers, nope]\n" + probe("pin: 1").split("\n", 1)[1], folder)

    assert found == ["1:24: driver_dirs[1]: there is no such folder"]


@pytest.mark.fault(76)
@pytest.mark.parametrize("id", ["air.1", "a b", "ä", "", "x" * 101])
def test_an_id_is_part_of_a_series_key(id: str) -> None:
    """A dot in it would make two keys look the same."""
    found = mistake(f"sensors: {{'{id}': {{driver: bme280}}}}")

    assert found.endswith(": an id is 1 to 100 of the letters a to z, digits, _ and -")


def test_a_config_without_sensors_is_told_so() -> None:
    """It would log nothing."""

    assert mistake("device: a") == "1:1: sensors is missing"
    assert mistake("sensors: {}") == "1:10: sensors: must have 1 or more entries"


def test_sensors_of_other_types_are_told_one_by_one() -> None:
    """A list where a mapping belongs, in both places."""

    assert mistakes("sensors: {a: [], b: bme280, c: }") == [
        "1:14: sensors.a: expected a mapping, found a list",
        "1:21: sensors.b: expected a mapping, found text",
        "1:31: sensors.c: expected a mapping, found nothing",
    ]
    assert mistake("sensors: [a]") == "1:10: sensors: expected a mapping, found a list"


def test_options_cannot_be_changed_later() -> None:
    """Settings are frozen, and so is what is inside them."""
    (sensor,) = from_dict({"sensors": {"a": {"driver": "bme280", "address": 0x77}}}).sensors

    with pytest.raises(TypeError):
        sensor.options["address"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        sensor.channels["x"] = Treatment()  # type: ignore[index]
    with pytest.raises(AttributeError):
        sensor.every = 1.0  # type: ignore[misc]
