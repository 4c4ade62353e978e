"""Out of a store as CSV, lines of JSON or Parquet, and in again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pilogger.cli import main
from pilogger.sample import Sample, Value
from pilogger.store import Store
from pilogger.testing import FakeClock

VALUES: tuple[Value, ...] = (21.5, 20, True, 'a, "b"', -0.0, 2**63 - 1, 0.1 + 0.2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with the series `air` (numbers, sealed and fresh) and `any` (everything)."""
    path = tmp_path / "x.db"
    store = Store.open(path, FakeClock())
    store.declare("air", {"temperature": "Cel"})
    store.declare("any", {"": "1"})
    store.append(
        [
            Sample("air", {"temperature": 20 + n / 100}, 100_000_000 + n * 1_000_000)
            for n in range(1500)
        ]
    )
    store.append(
        [
            Sample("any", {"": value}, 0, epoch=f"17000000{n:02}.25")
            for n, value in enumerate(VALUES)
        ]
    )
    store.seal()
    store.close()
    return path


def run(*args: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_every_reading_is_a_line_of_csv(path: Path) -> None:
    """Series after series, each in the order of time, with exact epochs and the unit."""
    lines = list(csv.reader(run("export", "--store", path).stdout.splitlines()))

    assert lines[0] == ["series", "epoch", "time", "value", "unit"]
    assert lines[1] == [
        "air.temperature", "1767225600", "2026-01-01T00:00:00.000Z", "20.0", "Cel",
    ]  # fmt: skip
    assert len(lines) == 1 + 1500 + len(VALUES)
    assert [line[3] for line in lines[-len(VALUES) :]] == [
        "21.5", "20", "true", 'a, "b"', "-0.0", "9223372036854775807", "0.30000000000000004",
    ]  # fmt: skip


def test_lines_of_json_keep_what_values_are(path: Path) -> None:
    """A number, a truth value and text come back as what they were."""
    out = run("export", "any", "--store", path, "--format", "jsonl").stdout
    found = [json.loads(line) for line in out.splitlines()]

    assert [repr(each["value"]) for each in found] == [repr(value) for value in VALUES]
    assert '"epoch": 1700000000.25,' in out


def test_a_span_in_a_time_zone(path: Path) -> None:
    """Half open; times without an offset are of the zone that was asked for."""
    out = run(
        "export", "air.temperature", "--store", path, "--tz", "Europe/Berlin",
        "--start", "2026-01-01T01:00:10", "--end", "1767225612",
    ).stdout  # fmt: skip

    assert [line.split(",")[2] for line in out.splitlines()[1:]] == [
        "2026-01-01T01:00:10.000+01:00",
        "2026-01-01T01:00:11.000+01:00",
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("cut", [0, 30, 5000, 60_000])
def test_an_export_that_was_broken_off_goes_on(
    path: Path, tmp_path: Path, form: str, cut: int
) -> None:
    """Wherever it was cut, the file ends up as if it never had been."""
    whole, part = tmp_path / "whole", tmp_path / "part"
    run("export", "--store", path, "--format", form, "--output", whole)
    part.write_bytes(whole.read_bytes()[:cut])
    result = run("export", "--store", path, "--format", form, "--output", part, "--resume")

    assert result.exit_code == 0
    assert part.read_bytes() == whole.read_bytes()


def test_what_is_wrong_is_said(path: Path, tmp_path: Path) -> None:
    """An unknown series, a file that is there, a time that is none."""
    there = tmp_path / "there.csv"
    there.write_text("mine")
    near = run("export", "air.temprature", "--store", path)
    taken = run("export", "--store", path, "--output", there)
    when = run("export", "--store", path, "--start", "yesterday-ish")
    strange = run("export", "--store", path, "--output", there, "--resume")

    assert (near.exit_code, taken.exit_code, when.exit_code) == (1, 1, 2)
    assert "did you mean air.temperature?" in near.stderr
    assert "is there already" in taken.stderr
    assert "is no time" in when.stderr
    assert strange.exit_code == 1
    assert there.read_text() == "mine"


def test_parquet_has_numbers_and_text_apart(path: Path, tmp_path: Path) -> None:
    """A column holds one type; the epoch is a timestamp."""
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "x.parquet"
    run("export", "any", "--store", path, "--format", "parquet", "--output", file)
    rows = parquet.read_table(file).to_pylist()

    assert [row["value"] for row in rows][:3] == [21.5, 20.0, 1.0]
    assert rows[3]["text"] == 'a, "b"'
    assert rows[0]["epoch"].timestamp() == 1_700_000_000.25


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_went_out_comes_in_again(path: Path, tmp_path: Path, form: str) -> None:
    """Into another store: the same readings; a second time: none is new."""
    file, other = tmp_path / f"x.{form}", tmp_path / "other.db"
    run("export", "--store", path, "--format", form, "--output", file)
    first = run("import", file, "--store", other)
    again = run("import", file, "--store", other)
    back = run("export", "--store", other, "--format", form).stdout

    assert first.stdout == "1,507 readings stored, 0 known already, 0 refused\n"
    assert again.stdout == "0 readings stored, 1,507 known already, 0 refused\n"
    assert back.replace('"1"}', '"Cel"}') == file.read_text().replace('"1"}', '"Cel"}')


def test_missed_events_of_the_streamer_are_taken_in(tmp_path: Path) -> None:
    """Its file has a JSON array of events on each line, and buckets in between."""
    file = tmp_path / "err_missed_events.txt"
    file.write_text(
        '{"bucketKey": "b", "bucketName": "B"}\n'
        '[{"key": "t", "value": 1, "epoch": 1795217624.4833982}, {"key": "t", "value": NaN}]\n'
        "half a li\n"
        '[{"key": "t", "value": 2, "epoch": 1795217625}]\n'
    )
    result = run("import", file, "--store", tmp_path / "x.db")
    out = run("export", "--store", tmp_path / "x.db").stdout

    assert result.exit_code == 1
    assert result.stdout == "2 readings stored, 0 known already, 2 refused\n"
    assert f"{file}:2: event 2 ('t')" in result.stderr
    assert f"{file}:3: the body is not JSON" in result.stderr
    assert "t,1795217624.4833982,2026-11-20T" in out


def test_a_running_logger_is_not_disturbed(path: Path, tmp_path: Path) -> None:
    """An import wants the store for itself, and says so."""
    file = tmp_path / "x.csv"
    file.write_text("series,epoch,value\nt,1,2\n")
    store = Store.open(path, FakeClock())
    result = run("import", file, "--store", path)
    store.close()

    assert result.exit_code == 1
    assert "is being written by another pilogger" in result.stderr
