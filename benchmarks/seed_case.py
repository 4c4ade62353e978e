"""One client in trouble: its programs, its hub, and the server between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

from between import Act, Between, Handler, ask_hub, between, hang_up, relay
from common import free_port

from pilogger.hub import Account, Accounts, Hub
from pilogger.series import History, find
from pilogger.store import open_reader

KEY, SECRET = "key", "secret"
PROGRAMS = Path(__file__).with_name("seed_programs.py")
EVER = 2**62  # nanoseconds
LOOK_S = 0.05
KILL_S = 10.0


class Result(NamedTuple):
    """A line of the table; times in seconds."""

    sent: int
    arrived: int
    told: int
    twice: int
    twice_at_hub: int
    last: float | None
    exit: float
    threads: int


class Case:
    """A hub, and a port before it, which is closed at first.

    `mark` is when `up` was last called, on the monotonic clock.
    """

    def __init__(self, client: str, folder: Path, watch: float) -> None:
        self.client = client
        self.mark = time.monotonic()
        self._folder = folder
        self._watch = watch
        self._port = free_port()
        self._server: Between | None = None
        self._open = ExitStack()
        self._hub = Hub("127.0.0.1", 0, folder / "hub.db", Accounts([Account("", KEY, SECRET)]))
        self._arrivals: list[tuple[float, int]] = []  # when a number was stored, and which
        self._programs: list[Program] = []

    def __enter__(self) -> Case:
        self._hub.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs:
            program.kill()
        self._open.close()
        self._hub.__exit__()

    # -- the programs ----------------------------------------------------------------------

    def start(
        self, count: int, rate: float = 0, *, end: str = "close", key: str = KEY, store: str = ""
    ) -> Program:
        """Start a program; see `seed_programs` for what it is told."""
        options = [f"http://127.0.0.1:{self._port}", key, str(count), str(rate), end]
        program = Program([self.client, *options, *([store] if store else [])], self._folder)
        self._programs.append(program)
        return program

    def end(self, program: Program) -> None:
        """Let it end when it has logged; each may take `watch` seconds, then it is killed."""
        program.logged.wait(self._watch)
        program.end(self._watch)

    def kill(self, program: Program) -> None:
        """SIGKILL when it has logged, or could have."""
        program.logged.wait(KILL_S)
        program.kill()

    def again(self, store: str = "") -> None:
        """Start a program that logs nothing; what comes now is what the first one left."""
        self.end(self.start(0, store=store))

    def left(self) -> str:
        """Name the file that holds what was not sent, if there is one."""
        return next(map(str, self._folder.glob("home/pilogger/*/*/*.db")), "")

    # -- the server ------------------------------------------------------------------------

    def up(self, act: Act | None = None) -> None:
        """Open the port; `act` is what is done there, and that is to `store` by default."""
        if self._server is None:
            self._server = self._open.enter_context(between(self._hub, self._port))
        self._server.act = act or self.store
        self.mark = time.monotonic()

    def down(self) -> None:
        """Close the port, and each connection with its next request."""
        if self._server:
            self._server.act = hang_up
            self._open.close()
            self._server = None

    def store(self, handler: Handler) -> None:
        """Do what the client wants."""
        if relay(handler) < 300:
            self._note(handler)

    def store_and_hang_up(self, handler: Handler) -> None:
        """Lose the answer to the first events; all is well after that."""
        if handler.path == "/api/buckets":
            relay(handler)
            return
        self.up()
        ask_hub(handler)
        self._note(handler)
        handler.close_connection = True

    def _note(self, handler: Handler) -> None:
        now = time.monotonic()
        self._arrivals += [(now, number) for number in numbers(handler)]

    # -- what came of it -------------------------------------------------------------------

    def result(self) -> Result:
        wire = Counter(number for _, number in self._arrivals)
        held = self._held()
        late = [moment - self.mark for moment, _ in self._arrivals if moment > self.mark]
        return Result(
            sent=sum(program.sent for program in self._programs),
            arrived=len(held),
            told=sum(program.told for program in self._programs),
            twice=wire.total() - len(wire),
            twice_at_hub=held.total() - len(held),
            last=max(late, default=None),
            exit=self._programs[0].exit,
            threads=max(program.threads for program in self._programs),
        )

    def _held(self) -> Counter[int]:
        """Count each number in the hub's store."""
        with closing(open_reader(self._hub.store.path)) as db:
            history = History(db)
            return Counter(
                int(value) for one in find(db) for _, _, value in history.read(one.id, 0, EVER)
            )


def numbers(handler: Handler) -> list[int]:
    """Read which numbers a request holds."""
    found: Any = json.loads(handler.plain())
    if handler.path == "/api/events":
        return [event["value"] for event in found]
    if handler.path == "/v1/batch":
        properties = [message["properties"] for message in found["batch"]]
        return [it["n"] for it in properties if "n" in it]
    return [point["v"] for point in found] if handler.path == "/v1/series/key/n/data/" else []


class Program:
    """A program of a client, which is watched while it runs."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        home = folder / "home"
        home.mkdir(exist_ok=True)
        with (folder / "said").open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(PROGRAMS), *arguments],
                cwd=home,
                env=os.environ | {"HOME": str(home), "XDG_STATE_HOME": str(home)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        self.sent = 0
        self.told = 0
        self.threads = 1
        self.exit = 0.0
        self.logged = Event()
        self._watcher = Thread(target=self._look)
        self._listener = Thread(target=self._listen)
        self._watcher.start()
        self._listener.start()

    def end(self, timeout: float) -> None:
        """Let it end; SIGKILL comes after `timeout` seconds."""
        assert self._process.stdin
        start = time.monotonic()
        with suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.stdin.write("end\n")
            self._process.stdin.flush()
            self._process.wait(timeout)
        self.kill()
        self.exit = time.monotonic() - start

    def kill(self) -> None:
        """End it by SIGKILL, if it has not ended yet."""
        assert self._process.stdin
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._watcher.join()
        self._listener.join()

    def _listen(self) -> None:
        assert self._process.stdout
        with self._process.stdout as said:
            for line in said:
                match line.split():
                    case ["sent", count]:
                        self.sent = int(count)
                    case ["told", count]:
                        self.told = int(count)
                    case ["logged"]:
                        self.logged.set()
        self.logged.set()

    def _look(self) -> None:
        tasks = Path("/proc", str(self._process.pid), "task")
        while self._process.poll() is None:
            with suppress(OSError):
                self.threads = max(self.threads, len([*tasks.iterdir()]))
            time.sleep(LOOK_S)
