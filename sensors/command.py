"""Any program that prints a value: a sensor in whatever language it was written.

    level:
      driver: command
      run: /usr/local/bin/level --json
      gives: {level: {unit: m, low: 0, high: 12, step: 0.001}, pump: {unit: "1"}}

The program prints one JSON object, `{"level": 3.205, "pump": true}`, or, for a single
channel, just its value. There is no shell: pipes and variables are the program's business.
"""

# quality: bench

from __future__ import annotations

import json
import os
import selectors
import shlex
import signal
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from time import monotonic
from typing import Any

from pilogger.channel import Channel
from pilogger.errors import BadReading, BadValue, NoAnswer
from pilogger.sample import Value, check_value

LONGEST = 65_536  # bytes of output; more is no reading
TAIL = 200  # bytes of the program's complaints that are kept


class Command:
    """Runs a program at each poll, and reads JSON from its output.

    A channel that the program leaves out, or gives as null, is absent from the sample.

    Options:
        run: the program and its arguments, as a list or as one line with shell quoting.
        gives: the channels, each with its unit (a UCUM code) and, if known, low, high and step.
        timeout: seconds that the program may take, more than 0; then it is killed with all
            that it started.
    """

    def __init__(
        self, run: str | list[str], gives: dict[str, Channel], timeout: float = 5.0
    ) -> None:
        self.args = shlex.split(run) if isinstance(run, str) else list(run)
        if not self.args:
            raise ValueError("run names no program")
        if not gives:
            raise ValueError("gives names no channel")
        self.name = Path(self.args[0]).name
        self.gives = dict(gives)
        self.timeout = timeout

    def channels(self) -> dict[str, Channel]:
        return self.gives

    def read(self) -> dict[str, Value]:
        """Run the program once; blocks until it ends or its time is over.

        Raises:
            NoAnswer: it cannot be run, fails, or takes too long.
            BadReading: what it prints is no JSON, too much, or has none of the channels.
        """
        return self._values(self._output())

    def _output(self) -> bytes:
        try:
            process = Popen(
                self.args, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            raise NoAnswer(f"cannot run {self.args[0]}: {error.strerror}") from error
        with process:
            try:
                output, complaint = self._collect(process)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # not reaped yet: the group is still its own
                raise
        if process.returncode:
            said = complaint.decode(errors="replace").strip().rpartition("\n")[2]
            raise NoAnswer(f"{self.name} {_ending(process.returncode)}" + (said and f": {said}"))
        return output

    def _collect(self, process: Popen[bytes]) -> tuple[bytes, bytes]:
        """Read both pipes to their end, within the time and the size that are allowed."""
        deadline = monotonic() + self.timeout
        output, complaint = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            for pipe, kept in ((process.stdout, output), (process.stderr, complaint)):
                assert pipe
                selector.register(pipe, selectors.EVENT_READ, kept)
            while selector.get_map():
                left = deadline - monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    raise self._too_slow()
                for key, _ in ready:
                    chunk = os.read(key.fd, LONGEST)
                    key.data.extend(chunk)
                    if not chunk:
                        selector.unregister(key.fileobj)
                del complaint[:-TAIL]
                if len(output) > LONGEST:
                    raise BadReading(f"{self.name} printed more than {LONGEST} bytes")
        try:
            process.wait(max(deadline - monotonic(), 0))
        except TimeoutExpired:
            raise self._too_slow() from None
        return bytes(output), bytes(complaint)

    def _too_slow(self) -> NoAnswer:
        return NoAnswer(f"{self.name} took longer than {self.timeout:g} s, and was killed")

    def _values(self, output: bytes) -> dict[str, Value]:
        try:
            found = json.loads(output, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise BadReading(f"{self.name} printed no JSON: {output[:40]!r}") from None
        if not isinstance(found, dict):
            if len(self.gives) > 1:
                raise BadReading(f"{self.name} printed one value for {len(self.gives)} channels")
            found = dict.fromkeys(self.gives, found)
        values = {
            name: self._checked(name, found[name])
            for name in self.gives
            if found.get(name) is not None
        }
        if not values:
            raise BadReading(f"{self.name} printed none of: {', '.join(self.gives)}")
        return values

    def _checked(self, name: str, value: object) -> Value:
        try:
            return check_value(value)
        except BadValue as error:
            raise BadReading(f"{self.name} printed a wrong {name}: {error}") from error


def _no_number(constant: str) -> Any:
    """Refuse NaN and Infinity, which Python reads though JSON has no such numbers."""
    raise ValueError(constant)


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"failed with exit status {status}"
