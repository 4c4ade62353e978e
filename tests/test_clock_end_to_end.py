"""A Pi boots in 1970, with real processes: libfaketime is its clock, a file is its NTP.

libfaketime can fake the wall clock of a process and leave its boot time alone. It reads
what the time is from a file, so that the clock can be set while the logger runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import logger_rig as rig
import pytest

from pilogger import status, tell
from pilogger.clock import SYNC_FILE
from pilogger.hub import TLS, Hub

FAR_OFF = 0.5  # seconds
LIBRARY = "faketime/libfaketime.so.1"
LIBRARIES = sorted(Path("/usr/lib").glob(f"*/{LIBRARY}"))

DRIVER = """
from __future__ import annotations
import time
from typing import Annotated, NamedTuple
from pilogger.channel import Channel
class Reading(NamedTuple):
    truth: Annotated[float, Channel("s", 0, 1e11)]
class Driver:
    def read(self) -> Reading:
        # libfaketime leaves boot time alone; what to add to it is written by the test.
        boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return Reading((boot + OFFSET_NS) / 1e9)
"""

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="needs the Debian package faketime")


class Machine:
    """A logger whose wall clock is `set` by the test; its sensor reads the true time."""

    def __init__(self, folder: Path, port: int, **clock: str) -> None:
        (folder / "drivers").mkdir()
        now = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        (folder / "drivers" / "truth.py").write_text(DRIVER.replace("OFFSET_NS", str(now)))
        self.store = folder / "pilogger.db"
        self.ntp = folder / "synced"
        self._time = folder / "time"
        self._config = rig.configure(
            folder,
            port,
            driver_dirs=["drivers"],
            sensors={"n": {"driver": "truth", "every": "20ms", "raw": True}},
            clock=clock,
        )

    def set(self, seconds: float) -> None:
        """Set the clock that many seconds off the truth; all at once, as a reader may come."""
        new = self._time.with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n")
        new.replace(self._time)

    @contextmanager
    def runs(self) -> Iterator[Popen[str]]:
        environment = {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._time),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            SYNC_FILE: str(self.ntp),
        }
        with rig.agent(self._config, **environment) as agent:
            yield agent

    def state(self) -> status.State:
        found = status.ask(self.store)
        assert found is not None
        return found

    def polls(self, count: int) -> None:
        """Wait until so many more readings are taken."""
        taken = self.state()["taken"] + count
        rig.eventually(lambda: self.state()["taken"] >= taken)

    def place(self) -> status.State:
        found: status.State = self.state()["destinations"][0]
        return found


def error(store: Path) -> float:
    """Return the largest difference between an epoch and the truth, in seconds."""
    return max(abs(float(epoch) - float(str(truth))) for _, epoch, truth in rig.held(store))


@pytest.mark.fault(35, 37)
def test_a_boot_in_1970(tmp_path: Path) -> None:
    """Nothing is sent; then NTP sets the clock, and all that arrives has its right time."""
    port = rig.free_port()
    machine = Machine(tmp_path, port)
    machine.set(-time.time())
    with rig.hub(tmp_path / "hub.db", port), machine.runs() as agent:
        machine.polls(50)
        rig.eventually(lambda: machine.place()["held"])
        before, words = machine.place(), tell.status(machine.state())
        machine.set(0)
        machine.ntp.touch()
        machine.polls(50)
        rig.eventually(lambda: machine.place()["sent"] > 100)
        after = tell.status(machine.state())
        rig.stop(agent)
    arrived = rig.held(tmp_path / "hub.db")

    assert before["sent"] == 0
    assert "not known to be right; readings are kept until it is" in words
    assert "held back: the clock has not been right since the machine started" in words
    assert "clock  right since " in after
    assert len(arrived) > 100
    assert error(tmp_path / "hub.db") < FAR_OFF
    assert error(machine.store) < FAR_OFF


@pytest.mark.fault(38, 41)
def test_a_clock_that_is_set_wrong_while_it_runs(tmp_path: Path) -> None:
    """By an hour, and two years; without NTP's word no step is believed."""
    port = rig.free_port()
    machine = Machine(tmp_path, port)
    machine.set(0)
    machine.ntp.touch()
    with rig.hub(tmp_path / "hub.db", port), machine.runs() as agent:
        for wrong in (-3600, 63_115_200):
            machine.polls(10)
            machine.ntp.unlink()
            machine.set(wrong)
            machine.polls(75)
            machine.set(0)
            machine.ntp.touch()
        rig.eventually(lambda: machine.place()["sent"] > 120)
        rig.stop(agent)

    assert len(rig.held(tmp_path / "hub.db")) > 120
    assert error(tmp_path / "hub.db") < FAR_OFF
    assert error(machine.store) < FAR_OFF


@pytest.mark.fault(42)
def test_an_ntp_server_that_is_decades_off(tmp_path: Path) -> None:
    """A time before pilogger was written is not believed, though the kernel calls it right."""
    port = rig.free_port()
    machine = Machine(tmp_path, port)
    machine.set(-30 * 31_557_600)
    machine.ntp.touch()
    with rig.hub(tmp_path / "hub.db", port), machine.runs() as agent:
        machine.polls(50)
        rig.eventually(lambda: machine.place()["held"])
        before = machine.place()["sent"]
        machine.set(0)
        machine.polls(50)
        rig.eventually(lambda: machine.place()["sent"] > 100)
        rig.stop(agent)

    assert before == 0
    assert error(tmp_path / "hub.db") < FAR_OFF


CLIENT = """
import sys
from pilogger.destinations.http import Http
http = Http()
print(http.post(sys.argv[1], b"[]", {}))
http.close()
"""


@pytest.mark.fault(49)
@pytest.mark.parametrize(("off", "said"), [("-30y", "not yet valid"), ("+30y", "has expired")])
def test_a_certificate_that_our_clock_makes_invalid(tmp_path: Path, off: str, said: str) -> None:
    """It is no lock-out but something that passes; nothing is sent, and the clock is named."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10"
        " -subj /CN=hub -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        [*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", tls=TLS(certificate, key)) as hub:
        ended = subprocess.run(
            [sys.executable, "-c", CLIENT, f"{hub.url}/api/events"],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ
            | {
                "LD_PRELOAD": str(LIBRARIES[0]),
                "FAKETIME": off,
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "REQUESTS_CA_BUNDLE": str(certificate),
            },
        )

    assert ended.stdout.startswith("Wait("), ended.stderr
    assert said in ended.stdout
    assert "or the clock of this machine is wrong (" in ended.stdout
