"""`pilogger series` and `pilogger query`: history at a terminal, and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pilogger.cli import main
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two hours from 2026-01-01T00:00Z, a reading each second: its number; 10 s of text."""
    path = tmp_path / "x.db"
    store = Store.open(path, FakeClock())
    store.declare("air", {"temperature": "Cel"})
    store.declare("note", {"": "1"})
    store.append(
        [Sample("air", {"temperature": float(n)}, 100_000_000 + n * 1_000_000) for n in range(7200)]
    )
    store.append([Sample("note", {"": "all well"}, 100_000_000)])
    store.seal()
    store.close()
    return path


def run(*args: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_series_are_listed_with_their_newest_reading(path: Path) -> None:
    """Key, value and unit, time."""
    lines = run("series", "--store", path).stdout.splitlines()
    [air, _] = json.loads(run("series", "--store", path, "--json").stdout)

    assert lines[0].split() == ["air.temperature", "7,199", "°C", "2026-01-01T01:59:59.000Z"]
    assert air == {
        "series": "air.temperature", "unit": "Cel", "epoch": 1767232799.0, "value": 7199.0,
    }  # fmt: skip


def test_periods_are_those_of_the_zone(path: Path) -> None:
    """Labelled by their start; what is outside the span is not counted."""
    found = json.loads(
        run(
            "query",
            "air.temperature",
            "--store",
            path,
            "--format",
            "json",
            "--tz",
            "Asia/Kolkata",
            "--start",
            "2026-01-01T05:30:10",
            "--end",
            "2026-01-01T07:00",
            "--interval",
            "1hour",
            "--function",
            "count",
        ).stdout
    )

    assert [(each["time"], each["value"]) for each in found] == [
        ("2026-01-01T05:00:00.000+05:30", 1790),
        ("2026-01-01T06:00:00.000+05:30", 3600),
    ]


@pytest.mark.parametrize(
    ("function", "value"),
    [("mean", "1799.5"), ("max", "3599.0"), ("sum", "6478200.0"), ("count", "3600")],
)
def test_functions_fold_a_period(path: Path, function: str, value: str) -> None:
    """Of the numbers 0 to 3599."""
    out = run(
        "query", "air.temperature", "--store", path, "--format", "csv", "--interval", "1hour",
        "--function", function, "--start", "1767225600", "--end", "1767229200",
    ).stdout  # fmt: skip

    assert out.splitlines()[1].split(",")[3] == value


def test_a_short_span_is_raw(path: Path) -> None:
    """Without an interval, up to two days come as they are; text too."""
    out = run("query", "note", "--store", path, "--start", "2026-01-01", "--end", "2026-01-02")

    assert out.stdout == "2026-01-01T00:00:00.000Z  all well\n"


def test_mistakes_are_named(path: Path) -> None:
    """A key, an interval, a function, a zone, a span that are none."""
    said = [
        run("query", "air.temp", "--store", path),
        run("query", "note", "--store", path, "--interval", "fortnight"),
        run("query", "note", "--store", path, "--interval", "1day", "--function", "median"),
        run("query", "note", "--store", path, "--tz", "Europe/Londn"),
        run("query", "note", "--store", path, "--start", "2026-01-02", "--end", "2026-01-01"),
    ]

    assert [result.exit_code for result in said] == [1, 1, 1, 1, 2]
    assert "did you mean air.temperature?" in said[0].stderr
    assert "'median' is no function" in said[2].stderr
    assert "Europe/London" in said[3].stderr
