"""What drivers remember: given back before the first start, saved without wearing the card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import pytest
from schedule_rig import Rig, probe

from pilogger.bus import Kind
from pilogger.channel import Channel
from pilogger.errors import NoAnswer
from pilogger.scheduler import Memory, Probe
from pilogger.testing import FakeClock

WEEK_S = 7 * 86_400


class Count(NamedTuple):
    total: Annotated[int, Channel("1", 0)]


class Counter:
    """Counts its polls, on top of what it is given."""

    def __init__(self) -> None:
        self.total = 0
        self.calls: list[str] = []

    @property
    def state(self) -> dict[str, Any]:
        return {"total": self.total} if self.total else {}

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self.calls.append("state")
        if not isinstance(state["total"], int):
            raise TypeError("that is no total")
        self.total = state["total"]

    def start(self) -> None:
        self.calls.append("start")

    def read(self) -> Count:
        self.total += 1
        return Count(self.total)


class Exact(Counter):
    state_exact = True


class Weekly(Counter):
    state_lasts = WEEK_S


class Shelf:
    """What a store would keep."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.writes = 0

    def keep(self, key: str, text: str) -> None:
        self.facts[key] = text
        self.writes += 1

    def run(self, driver: Counter, seconds: float = 60, clock: FakeClock | None = None) -> Rig:
        """Poll a sensor each 10 s, with what is on the shelf."""
        it = Rig(probe(driver), clock=clock)
        it.duties[0].memory = Memory(it.clock, self.facts, self.keep)
        it.run(seconds)
        return it

    def total(self) -> int:
        (text,) = self.facts.values()
        found: int = json.loads(text)[1]["total"]
        return found


def test_a_state_is_given_back_before_the_first_start() -> None:
    shelf = Shelf()
    shelf.run(Counter()).worker.close()
    after = Counter()

    shelf.run(after, 5)

    assert after.calls == ["state", "start"]
    assert after.total == 7


def test_it_is_saved_each_five_minutes_and_at_the_end() -> None:
    """Whatever happens meanwhile, no more than that is lost, and the card is left in peace."""
    shelf = Shelf()

    it = shelf.run(Counter(), 1000)

    assert shelf.writes == 4, "the first one at once"
    assert shelf.total() == 91
    it.worker.close()
    assert (shelf.writes, shelf.total()) == (5, 100)


def test_what_never_goes_back_is_saved_with_each_reading_that_changed_it() -> None:
    """Before the reading is stored: of a crash between both, the state comes out ahead."""
    shelf, order = Shelf(), []
    it = Rig(probe(Exact()), record=lambda sample: order.append(("sample", sample.values["total"])))

    def keep(key: str, text: str) -> None:
        order.append(("state", json.loads(text)[1]["total"]))
        shelf.keep(key, text)

    it.duties[0].memory = Memory(it.clock, None, keep)
    it.run(15)

    assert order == [("state", 1), ("sample", 1), ("state", 2), ("sample", 2)]


def test_what_has_not_changed_is_not_written_again() -> None:
    class Still(Exact):
        def read(self) -> Count:
            return Count(self.total)

    shelf = Shelf()
    still = Still()
    still.total = 5
    shelf.run(still, 1000).worker.close()

    assert shelf.writes == 1


def test_while_there_is_nothing_to_remember_nothing_is_written() -> None:
    class Learner(Weekly):
        def read(self) -> Count:
            return Count(0)

    shelf = Shelf()
    shelf.run(Learner(), 1000).worker.close()

    assert shelf.facts == {}


def test_what_ages_is_written_again_so_that_its_age_is_known() -> None:
    class Still(Weekly):
        def read(self) -> Count:
            return Count(self.total)

    shelf = Shelf()
    still = Still()
    still.total = 5
    shelf.run(still, 1000)

    assert shelf.writes == 4


@pytest.mark.parametrize(("days", "total"), [(6.9, 7), (7.1, 1)])
def test_a_state_that_is_too_old_is_not_given_back(days: float, total: int) -> None:
    """By the clock, after a reboot; a total is never too old."""
    shelf = Shelf()
    it = shelf.run(Weekly())
    it.worker.close()
    clock = it.clock.reboot("boot-2", off=days * 86_400)
    clock.ntp()

    after = Weekly()
    shelf.run(after, 5, clock)

    assert after.total == total


@pytest.mark.parametrize(
    ("kind", "behind_s", "synced", "total"),
    [
        (Weekly, 3600, False, 7),  # after a power cut, a Pi without a clock chip and network
        (Weekly, 8 * 86_400, False, 1),
        (Weekly, 3600, True, 1),  # the clock was wrong when it was saved: nobody knows
        (Counter, 8 * 86_400, True, 7),  # a total has no age
    ],
)
def test_a_clock_that_stands_before_the_time_of_saving(
    kind: type[Counter], behind_s: float, synced: bool, total: int
) -> None:
    """It began where the power left it, or a little before: that is as good as can be known."""
    shelf = Shelf()
    it = shelf.run(kind())
    it.worker.close()
    clock = it.clock.reboot("boot-2", restored=it.clock.wall() - round(behind_s * 1e6))
    clock.is_synced = synced
    after = kind()

    shelf.run(after, 5, clock)

    assert after.total == total


def test_within_a_boot_the_age_is_exact_whatever_the_clock_says() -> None:
    shelf = Shelf()
    it = shelf.run(Weekly())
    it.worker.close()
    it.clock.step_wall(-1e9)
    after = Weekly()

    shelf.run(after, 5, it.clock)

    assert after.total == 7


def test_a_driver_that_cannot_use_its_state_begins_afresh_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shelf = Shelf()
    shelf.run(Counter()).worker.close()
    key, text = shelf.facts.popitem()
    shelf.facts[key] = text.replace('"total": 6', '"total": "six"')

    first = Counter()
    it = shelf.run(first, 0.5)
    shelf.facts = dict(shelf.facts)
    shelf.run(Counter(), 0.5)

    assert first.total == 1
    assert it.state().failures == {}
    assert caplog.messages == ["air forgets what it remembered: TypeError: that is no total"]


def test_what_it_could_not_use_is_forgotten_for_good(caplog: pytest.LogCaptureFixture) -> None:
    """Also if it ends before it has saved something new."""

    class Picky(Counter):
        @property
        def state(self) -> dict[str, Any]:
            return {}

        @state.setter
        def state(self, state: Mapping[str, Any]) -> None:
            raise KeyError(f"{state} is of version 1")

    shelf = Shelf()
    shelf.run(Counter()).worker.close()
    shelf.facts = {key: text.replace("Counter", "Picky") for key, text in shelf.facts.items()}

    for _ in range(3):
        shelf.run(Picky(), 5)

    assert len(caplog.messages) == 1


def test_another_driver_is_not_given_the_state() -> None:
    shelf = Shelf()
    shelf.run(Counter()).worker.close()
    after = Exact()

    shelf.run(after, 5)

    assert after.calls == ["start"]


@pytest.mark.parametrize("text", ["", "null", "[1]", '["Counter"]', "{}", '["Counter",1,2,3,4,5]'])
def test_a_fact_that_another_version_wrote_is_left_alone(text: str) -> None:
    shelf = Shelf()
    shelf.facts["state.air"] = text
    after = Counter()

    shelf.run(after, 5)

    assert after.total == 1


@pytest.mark.parametrize(
    "state", [{"x": "y" * 5000}, {"x": float("nan")}, {"x": object()}, 7, [1, 2]]
)
def test_a_state_that_is_none_costs_no_reading(state: Any) -> None:
    """It is a bug of the driver, counted and logged; its readings are good."""

    class Odd(Counter):
        @property
        def state(self) -> Any:
            return state

        @state.setter
        def state(self, state: Mapping[str, Any]) -> None:
            raise AssertionError(state)

    shelf = Shelf()
    it = shelf.run(Odd())

    assert len(it.samples) == 6
    assert shelf.facts == {}
    assert it.state().failures["driver bug"] > 0
    assert it.state().status == "ok"


def test_a_new_driver_in_the_same_process_goes_on_too() -> None:
    """As after its bus was opened anew: five failures, and another driver is built."""
    made: list[Counter] = []

    class Broken(Exact):
        def read(self) -> Count:
            if len(made) == 1 and self.total == 3:
                raise NoAnswer("unplugged")
            return super().read()

    def build(_bus: object) -> Counter:
        made.append(Broken())
        return made[-1]

    it = Rig(Probe("air", build, 10, kind=Kind("fake", 1, lambda _: object())))
    it.run(200)
    totals = [sample.values["total"] for sample in it.samples]

    assert len(made) == 2
    assert totals == list(range(1, len(totals) + 1))


def test_an_old_state_does_not_become_new_by_being_closed() -> None:
    """A chip that does not answer has learnt nothing: its state keeps its age."""

    class Unplugged(Weekly):
        def read(self) -> Count:
            raise NoAnswer("unplugged")

    shelf = Shelf()
    it = shelf.run(Weekly())
    it.worker.close()
    before = {key: text.replace("Weekly", "Unplugged") for key, text in shelf.facts.items()}
    shelf.facts = dict(before)
    it.clock.advance(WEEK_S / 2)

    shelf.run(Unplugged(), 600, it.clock).worker.close()

    assert shelf.facts == before


def test_a_sensor_that_comes_and_goes_does_not_wear_the_card() -> None:
    """It is started anew after each failure; its state is saved each five minutes all the same."""

    class Flaky(Weekly):
        def read(self) -> Count:
            if self.total % 6 in {2, 3, 4}:
                self.total += 1
                raise NoAnswer("loose")
            return super().read()

    shelf = Shelf()
    flaky = Flaky()
    shelf.run(flaky, 1000)

    assert flaky.calls.count("start") > 20
    assert shelf.writes == 4


def test_what_ages_is_not_saved_again_without_a_reading() -> None:
    """The end of the logger makes nothing younger."""
    shelf = Shelf()
    it = Rig(probe(Weekly(), every=1000))
    it.duties[0].memory = Memory(it.clock, None, shelf.keep)
    it.run(500)
    saved = dict(shelf.facts)

    it.worker.close()

    assert shelf.facts == saved != {}


def test_what_was_counted_since_the_last_reading_is_saved_at_the_end() -> None:
    """Pulses come at any time."""
    shelf = Shelf()
    meter = Exact()
    it = shelf.run(meter, 5)
    meter.total += 3

    it.worker.close()

    assert shelf.total() == 4


def test_what_was_counted_goes_over_to_a_new_worker() -> None:
    """The driver of another sensor hangs: the bus gets a new worker, and new drivers."""
    made: list[Exact] = []

    def build(_bus: object) -> Exact:
        made.append(Exact())
        return made[-1]

    it = Rig(Probe("meter", build, 10), probe(Counter(), sensor="other"))
    it.run(5)
    made[0].total += 3
    it.worker.leash.cut()
    it.worker = it.worker.successor()
    it.run(10)

    assert len(made) == 2
    assert [s.values["total"] for s in it.samples if s.sensor == "meter"] == [1, 5]


def test_a_driver_that_took_half_of_its_state_is_made_anew() -> None:
    class Half(Counter):
        @property
        def state(self) -> dict[str, Any]:
            return {"total": self.total}

        @state.setter
        def state(self, state: Mapping[str, Any]) -> None:
            self.total = state["total"]
            raise KeyError("the rest is missing")

    shelf = Shelf()
    made: list[Half] = []

    def build(_bus: object) -> Half:
        made.append(Half())
        return made[-1]

    it = Rig(Probe("air", build, 10))
    fact = json.dumps(["Half", {"total": 41}, 0, "", 0])
    it.duties[0].memory = Memory(it.clock, {"state.air": fact}, shelf.keep)
    it.run(5)

    assert it.samples[0].values == {"total": 1}
    assert len(made) == 2
