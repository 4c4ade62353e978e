"""`Streamer.log`: what goes in comes out, and what cannot is told."""

from __future__ import annotations

import logging
import time
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from streamer_rig import Rig, hub, rig

from pilogger.errors import BadValue
from pilogger.hub import Account, Accounts, Hub
from pilogger.initialstate import NotDelivered

__all__ = ["hub", "rig"]


class Level(IntEnum):
    HIGH = 3


class Scalar:
    """What numpy's scalars look like."""

    dtype = "float32"

    def item(self) -> float:
        return 1.5


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (32, 32), (21.5, 21.5), (True, 1), ("hi", "hi"), ("", ""), ("läuft\n", "läuft\n"),
        (2**62, 2**62), (-0.25, -0.25), (Decimal("1.5"), 1.5), (Fraction(1, 4), 0.25),
        (Level.HIGH, 3), (Scalar(), 1.5),
    ],
)  # fmt: skip
def test_values_arrive_as_they_are(rig: Rig, given: object, kept: object) -> None:
    """Numbers, truth values and text, and what stands for them."""
    with rig.streamer(debug_level=2) as streamer:
        streamer.log("a", given)

    assert rig.values() == {"a": kept}


@pytest.mark.parametrize(
    "value", [None, float("nan"), float("inf"), 2**64, [1], {"a": 1}, b"x", "\0", "\ud800", object]
)
def test_other_values_cost_only_themselves(
    rig: Rig, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    """They are logged once and counted each time; the others arrive."""
    with rig.streamer() as streamer:
        for number in range(2):
            streamer.log("a", number)
            streamer.log("bad", value)
        refused = streamer.refused

    assert [value for _, _, value in rig.held()] == [0, 1]
    assert refused == 2
    [record] = [record for record in caplog.records if record.name == "pilogger.initialstate"]
    assert record.getMessage().startswith("not logged: 'bad': ")


@pytest.mark.parametrize("key", ["", "k" * 251, 5, None, "\0"])
def test_bad_keys_are_refused_at_the_call(rig: Rig, key: Any) -> None:
    """From debug_level 2 on a mistake is raised where it is made."""
    with rig.streamer(debug_level=2) as streamer, pytest.raises(BadValue):
        streamer.log(key, 1)

    assert rig.held() == []


def test_a_key_may_be_long(rig: Rig) -> None:
    """The documentation says 250 characters."""
    with rig.streamer(debug_level=2) as streamer:
        streamer.log("k" * 250, 1)

    assert rig.values() == {"k" * 250: 1}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (1795217624.4833982, "1795217624.4833982"), (1795217624, "1795217624"), (0, "0"),
        (-1.5, "-1.5"), (1795217624483, "1795217624483"), ("1795217624.10", "1795217624.10"),
        (Decimal("1795217624.123456789123"), "1795217624.123456789123"),
    ],
)  # fmt: skip
def test_an_epoch_arrives_as_the_number_that_it_is(rig: Rig, given: Any, kept: str) -> None:
    """Old, exact, or milliseconds by mistake: nobody corrects it."""
    with rig.streamer(debug_level=2) as streamer:
        streamer.log("a", 1, epoch=given)

    assert rig.held() == [("a", kept, 1)]


def test_without_an_epoch_it_is_now(rig: Rig) -> None:
    """The time of the call, to the microsecond, not that of the delivery."""
    before = time.time_ns() // 1000
    with rig.streamer() as streamer:
        streamer.log("a", 1)
        after = time.time_ns() // 1000 + 1
    [(_, epoch, _)] = rig.held()

    assert before <= Decimal(epoch) * 1_000_000 <= after


@pytest.mark.parametrize("epoch", ["noon", float("nan"), True, [5], "9" * 65])
def test_an_epoch_that_is_none_becomes_now(rig: Rig, epoch: Any) -> None:
    """The value is kept, as with the original, and the mistake is counted."""
    before = time.time()
    with rig.streamer() as streamer:
        streamer.log("a", 1, epoch=epoch)
        refused = streamer.refused
    [(_, kept, _)] = rig.held()

    assert float(kept) >= before - 1
    assert refused == 1

    with rig.streamer(debug_level=2) as strict, pytest.raises(BadValue, match="epoch"):
        strict.log("a", 1, epoch=epoch)


def test_debug_level_1_prints_every_event(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of the original: local time, key, value."""
    with rig.streamer(debug_level=1) as streamer:
        streamer.log("a", 1, epoch=1795217624.25)
        streamer.log("b", "x", epoch=10**20)
    lines = capsys.readouterr().out.splitlines()

    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1795217624))
    assert lines == [f"{when}.250000: a 1", f"{10**20}: b x"]


def test_debug_level_2_prints_every_request(
    rig: Rig, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With what became of it, in the server's words."""
    with rig.streamer(debug_level=2) as streamer:
        streamer.log_object([1, 2])
        streamer.flush()
        taken = capsys.readouterr().out
    with Hub("127.0.0.1", 0, tmp_path / "x.db", Accounts([Account("me", "right")])) as rig.hub:
        streamer = rig.streamer(debug_level=2, access_key="mistaken")
        streamer.log("a", 1)
        with pytest.raises(NotDelivered):
            streamer.flush()
        refused = capsys.readouterr().out
        with pytest.raises(NotDelivered):
            streamer.close()

    assert taken.splitlines()[2:] == ["2 events: accepted"]
    assert "1 events: the server answered 401: the access key is wrong\n" in refused


def test_debug_level_0_prints_nothing(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """And the access key is printed at no level."""
    for level in (0, 3):
        with rig.streamer(debug_level=level, access_key="secret") as streamer:
            streamer.log("a", 1)
            shown = repr(streamer)
        printed = capsys.readouterr().out
        assert "secret" not in printed + shown
        assert bool(printed) == bool(level)


def test_the_log_of_mistakes_ends_somewhere(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand different mistakes are not a thousand lines, for years."""
    with caplog.at_level(logging.WARNING), rig.streamer() as streamer:
        for number in range(1000):
            streamer.log(f"a{number}", None)

        assert streamer.refused == 1000
    assert len([it for it in caplog.records if it.name == "pilogger.initialstate"]) == 100
