"""From a poll to a sample: channels treated one by one, and others derived from them."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any, NamedTuple

import pytest
from schedule_rig import Rig, probe

from pilogger.channel import Channel
from pilogger.errors import NoAnswer
from pilogger.pipeline import (
    FORMULAS,
    Convert,
    Derivation,
    Offset,
    OnChange,
    Scale,
    Treatment,
    Valid,
    Window,
)


class Climate(NamedTuple):
    temperature: Annotated[float, Channel("Cel", -40, 85, 0.01)]
    humidity: Annotated[float | None, Channel("%", 0, 100, 0.01)]


class Chip:
    def __init__(self, *script: Climate) -> None:
        self.script = list(script)
        self.starts = 0

    def start(self) -> None:
        self.starts += 1

    def read(self) -> Climate:
        if not self.script:
            raise NoAnswer("nothing more")
        return self.script.pop(0)


DEW = Derivation("dew_point", {"temperature": "temperature", "humidity": "humidity"})
FAHRENHEIT = Treatment((Convert("[degF]"),))


def rig(*script: tuple[float, float | None], **treatments: Treatment) -> Rig:
    return Rig(probe(Chip(*(Climate(*one) for one in script)), treatments=treatments))


def values(it: Rig, seconds: float = 25) -> list[dict[str, Any]]:
    it.run(seconds)
    return [dict(sample.values) for sample in it.samples]


def test_a_channel_is_treated_and_rounded_and_the_others_are_not() -> None:
    it = rig((25.002, 50.0), temperature=Treatment((Offset(-5), Convert("[degF]"))))

    assert values(it, 1) == [{"temperature": 68.0, "humidity": 50.0}]


def test_the_whole_sensor_may_be_raw() -> None:
    it = Rig(probe(Chip(Climate(25.12345, 50)), raw=True))

    assert values(it, 1) == [{"temperature": 25.12345, "humidity": 50}]


def test_its_own_channel_may_be_named_in_full() -> None:
    """And is that of this reading, not of the one before."""
    own = Derivation("dew_point", {"temperature": "air.temperature", "humidity": "humidity"})
    it = Rig(probe(Chip(Climate(25, 50)), derivations=[own]))

    assert values(it, 1)[0]["dew_point"] == 13.85


def test_what_is_declared_is_what_comes_out() -> None:
    """The store hears of the units that the user chose, and of what is derived."""
    heard: dict[str, Channel] = {}
    it = rig((25.0, 50.0), temperature=FAHRENHEIT)
    it.duties[0]._declare = lambda _, channels: heard.update(channels)
    it.run(1)

    assert heard["temperature"] == Channel("[degF]", -40, 185, 0.01)


def test_the_range_of_the_chip_is_checked_first() -> None:
    """Whatever the user adds to it: -50 was never measured."""
    it = rig(*[(-50.0, 50.0)] * 3, temperature=Treatment((Offset(20),)))
    it.run(5)

    assert not it.samples
    assert "temperature is -50.0 Cel, possible is -40 to 85" in it.state().error


def test_a_filter_keeps_the_time_of_the_reading() -> None:
    it = rig((20, 1), (21, 2), (90 - 6, 3), temperature=Treatment((Window("median", 3),)))

    assert [one["temperature"] for one in values(it)] == [20, 20.5, 21]
    assert it.times() == [0.0, 10.0, 20.0]


def test_a_value_that_is_not_valid_costs_only_itself() -> None:
    """It is counted, and told by the status; the rest of the sample is stored, and no back-off."""
    it = rig((20, 50), (60, 51), (21, 52), temperature=Treatment((Valid(0, 40),)))

    assert values(it) == [
        {"temperature": 20, "humidity": 50},
        {"humidity": 51},
        {"temperature": 21, "humidity": 52},
    ]
    assert it.state().failures == {"bad reading": 1}
    assert it.state().error == "bad reading: temperature is 60 Cel, valid is 0 to 40"
    assert it.state().status == "ok"


def test_a_number_that_grew_too_long_for_the_store_costs_only_itself() -> None:
    """Whole numbers of more than 64 bits cannot be kept."""
    it = rig((2**62, 50))
    it.duties[0].probe.treatments["temperature"] = Treatment((Scale(4),))  # type: ignore[index]
    chip = it.duties[0].probe.build(None)
    chip.channels = lambda: {"temperature": Channel("1"), "humidity": Channel("%")}
    chip.read = lambda: {"temperature": 2**62, "humidity": 50}

    assert values(it, 1) == [{"humidity": 50}]
    assert "at most 64 bits" in it.state().error


def test_a_reading_of_which_nothing_is_valid_is_none() -> None:
    """As an impossible one, it is tried again at once."""
    it = rig((60, None), (20, None), temperature=Treatment((Valid(0, 40),)))

    assert values(it, 1) == [{"temperature": 20}]
    assert it.state().retried == 1


def test_on_change_leaves_out_what_has_not_changed_and_empty_samples() -> None:
    """The sensor is well all the same."""
    changes = Treatment((OnChange(by=0.5),))
    it = rig((20, 50), (20.1, 50), (20.2, 60), (30, 60), temperature=changes, humidity=changes)

    assert values(it, 35) == [
        {"temperature": 20, "humidity": 50},
        {"humidity": 60},
        {"temperature": 30},
    ]
    assert it.times() == [0.0, 20.0, 30.0]
    assert (it.state().status, it.state().samples) == ("ok", 3)


def test_a_channel_is_derived_from_treated_values_in_any_unit() -> None:
    """25 Cel and 50 % have a dew point of 13.85 Cel, or 56.93 degF."""
    treatments = {
        "temperature": Treatment((Offset(5), Convert("[degF]"))),
        "dew_point": FAHRENHEIT,
    }
    chip = Chip(Climate(20, 50))
    it = Rig(probe(chip, derivations=[DEW], treatments=treatments))

    assert values(it, 1) == [{"temperature": 77.0, "humidity": 50, "dew_point": 56.93}]
    assert it.declared == [("air", ["temperature", "humidity", "dew_point"])]


@pytest.mark.parametrize("reading", [(20, None), (20, 0.0), (80, 50.0)])
def test_where_something_is_missing_nothing_is_derived(reading: tuple[float, Any]) -> None:
    """Or beyond the formula's range: at 80 Cel, and in air without any water."""
    it = Rig(probe(Chip(Climate(*reading)), derivations=[DEW]))

    assert "dew_point" not in values(it, 1)[0]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("altitude", [-500.0, 9000.0])
def test_a_formula_gives_what_its_channel_says(name: str, altitude: float) -> None:
    """At the ends of what goes in, in every combination, and in almost dry air."""
    formula = FORMULAS[name]
    numbers = {"altitude": altitude} if name == "sea_level_pressure" else {}
    one = Derivation(name, {key: key for key in formula.inputs}, numbers)
    ends = [
        (channel.low, channel.high, *([1e-300] if key == "humidity" else []))
        for key, channel in formula.inputs.items()
    ]

    for values in product(*ends):
        given = dict(zip(formula.inputs, values, strict=True))
        found = one.value(lambda key, _, given=given: given[key])  # type: ignore[misc]
        assert found is None or formula.gives.low <= found <= formula.gives.high


def test_what_was_not_stored_still_counts_for_what_is_derived() -> None:
    rare = Treatment((OnChange(by=100),))
    it = Rig(
        probe(
            Chip(Climate(25, 50), Climate(25, 60)),
            derivations=[DEW],
            treatments={"temperature": rare, "humidity": rare},
        )
    )

    assert [one["dew_point"] for one in values(it, 15)] == [13.85, 16.69]


def test_an_input_may_come_from_another_sensor_while_it_is_fresh() -> None:
    """Older than three polls of its own, it is none."""
    away = Derivation("dew_point", {"temperature": "out.temperature", "humidity": "humidity"})
    it = Rig(probe(Chip(*[Climate(20, 50)] * 9), derivations=[away]))

    it.duties[0].board.post("out", 10, {"temperature": 77.0}, {"temperature": Channel("[degF]")})
    found = [one.get("dew_point") for one in values(it, 45)]

    assert found == [13.85, 13.85, 13.85, 13.85, None]
