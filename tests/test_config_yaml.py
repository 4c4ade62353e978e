"""YAML that is no config: each mistake has its place and a sentence."""

from __future__ import annotations

import pytest
from config_rig import SENSOR, mistake, mistakes

from pilogger.config import loads


@pytest.mark.fault(82)
def test_every_mistake_of_a_file_is_told_in_one_run() -> None:
    """Syntax apart, no mistake hides another, and they come in the order of the file."""
    found = mistakes("""\
        device: on
        sensors:
          air: {driver: bme280, adress: 0x76, every: 10 s}
          light: {driver: bh1751}
        stor: {}
        clock: {trust: nt}
        """)

    assert [line.split(": ")[:2] for line in found] == [
        ["1:9", "device"],
        ["3:25", "sensors.air.adress"],
        ["3:46", "sensors.air.every"],
        ["4:19", "sensors.light.driver"],
        ["5:1", "stor"],
        ["6:16", "clock.trust"],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: the file is empty"),
        ("# nothing yet\n", "1:1: the file is empty"),
        ("- a\n", "1:1: expected a mapping, found a list"),
        ("hello\n", "1:1: expected a mapping, found text"),
        ("a: 1\n\tb: 2\n", "2:1: a tab cannot indent: use spaces"),
        ("a: @b\n", "1:4: text that starts with this character must be in quotes"),
        ("a: b: c\n", "1:5: a ': ' does not belong here: check the indentation, or put"),
        ("a: 1\nb\nc: 2\n", "2:1: there is no ': ' after this key"),
        ("a: 1\n---\nb: 2\n", "2:1: one file holds one document"),
        ("a: [1\n", "2:1: this is not YAML: expected ',' or ']'"),
        ("a: &x 1\nb: *x\n", "1:4: aliases are not supported; text that starts with & or *"),
        ("b: *x\n", "1:4: aliases are not supported; text that starts with & or *"),
        ("a: !x!y z\n", "1:4: text that starts with ! must be in quotes"),
        ('a: "\\UFFFFFFFF"\n', "1:7: this number is too large"),
        ("a: \x00\n", "1:4: this character cannot be in a config"),
        ("a: [" + "[" * 20, "1:23: this is nested deeper than 20 levels"),
        (b"a: 1\nb: \xff\n", "2:4: this is not UTF-8 text"),
        ("a: ü".encode("latin-1"), "1:4: this is not UTF-8 text"),
        ("a: 1".encode("utf-16"), "1:1: this is not UTF-8 text"),
        ("\ud800", "1:1: this is not UTF-8 text"),
        (b"#" * (256 * 1024 + 1), "1:1: a config is not larger than 256 KB"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str | bytes, said: str) -> None:
    """One sentence, and no other that only follows from it."""

    assert mistake(text).startswith(said)


def test_nesting_that_would_exhaust_a_parser_is_refused() -> None:
    """256 KB of brackets end at the twenty-first."""

    assert "nested deeper" in mistake("[" * 256 * 1024)


def test_a_file_of_256_kb_is_read() -> None:
    """The limit is the largest that is allowed."""
    text = SENSOR + "#"

    loads(text.ljust(256 * 1024, "-"))


def test_a_byte_order_mark_is_no_mistake() -> None:
    """Some Windows editors write one."""

    assert loads(b"\xef\xbb\xbf" + SENSOR.encode()).sensors[0].id == "air"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("on: {}", "put the key 'on' in quotes: YAML reads it as true"),
        ("No: {}", "put the key 'No' in quotes: YAML reads it as false"),
        ("12: {}", "a key must be text: put '12' in quotes"),
        ("~: {}", "a key must be text: put '~' in quotes"),
        ("[a]: {}", "a key must be text"),
    ],
)
def test_a_key_that_yaml_takes_for_something_else_must_be_quoted(line: str, said: str) -> None:
    """The mistake stands at the key, in the mapping that has it."""

    assert mistake(f"{SENSOR}{line}\n") == f"2:1: {said}"


@pytest.mark.fault(82)
def test_a_key_that_is_there_twice_names_the_first() -> None:
    """PyYAML alone would silently take the last."""
    found = mistake("""\
        sensors:
          air: {driver: bme280}
          light: {driver: bh1750}
          air: {driver: bh1750}
        """)

    assert found == "4:3: sensors.air: is here twice (first on line 2)"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("on", "true or false: put it in quotes (YAML reads on, off, yes and no as true or false)"),
        ("12", "a whole number: put it in quotes"),
        ("1.5", "a number: put it in quotes"),
        ("1e3", "a number: put it in quotes"),
        ("0x1F", "a whole number: put it in quotes"),
        ("~", "nothing"),
        ("[a]", "a list"),
        ("{a: b}", "a mapping"),
    ],
)
def test_text_that_is_none_says_what_yaml_made_of_it(value: str, found: str) -> None:
    """A device is called by a text."""

    assert mistake(f"{SENSOR}device: {value}") == f"2:9: device: expected text, found {found}"


@pytest.mark.parametrize("value", ["12:30", "2024-01-01", "1_000", "017", "=", "<<", "y"])
def test_text_that_other_yaml_takes_for_numbers_and_times_is_text(value: str) -> None:
    """Sexagesimal numbers, octal ones and timestamps have surprised enough people."""

    assert loads(f"{SENSOR}device: {value}\n").device == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("9223372036854775808", "a whole number has at most 64 bits"),
        ("9" * 5000, "a whole number has at most 64 bits"),
        ("1e999", "a number must be finite"),
        ('"\\0"', "text cannot hold a NUL character"),
        ('"\\ud800"', "text cannot hold half a surrogate pair"),
        ("!!int abc", "this is no int"),
        ("!!float nan", "this is no float"),
        ("!!bool maybe", "this is no bool"),
        ("!!binary aGk=", "text that starts with ! must be in quotes"),
        ("!!python/object:os.system {}", "text that starts with ! must be in quotes"),
        ("!secret [a]", "text that starts with ! must be in quotes"),
    ],
)
def test_a_value_that_no_config_can_hold_is_told_once(value: str, said: str) -> None:
    """Not a second time for its type."""

    assert mistake(f"{SENSOR}device: {value}\n").startswith(f"2:9: device: {said}")


def test_names_in_messages_stay_on_one_short_line() -> None:
    """A key can be anything; a message is for a terminal."""
    found = mistake(f'{SENSOR}"{"x" * 999}\\n": 1\n')

    assert found.startswith(f"2:1: '{'x' * 40}…': unknown option; there are: device, sensors,")
    assert "\n" not in found
