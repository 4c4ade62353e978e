"""The whole job on one machine: real and simulated sensors, a store, an uploader, a hub.

Nothing is faked but two sensors: the hub is another process, and readings reach it over
HTTP, in the protocol and through the code that any logger uses.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp

import click
import requests

from pilogger import series
from pilogger.agent import Agent
from pilogger.config import Settings, from_dict
from pilogger.errors import PiloggerError
from pilogger.screen import Screen
from pilogger.status import State, read
from pilogger.stopping import STOP, Signals
from pilogger.store import open_reader
from pilogger.words import plural

DRAIN_S = 2.0
HUB_STOPS_S = 4.0
REFRESH_S = 1.0
PR_SET_PDEATHSIG = 1
HUB = "PILOGGER_HUB_"


def run(folder: Path | None, port: int, duration: float | None, *, as_json: bool) -> int:
    """Run for `duration` seconds, or until Ctrl-C; tell what came of it.

    Returns the exit code: 0 when every reading can be accounted for.

    Raises:
        PiloggerError: the hub or the store does not start.
    """
    stop = Signals(*STOP, signal.SIGHUP)  # a terminal that is closed: end cleanly, too
    os.environ["no_proxy"] = "127.0.0.1"
    folder = folder.resolve() if folder else Path(mkdtemp(prefix="pilogger-demo-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PiloggerError(f"{folder} cannot be made: {error.strerror}") from error
    end = None if duration is None else time.monotonic() + duration
    with _hub(folder, port) as page:
        agent = Agent(_settings(folder, page))
        before = _stored(folder / "pilogger.db")
        agent.start()
        try:
            with Screen(quiet=as_json) as screen:
                while not stop.wait(_pause(end)):
                    if end is not None and time.monotonic() >= end:
                        break
                    screen.show(_now(agent.state(), page))
        finally:
            agent.stop(DRAIN_S)
        counts = _account(folder, before + agent.scheduler.taken, page)
    click.echo(json.dumps(counts) if as_json else _end(counts))
    return 0 if _adds_up(counts) else 1


def _pause(end: float | None) -> float:
    return REFRESH_S if end is None else max(0.0, min(REFRESH_S, end - time.monotonic()))


def _settings(folder: Path, hub: str) -> Settings:
    return from_dict(
        {
            "device": "demo",
            "sensors": {
                "machine": {"driver": "system", "every": "1s"},
                "sine": {
                    "driver": "simulated",
                    "every": "1s",
                    "low": 18.0,
                    "high": 24.0,
                    "period": 60,
                    "unit": "Cel",
                },
                "walk": {
                    "driver": "simulated",
                    "every": "1s",
                    "shape": "walk",
                    "low": 30.0,
                    "high": 60.0,
                    "period": 300,
                    "unit": "%",
                },
            },
            "destinations": [
                {
                    "type": "initialstate",
                    "name": "hub",
                    "bucket": {"key": "demo", "name": "This machine"},
                    "access_key": "demo",
                    "base_url": hub,
                }
            ],
            "store": {"path": str(folder / "pilogger.db")},
            "clock": {"trust": "system"},
        }
    )


@contextmanager
def _hub(folder: Path, port: int) -> Iterator[str]:
    """Run a hub as a process of its own; gives its address."""
    # -P: a file uuid.py in the present folder is not meant.
    command = [sys.executable, "-P", "-m", "pilogger", "hub", "--port", str(port)]
    environment = {name: text for name, text in os.environ.items() if not name.startswith(HUB)}
    with (folder / "hub.log").open("w+") as said:
        process = subprocess.Popen(
            [*command, "--store", str(folder / "hub.db")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment,  # an open hub, whatever account another one has
            text=True,
            start_new_session=True,  # Ctrl-C is for the logger first: it has readings to send
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - no other thread runs yet
        )
        assert process.stdout is not None
        try:
            if not (line := process.stdout.readline()):
                said.seek(0)
                raise PiloggerError(f"the hub does not start: {said.read().strip()}")
            yield line.split()[-1]
        finally:
            process.terminate()
            try:
                process.wait(HUB_STOPS_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _end_with_parent() -> None:
    """Have the kernel end the hub, should the demo be killed; prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _stored(store: Path) -> int:
    if not store.exists():
        return 0
    with closing(open_reader(store)) as reader:
        return series.count(reader)


def _account(folder: Path, taken: int, page: str) -> State:
    """Count every reading at each place: this run's, and earlier ones' in the same folder."""
    state = read(folder / "pilogger.db")
    (place,) = state["destinations"]
    return {
        "taken": taken,
        "stored": state["store"]["readings"],
        "uploaded": place["sent"],
        "pending": place["pending"],
        "refused": place["refused"],
        "hub": _held(page),
        "dir": str(folder),
        "page": page,
    }


def _held(page: str) -> int | None:
    """Ask the hub how many readings it holds; None if it does not answer."""
    try:
        answer = requests.get(f"{page}/api/health", timeout=5)
        return int(answer.json()["readings"])
    except (requests.RequestException, ValueError, KeyError):
        return None


def _adds_up(counts: State) -> bool:
    return bool(
        counts["taken"] == counts["stored"]
        and counts["stored"] == counts["uploaded"] + counts["pending"] + counts["refused"]
        and counts["hub"] == counts["uploaded"] > 0
    )


def _now(state: State, page: str) -> str:
    """Tell what the demo does at this moment, in a few calm lines."""
    (place,) = state["destinations"]
    good = sum(sensor["status"] == "ok" for sensor in state["sensors"])
    return "\n".join(
        [
            f"pilogger demo   {page}   (Ctrl-C stops)",
            "",
            f"  sensors   {good} of {len(state['sensors'])} giving readings",
            f"  stored    {plural(state['store']['stored'], 'reading')}",
            f"  queue     {place['pending']:,}",
            f"  sent      {place['sent']:,}" + (f"   {place['why']}" if place.get("why") else ""),
        ]
    )


def _end(counts: State) -> str:
    """Tell what the demo leaves behind."""
    found = counts["hub"]
    hub = "the hub does not answer" if found is None else f"the hub holds {found:,}"
    return (
        f"{plural(counts['taken'], 'reading')} taken, {counts['stored']:,} stored, "
        f"{counts['uploaded']:,} sent, {counts['pending']:,} waiting, "
        f"{counts['refused']:,} refused; {hub}.\n"
        f"Kept in {counts['dir']}: pilogger.db is the logger's store, hub.db the hub's.\n"
        f"Go on with: {sys.argv[0]} demo --dir {counts['dir']}"
    )
