"""Programs as sensors: real processes, well and badly behaved."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import pytest

from pilogger.channel import Channel
from pilogger.errors import BadReading, NoAnswer
from pilogger.sensors.command import Command

LEVEL = {"level": Channel("m", 0, 12)}
BOTH = {"level": Channel("m", 0, 12), "pump": Channel("1")}


def shell(script: str, gives: dict[str, Channel] = LEVEL, timeout: float = 5) -> Command:
    return Command(["sh", "-c", script], gives, timeout)


def prints(output: str, gives: dict[str, Channel] = LEVEL) -> Command:
    return Command(["printf", "%s", output], gives)


def test_an_object_gives_a_value_per_channel() -> None:
    """Each value keeps its type; what was not asked for is left."""
    sensor = prints('{"pump": true, "level": 3, "extra": [1]}\n', BOTH)

    assert sensor.channels() == BOTH
    assert sensor.read() == {"level": 3, "pump": True}
    assert sensor.read()["pump"] is True


@pytest.mark.parametrize(
    ("output", "value"), [("3.205\n", 3.205), ("-7", -7), ("false", False), ('"dry"', "dry")]
)
def test_a_single_channel_may_be_a_bare_value(output: str, value: object) -> None:
    assert prints(output).read() == {"level": value}


def test_null_and_missing_channels_are_absent() -> None:
    assert prints('{"level": null, "pump": 1}', BOTH).read() == {"pump": 1}
    assert prints('{"level": 2}', BOTH).read() == {"level": 2}


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("", "no JSON: b''"),
        ("3.2 m", "no JSON: b'3.2 m'"),
        ("{'level': 3}", "no JSON"),
        ("[" * 60_000, "no JSON"),
        ('{"level": NaN}', "no JSON"),
        ("-Infinity", "no JSON"),
        ("9" * 5000, "no JSON"),
        ("null", "none of: level"),
        ("{}", "none of: level"),
        ('{"lvl": 3}', "none of: level"),
        ("[3]", "a wrong level: a value is"),
        ('{"level": {"m": 3}}', "a wrong level: a value is"),
        ("1e999", "a wrong level: inf"),
        (str(2**63), "a wrong level: a whole number has at most 64 bits"),
        (r'"\ud800"', "a wrong level: text cannot hold"),
    ],
)
def test_output_that_is_no_reading_says_why(output: str, sentence: str) -> None:
    with pytest.raises(BadReading, match=f"printf printed {sentence}"):
        prints(output).read()


def test_bytes_that_are_no_text_are_no_reading() -> None:
    with pytest.raises(BadReading, match="printed no JSON"):
        shell(r"printf '\377\200\377'").read()


def test_a_bare_value_for_several_channels_is_refused() -> None:
    with pytest.raises(BadReading, match="one value for 2 channels"):
        prints("3", BOTH).read()


def test_a_line_is_split_as_a_shell_would_but_runs_in_none() -> None:
    line = f"{sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1]))' '$HOME; a b'"

    assert Command(line, LEVEL).read() == {"level": "$HOME; a b"}


def test_a_failing_program_is_quoted() -> None:
    """Its status, and the last line of its complaints."""
    with pytest.raises(NoAnswer, match=r"^sh failed with exit status 3: no probe$"):
        shell("echo 1; echo trying >&2; echo no probe >&2; exit 3").read()
    with pytest.raises(NoAnswer, match=r"^sh failed with exit status 1$"):
        shell("exit 1").read()
    with pytest.raises(NoAnswer, match=r"^sh was ended by SIGTERM$"):
        shell("kill -TERM $$").read()


def test_a_long_complaint_is_cut() -> None:
    with pytest.raises(NoAnswer, match=r"exit status 1: x{200}$"):
        shell("head -c 9000 /dev/zero | tr '\\0' x >&2; exit 1").read()


def test_a_program_that_is_missing_or_no_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="cannot run no-such-program: No such file"):
        Command("no-such-program", LEVEL).read()
    with pytest.raises(NoAnswer, match=f"cannot run {tmp_path}: Permission denied"):
        Command([str(tmp_path)], LEVEL).read()


def test_a_slow_program_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """The pipe ends when the last process that holds it is gone."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(NoAnswer, match=r"sh took longer than 0\.5 s, and was killed"):
        shell(f"exec 3>{fifo}; echo here >&3; sleep 600 & sleep 600", timeout=0.5).read()

    assert os.read(pipe, 100) == b"here\n"
    assert select.select([pipe], [], [], 10)[0], "a process of the group lives on"
    assert os.read(pipe, 100) == b""
    os.close(pipe)


def test_a_program_that_closes_its_output_must_still_end() -> None:
    with pytest.raises(NoAnswer, match="took longer"):
        shell("echo 1; exec >&- 2>&-; exec sleep 600", timeout=0.2).read()


def test_a_chatterbox_does_not_outlive_its_time() -> None:
    """Complaints without end are always ready to be read: the deadline counts all the same."""
    with pytest.raises(NoAnswer, match="took longer"):
        shell("exec yes >&2", timeout=0.2).read()


def test_endless_output_is_cut_off() -> None:
    with pytest.raises(BadReading, match="more than 65536 bytes"):
        shell("yes").read()


def test_complaints_of_any_length_do_not_block_the_program() -> None:
    """A full pipe would stop it; only the tail is kept."""
    sensor = shell("head -c 1000000 /dev/zero >&2; echo 4.5")

    assert sensor.read() == {"level": 4.5}


def test_the_program_has_no_input() -> None:
    """It would take the keys of whoever runs the logger by hand, or wait for them for ever."""
    ours, (end, other_end) = os.dup(0), os.pipe()
    os.dup2(end, 0)
    try:
        assert shell("cat; echo 1", timeout=1).read() == {"level": 1}
    finally:
        os.dup2(ours, 0)
        for fd in (ours, end, other_end):
            os.close(fd)


@pytest.mark.parametrize("run", ["", [], "echo 'open"])
def test_a_line_that_names_no_program_is_refused(run: str | list[str]) -> None:
    with pytest.raises(ValueError, match=r"names no program|No closing quotation"):
        Command(run, LEVEL)


def test_a_program_without_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="names no channel"):
        Command("true", {})
