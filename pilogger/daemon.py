"""What the service manager starts: an agent, told by signals, watched by a watchdog.

SIGTERM and SIGINT stop it, SIGHUP has it read its config again. READY means that the store
is writable (opening it has committed something) and that sensors are polled; nothing waits
for a network, a clock or a sensor. The watchdog is fed as long as every thread without
which nothing is logged keeps its promises (`Pulse`).
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
from pathlib import Path
from threading import Event, Thread

from pilogger import tell
from pilogger.agent import Agent
from pilogger.clock import SystemClock
from pilogger.config import Settings, load, sealed, store_path
from pilogger.errors import ConfigError, PiloggerError, StoreBroken
from pilogger.pulse import Pulse
from pilogger.service import Service
from pilogger.stopping import STOP, Signals
from pilogger.store.connection import Lock
from pilogger.suspects import Suspects

log = logging.getLogger("pilogger")

SWITCH_S = 0.001  # the longest that a poll which is due waits for a thread that computes


def run(config: Path) -> None:
    """Log what a config says until SIGTERM or SIGINT.

    Raises:
        ConfigError: the config describes no logger.
        StoreError: the store cannot be opened.
    """
    sys.setswitchinterval(SWITCH_S)
    faulthandler.enable(2)  # what the watchdog ends, or a driver in C, leaves a trace
    settings, drivers = first_load(config)
    service = Service()
    signals = Signals(signal.SIGHUP, *STOP)
    with service.starting("opening the store"):
        agent = Agent(settings)
        agent.start()
    try:
        service.ready()
        Daemon(agent, config, service, drivers).attend(signals)
        service.stopping()
        log.info("stopping")
    finally:
        agent.stop()
    if agent.complete:
        if drivers:
            drivers.close()
        log.info("stopped; everything is stored")


def first_load(config: Path) -> tuple[Settings, Suspects | None]:
    """Read the config; drivers that killed the process each time they were loaded are left out.

    The marks are those of the process with the store's lock, so that is taken meanwhile.
    """
    try:
        store = store_path(config).resolve()
        lock = Lock(store)
    except (ConfigError, StoreBroken):  # told by what comes next; or there is no folder yet
        return load(config), None
    try:
        drivers = Suspects(store, SystemClock(), "drivers")
        return load(config, drivers), drivers
    finally:
        lock.release()


class Daemon:
    """An agent between its signals and its service manager."""

    def __init__(
        self, agent: Agent, config: Path, service: Service, drivers: Suspects | None
    ) -> None:
        self._agent = agent
        self._config = config
        self._service = service
        self._drivers = drivers
        self._sealed = sealed(config.parent)
        self._note = ""  # what the last reload came to, if a person should know
        self._stuck = ""
        self._pulse = Pulse("main")

    def attend(self, signals: Signals) -> None:
        """Feed the watchdog, tell the status and reload when asked, until asked to stop."""
        hangs_up = os.isatty(0)  # a terminal that is closed says SIGHUP too, and means the end
        done = Event()
        feeder = Thread(target=self._feed, args=(done,), name="watchdog", daemon=True)
        feeder.start()
        try:
            while True:
                self._pulse.beat()
                self._tell()
                self._pulse.beat(self._service.look)
                caught = signals.wait(self._service.look)
                self._pulse.beat()
                if caught is signal.SIGHUP and not hangs_up:
                    self._reload()
                elif caught:
                    return
                else:
                    self._agent.tend()
        finally:
            self._pulse.end()
            done.set()
            feeder.join()

    def _feed(self, done: Event) -> None:
        """Feed the watchdog while all is well; in a thread that waits for nothing else."""
        while True:
            pulses = (*self._agent.pulses, self._pulse)
            stuck = ", ".join(pulse.name for pulse in pulses if pulse.stopped)
            if stuck != self._stuck:
                log.error("no sign of life: %s", stuck) if stuck else log.warning("all moves again")
            self._stuck = stuck
            if stuck:
                self._service.status(f"no sign of life: {stuck}")
            else:
                self._service.ping()
            if done.wait(self._service.look):
                return

    def _tell(self) -> None:
        """Say how it goes; a disk that stalls can make that take a while."""
        try:
            said = tell.summary(self._agent.state())
        except Exception as error:  # of a card that dies, perhaps: no reason to stop logging
            said = f"the status cannot be told: {error}"
        if behind := self._agent.behind:
            said += f"; the config is not all in force yet: {behind}"
        if not self._stuck:
            self._service.status(f"{said}; {self._note}" if self._note else said)

    def _reload(self) -> None:
        """Read the config again; one that cannot be used changes nothing."""
        self._service.reloading()
        self._service.status("reading the config again")
        try:
            if self._drivers:
                self._drivers.forgive()
            self._note = self._agent.reload(load(self._config, self._drivers))
        except PiloggerError as error:
            log.error("the old config stays: %s", error)  # noqa: TRY400 - sentences, no trace
            self._note = f"the old config stays: {str(error).splitlines()[0]}"
        else:
            if sealed(self._config.parent) != self._sealed:
                more = "what changed in secrets.yaml will hold after a restart"
                self._note = f"{self._note}; {more}" if self._note else more
            log.info("read %s again%s", self._config, f"; {self._note}" if self._note else "")
        self._service.ready()
