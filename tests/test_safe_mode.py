"""Safe mode: what kills the process three times in a row is set aside, the rest runs."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import logger_rig as rig
import pytest

from pilogger import status, tell
from pilogger.daemon import first_load
from pilogger.errors import ConfigError
from pilogger.store import beside
from pilogger.suspects import ALONE_S, DAY_S, FIRST_S, Suspects
from pilogger.testing import FakeClock

KILLER = """
from __future__ import annotations
import os, pathlib, time
from typing import Annotated, NamedTuple
from pilogger.channel import Channel

class Reading(NamedTuple):
    level: Annotated[float, Channel("1", 0, 10)]

class Killer:
    def __init__(self, go: str) -> None:
        self.go = pathlib.Path(go)

    def read(self) -> Reading:
        if self.go.exists():
            {body}
        return Reading(1.0)
"""
ENDS = {
    "abort": ("os.abort()", -signal.SIGABRT),
    "exit": ("os._exit(7)", 7),
    "kill": ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
}


def configure(folder: Path, body: str, **more: object) -> Path:
    (folder / "drivers").mkdir(exist_ok=True)
    (folder / "drivers" / "killer.py").write_text(KILLER.format(body=body))
    sensors = {
        "bad": {"driver": "killer", "every": "50ms", "go": str(folder / "go")},
        "good": {"driver": "simulated", "every": "20ms"},
    }
    return rig.configure(folder, driver_dirs=["drivers"], sensors={**sensors, **more})


def crash(config: Path) -> int:
    """Run a logger until it dies; returns how."""
    with rig.process("run", "--config", config) as running:
        running.communicate(timeout=rig.PATIENCE_S)
        return running.returncode


def states(store: Path) -> dict[str, status.State]:
    state = status.ask(store)
    assert state is not None
    return {sensor["id"]: sensor for sensor in state["sensors"]}


@pytest.mark.fault(16)
@pytest.mark.parametrize("how", ENDS)
def test_a_driver_that_kills_the_process_is_set_aside(tmp_path: Path, how: str) -> None:
    """Three times it takes all with it; the fourth start logs the rest, and says so."""
    body, code = ENDS[how]
    store, config = tmp_path / "pilogger.db", configure(tmp_path, body)
    (tmp_path / "go").touch()
    codes = [crash(config) for _ in range(3)]
    with rig.agent(config) as running:
        rig.eventually(lambda: states(store)["good"]["samples"] > 20)
        bad = states(store)["bad"]
        words = tell.status(status.find(store))
        running.send_signal(signal.SIGHUP)  # a person has seen to it, and is wrong
        said, _ = running.communicate(timeout=rig.PATIENCE_S)

    assert codes == [code] * 3
    assert bad["status"] == "set aside"
    assert "pilogger died 3 times in a row while its code ran" in bad["error"]
    assert "bad   set aside 0 readings" in words
    assert said.count("while the code of sensor bad ran: it is set aside, the rest runs") == 1
    assert running.returncode == code


def test_a_clean_stop_forgets(tmp_path: Path) -> None:
    """What was seen to by a person starts afresh, and a good run leaves no file."""
    store, config = tmp_path / "pilogger.db", configure(tmp_path, "os._exit(1)")
    (tmp_path / "go").touch()
    for _ in range(3):
        crash(config)
    with rig.agent(config) as running:
        assert states(store)["bad"]["status"] == "set aside"
        rig.stop(running)
    (tmp_path / "go").unlink()
    with rig.agent(config) as running:
        rig.eventually(lambda: states(store)["bad"]["status"] == "ok")
        rig.stop(running)

    assert not (tmp_path / "pilogger.db-starts").exists()


def test_a_neighbour_that_was_at_work_too_is_no_culprit(tmp_path: Path) -> None:
    """After a crash, suspects start one after another, so the slow innocent one is cleared."""
    slow = {"driver": "command", "run": ["sleep", "5"], "gives": {"x": {"unit": "1"}}}
    store = tmp_path / "pilogger.db"
    config = configure(tmp_path, "time.sleep(0.3); os._exit(1)", slow=slow)
    (tmp_path / "go").touch()
    for _ in range(3):
        crash(config)
    with rig.agent(config) as running:
        found = states(store)
        rig.stop(running)

    assert found["bad"]["status"] == "set aside"
    assert found["slow"]["status"] != "set aside"


@pytest.mark.fault(16)
def test_a_driver_that_kills_when_it_is_loaded_is_set_aside(tmp_path: Path) -> None:
    """It never came so far as to be a sensor; a reload, when it is mended, takes it in."""
    store, config = tmp_path / "pilogger.db", configure(tmp_path, "pass")
    driver = tmp_path / "drivers" / "killer.py"
    mended = driver.read_text()
    driver.write_text(f"{mended}\nimport ctypes\nctypes.string_at(0)\n")
    codes = [crash(config) for _ in range(3)]
    with rig.agent(config) as running:
        rig.eventually(lambda: states(store)["good"]["samples"] > 5)
        bad = states(store)["bad"]
        driver.write_text(mended)
        running.send_signal(signal.SIGHUP)
        rig.eventually(lambda: states(store)["bad"]["status"] == "ok")
        rig.stop(running)

    assert codes == [-signal.SIGSEGV] * 3
    assert bad["status"] == "set aside"
    assert "pilogger died each time its driver was loaded" in bad["error"]
    assert list(tmp_path.glob("pilogger.db-drivers*")) == []


def test_who_is_loaded_is_marked_and_who_must_not_be_is_not(tmp_path: Path) -> None:
    """A driver that looks into the file sees its own mark; after three deaths nobody loads it."""
    config = configure(tmp_path, "pass")
    driver, journal = tmp_path / "drivers/killer.py", tmp_path / "pilogger.db-drivers"
    seen = tmp_path / "seen"
    with driver.open("a") as file:
        file.write(
            f"pathlib.Path({str(seen)!r}).write_bytes(pathlib.Path({str(journal)!r}).read_bytes())"
        )
    _, drivers = first_load(config)
    assert drivers is not None
    drivers.close()
    while_loading = seen.read_text()
    journal.write_text(while_loading.replace("! 0", "! 3"))
    seen.unlink()
    settings, drivers = first_load(config)
    assert drivers is not None
    drivers.close()

    assert '! 0 "driver killer"' in while_loading
    assert '. 0 "driver simulated"' in while_loading
    assert [bool(sensor.aside) for sensor in settings.sensors] == [True, False]
    assert not seen.exists()


def test_without_a_folder_nothing_is_marked(tmp_path: Path) -> None:
    """The first start of all may have to make it; a config with mistakes tells them all."""
    config = rig.configure(tmp_path, store={"path": str(tmp_path / "new/pilogger.db")})
    settings, drivers = first_load(config)
    config.write_text("store: {path: 1}\nsensors: {}\n")
    with pytest.raises(ConfigError) as caught:
        first_load(config)

    assert len(settings.sensors) == 5
    assert drivers is None
    assert len(caught.value.mistakes) == 2


def test_a_second_logger_blames_nobody(tmp_path: Path) -> None:
    """Who is refused because the store is taken leaves the marks of the other alone."""
    config = configure(tmp_path, "pass")
    with rig.agent(config) as running:
        before = (tmp_path / "pilogger.db-drivers").read_bytes()
        with rig.process("run", "--config", config) as second:
            said, _ = second.communicate(timeout=rig.PATIENCE_S)
        after = (tmp_path / "pilogger.db-drivers").read_bytes()
        rig.stop(running)

    assert "is being written by another pilogger" in said
    assert before == after


# -- the journal of starts -----------------------------------------------------------------

PARTS = ("sensor a", "sensor b", "destination two\nlines")


def die(store: Path, clock: FakeClock, *inside: str) -> Suspects:
    """Play a process that dies inside some parts: what it left is put back after its end."""
    suspects, journal = Suspects(store, clock), beside(store, "starts")
    suspects.watch(PARTS)
    with ExitStack() as stack:
        for part in inside:
            stack.enter_context(suspects.inside(part))
        left = journal.read_bytes()
    suspects.close()
    journal.write_bytes(left)
    return suspects


def test_only_three_in_a_row_count(tmp_path: Path) -> None:
    """One that was not there in between starts again at none."""
    store, clock = tmp_path / "x.db", FakeClock()
    for inside in (["sensor a", "sensor b"], ["sensor a"], ["sensor a", PARTS[2]]):
        die(store, clock, *inside)
    found = Suspects(store, clock)

    assert [bool(found.aside(part)) for part in PARTS] == [True, False, False]


def test_a_power_cut_is_nobodys_fault(tmp_path: Path) -> None:
    """In another boot the marks tell nothing, and what was known stays known."""
    store = tmp_path / "x.db"
    die(store, FakeClock(boot_id="1"), "sensor a")
    die(store, FakeClock(boot_id="1"), "sensor a")
    die(store, FakeClock(boot_id="2"), "sensor a", "sensor b")
    third = die(store, FakeClock(boot_id="3"))
    fourth = die(store, FakeClock(boot_id="3"), "sensor a")
    fifth = Suspects(store, FakeClock(boot_id="3"))

    assert not third.aside("sensor a")
    assert not fourth.aside("sensor a")
    assert not fifth.aside("sensor b")


def test_it_is_tried_again_after_a_day(tmp_path: Path) -> None:
    """Once; its next crash sets it aside at once."""
    store, clock = tmp_path / "x.db", FakeClock()
    for _ in range(3):
        die(store, clock, "sensor a")
    suspects = Suspects(store, clock)
    early = suspects.release()
    clock.advance(DAY_S + 1)
    late = suspects.release()
    again = suspects.aside("sensor a")
    suspects.watch(PARTS)
    with suspects.inside("sensor a"):
        after_the_next_crash = Suspects(store, clock)
    suspects.close()

    assert (early, late, again) == (False, True, "")
    assert after_the_next_crash.aside("sensor a")


def test_a_crash_of_something_else_keeps_it_aside(tmp_path: Path) -> None:
    """A part that does not run cannot be there when the process dies; that clears it of nothing."""
    store, clock = tmp_path / "x.db", FakeClock()
    for _ in range(3):
        die(store, clock, "sensor a")
    die(store, clock, "sensor b")
    found = Suspects(store, clock)

    assert found.aside("sensor a")
    assert not found.aside("sensor b")


def test_suspects_take_turns(tmp_path: Path) -> None:
    """After a crash those that were there begin one after another, the others at once."""
    store, clock = tmp_path / "x.db", FakeClock()
    die(store, clock, "sensor a", "sensor b")
    found = Suspects(store, clock)

    assert [found.delay(part) for part in PARTS] == [0, ALONE_S, 0]


def test_marks_cost_the_card_nothing_after_some_minutes(tmp_path: Path) -> None:
    """A loop of crashes happens at the start; later nothing is written."""
    store, clock = tmp_path / "x.db", FakeClock()
    suspects = Suspects(store, clock)
    suspects.watch(PARTS)
    journal = tmp_path / "x.db-starts"
    calm = journal.read_bytes()
    with suspects.inside("sensor a"):
        inside = journal.read_bytes()
    after = journal.read_bytes()
    clock.advance(FIRST_S + 1)
    with suspects.inside("sensor a"):
        later = journal.read_bytes()
    suspects.close()

    assert inside == calm.replace(b'. 0 "sensor a"', b'! 0 "sensor a"') != calm
    assert after == later == calm
    assert not journal.exists()


@pytest.mark.parametrize(
    "damage", [b"", b"\xff\xfe", b"boot-1\n! x", b"boot-1\n! 9\n", b'boot-1\n! 9 "x"', b"\n\n"]
)
@pytest.mark.fault(11)
def test_a_damaged_journal_tells_nothing(tmp_path: Path, damage: bytes) -> None:
    """It is no reason not to start."""
    (tmp_path / "x.db-starts").write_bytes(damage)
    suspects = Suspects(tmp_path / "x.db", FakeClock())
    suspects.watch(PARTS)
    suspects.close()

    assert not any(suspects.aside(part) for part in PARTS)
