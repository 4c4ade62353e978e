"""`Streamer.log_object`: lists, dicts, and objects of every kind."""

from __future__ import annotations

import threading
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from streamer_rig import Rig, hub, rig

from pilogger.errors import BadValue

__all__ = ["hub", "rig"]


class Plain:
    shared = "of the class"

    def __init__(self) -> None:
        self.temperature = 21.5
        self.name = "air"
        self._private = 1

    @property
    def double(self) -> float:
        return 2 * self.temperature

    def method(self) -> int:
        return 1


class Slotted:
    __slots__ = ("a", "b", "unset")

    def __init__(self) -> None:
        self.a, self.b = 1, "x"


class OneSlot(Slotted):
    __slots__ = "c"  # noqa: PLC0205  # as some write it

    def __init__(self) -> None:
        super().__init__()
        self.c = 3


@dataclass(frozen=True)
class Data:
    a: int
    b: float = field(default=2.5, repr=False)


@dataclass(slots=True)
class SlottedData:
    a: int = 1


class Pair(NamedTuple):
    left: float
    right: float

    @property
    def total(self) -> float:
        return self.left + self.right


Memory = namedtuple("Memory", "total free")  # what psutil gives


@pytest.mark.parametrize(
    ("thing", "keys"),
    [
        ([1, "x"], {"list_0": 1, "list_1": "x"}),
        ((1, 2), {"tuple_0": 1, "tuple_1": 2}),
        ({"a": 1, 2: True}, {"dict_a": 1, "dict_2": 1}),
        (OrderedDict(b=1), {"OrderedDict_b": 1}),
        (Plain(), {"Plain_temperature": 21.5, "Plain_name": "air", "Plain_double": 43.0}),
        (Slotted(), {"Slotted_a": 1, "Slotted_b": "x"}),
        (OneSlot(), {"OneSlot_a": 1, "OneSlot_b": "x", "OneSlot_c": 3}),
        (Data(1), {"Data_a": 1, "Data_b": 2.5}),
        (SlottedData(), {"SlottedData_a": 1}),
        (Pair(1, 2.5), {"Pair_left": 1, "Pair_right": 2.5, "Pair_total": 3.5}),
        (Memory(8, 3), {"Memory_total": 8, "Memory_free": 3}),
    ],
    ids=lambda thing: type(thing).__name__,
)  # fmt: skip
def test_everything_in_it_is_logged(rig: Rig, thing: object, keys: dict[str, Any]) -> None:
    """The keys begin with the name of the type; private names, methods and the class's stay out."""
    with rig.streamer(debug_level=2) as streamer:
        streamer.log_object(thing)

    assert rig.values() == keys


@pytest.mark.parametrize(("prefix", "before"), [("x", "x_"), ("", "")])
@pytest.mark.parametrize(("thing", "name"), [([1], "0"), ({"a": 1}, "a"), (SlottedData(), "a")])
def test_the_prefix_may_be_given(
    rig: Rig, thing: object, name: str, prefix: str, before: str
) -> None:
    """For a list, a dict and an object; with "" the keys are bare."""
    with rig.streamer() as streamer:
        streamer.log_object(thing, key_prefix=prefix)

    assert rig.values() == {before + name: 1}


def test_all_values_share_one_epoch(rig: Rig) -> None:
    """Given or not, there is no skew between them."""
    with rig.streamer() as streamer:
        streamer.log_object([*range(50)])
        streamer.log_object([1, 2], "given", 1795217624.5)
    held = rig.held()

    assert len({epoch for key, epoch, _ in held if key.startswith("list")}) == 1
    assert [epoch for key, epoch, _ in held if key.startswith("given")] == ["1795217624.5"] * 2


def test_what_is_no_value_costs_only_itself(rig: Rig) -> None:
    """A list within the list is refused, its neighbours are kept, at every debug level."""
    with rig.streamer() as streamer:
        streamer.log_object([1, [2], 3], "lax")
        refused = streamer.refused
    with (
        rig.streamer(debug_level=2) as strict,
        pytest.raises(BadValue, match="'strict_1': a value"),
    ):
        strict.log_object([1, [2], 3], "strict")

    assert refused == 1
    assert rig.values() == {"lax_0": 1, "lax_2": 3, "strict_0": 1, "strict_2": 3}


@pytest.mark.parametrize("thing", [[], {}, 5, None, object(), threading.Lock()])
def test_an_object_without_values_is_a_mistake(rig: Rig, thing: object) -> None:
    """The original logs nothing and says nothing."""
    with rig.streamer(debug_level=2) as streamer, pytest.raises(BadValue, match="anything to log"):
        streamer.log_object(thing)
    with rig.streamer() as lax:
        lax.log_object(thing)

        assert lax.refused == 1
    assert rig.held() == []
