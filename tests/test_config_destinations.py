"""Destinations: found by type, with the options of the class's own `__init__`."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from config_rig import SENSOR, mistake, mistakes

from pilogger import destinations
from pilogger.config import loads

SECRET = "hunter2-hunter2"


@dataclass(frozen=True)
class Room:
    key: str
    name: str = ""

    def __post_init__(self) -> None:
        if self.key == "boom":
            raise KeyError(self.key)
        if self.key == SECRET:
            raise ValueError(f"there is no room {self.key!r}")


class Postbox:
    """A destination of this test's own.

    Options:
        key: opens it.
    """

    limit = 10
    closed = 0

    def __init__(self, key: str, room: Room | None = None, size: int = 3) -> None:
        if key == SECRET and size == 1:
            raise ValueError(f"{key} is\ntoo large for {size}")
        self.given = (key, room, size)

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture(autouse=True)
def _postbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(destinations.TYPES, "postbox", f"{__name__}:Postbox")


def boxes(*options: str) -> str:
    return SENSOR + "destinations:\n" + "".join(f"- {{type: postbox, {o}}}\n" for o in options)


def test_a_destination_is_made_from_its_options() -> None:
    """Nested mappings become what the class asks for."""
    first, second = loads(
        boxes(
            "key: a, room: {key: b}, size: 5", "key: b, name: other, start: now, order: live_first"
        )
    ).destinations

    assert (first.name, first.type, first.start) == ("postbox", Postbox, "all")
    assert (first.order, second.order) == ("oldest_first", "live_first")
    assert first.build().given == ("a", Room("b"), 5)
    assert (second.name, second.start) == ("other", "now")
    assert second.build().given == ("b", None, 3)


def test_a_check_closes_what_it_made() -> None:
    """It was made to hear whether it refuses its options."""
    before = Postbox.closed
    loads(boxes("key: a"))

    assert Postbox.closed == before + 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "3:3: destinations[0]: key is missing"),
        (
            "key: 12345",
            "3:24: destinations[0].key: expected text, found a whole number: put it in ",
        ),
        ("key: [a]", "3:24: destinations[0].key: expected text, found a list"),
        ("key:a", "3:19: destinations[0].'key:…': there is no space after key:"),
        ("key: a, kye: b", "3:27: destinations[0].kye: unknown option (did you mean key?)"),
        ("key: a, room: {nam: b, key: c}", "3:34: destinations[0].room.nam: unknown option (did"),
        ("key: a, room: {name: b}", "3:27: destinations[0].room: key is missing"),
        ("key: a, room: {key: boom}", "3:3: destinations[0]: cannot be used: KeyError('***')"),
        ("key: a, room: !env NO_ROOM", "3:33: destinations[0].room: the environment variable NO_R"),
        (f"key: {SECRET}, size: 1", "3:3: destinations[0]: *** is too large for 1"),
        ("key: a, room: b", "3:33: destinations[0].room: expected a mapping, found text"),
        (
            "key: a, start: nwo",
            "3:34: destinations[0].start: expected now or all (did you mean now",
        ),
        ("key: a, name: 'a b'", "3:33: destinations[0].name: must look like "),
        ("key: a, name: ''", "3:33: destinations[0].name: must look like "),
    ],
)
def test_an_option_is_checked_against_the_signature(options: str, said: str) -> None:
    """As a driver's options are."""

    assert any(line.startswith(said) for line in mistakes(boxes(options)))


@pytest.mark.fault(91)
@pytest.mark.parametrize(
    "options",
    [
        f"key: [{SECRET}]",
        f"key: {{{SECRET}: 1}}",
        f"key:{SECRET}",
        f"key: {SECRET}, size: {SECRET}",
        f"key: {SECRET}, size: 1",
        f"key: a, room: {SECRET}",
        f"key: a, room: {{key: {SECRET}}}",
        f"key: a, start: {SECRET}",
        f"key: a, name: '{SECRET}!'",
        f"key: !{SECRET}",
        f"key: !{SECRET}! x",
        f"key: &{SECRET}",
        f"key: *{SECRET}",
        f"key: @{SECRET}",
        f"key: '{SECRET}",
        f"key: {SECRET}: x",
    ],
)
def test_a_secret_in_the_config_is_never_repeated(options: str) -> None:
    """Whatever is wrong with it: messages go to logs and into bug reports."""

    assert SECRET not in "\n".join(mistakes(boxes(options)))


@pytest.mark.fault(91)
def test_a_secret_is_not_in_the_settings_repr() -> None:
    """A log line with the settings in it shows the names of the options."""
    settings = loads(boxes(f"key: {SECRET}, room: {{key: b}}"))

    assert SECRET not in repr(settings)
    assert "key, room" in repr(settings)


def test_two_destinations_need_two_names() -> None:
    """The name keys what was sent already."""
    found = mistakes(boxes("key: a", "key: b", "key: c, name: x", "key: d, name: x"))

    what = "a destination before it has the same name: give it a name of its own"
    assert found == [f"4:3: destinations[1]: {what}", f"6:33: destinations[3].name: {what}"]


def test_an_unknown_type_is_one_mistake() -> None:
    """Its options are not known, so they are not judged."""
    found = mistake(f"{SENSOR}destinations: [{{type: postbocks, kye: b}}]")

    assert found == (
        "2:23: destinations[0].type: there is no destination of type 'postbocks' "
        "(did you mean postbox?)"
    )


def test_a_destination_whose_library_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some need more than pilogger itself does."""
    monkeypatch.setitem(destinations.TYPES, "other", "a_library_that_is_not_here:Other")
    found = mistake(f"{SENSOR}destinations: [{{type: other}}]")

    assert found == (
        "2:23: destinations[0].type: cannot be imported: "
        "No module named 'a_library_that_is_not_here'"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[{}]", "2:16: destinations[0]: type is missing"),
        ("[postbox]", "2:16: destinations[0]: expected a mapping, found text"),
        ("[{type: on}]", "2:23: destinations[0].type: expected text, found true or false: put"),
        ("{type: postbox}", "2:15: destinations: expected a list, found a mapping"),
    ],
)
def test_what_is_no_destination_is_told(value: str, said: str) -> None:
    """Each with its place."""

    assert mistake(f"{SENSOR}destinations: {value}").startswith(said)


def test_the_initial_state_destination_is_one_of_them() -> None:
    """With its bucket, a mapping of its own."""
    text = "destinations: [{type: initialstate, access_key: k, bucket: {key: b, name: B}}]"

    (place,) = loads(SENSOR + text).destinations
    built = place.build()
    built.close()

    assert place.name == "initialstate"
