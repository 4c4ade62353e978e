"""How soon readings leave when a link is back after a long outage; needs root, for networks.

    python benchmarks/link.py [--outage 600] [--rounds 4]

Each round is a logger and a hub in a network of their own, whose only address goes and comes
back: with the kernel's word that it did, and without, where a pause has to end by itself. All
rounds sleep through their outage at the same time.
"""

from __future__ import annotations

import argparse
import logging
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from common import line_by_line, machine

from pilogger.agent import Agent
from pilogger.config import load
from pilogger.hub import Account, Accounts, Hub

ADDRESS = "192.0.2.1"
CONFIG = """
sensors: {s: {driver: simulated, every: 1s}}
store: {path: pilogger.db}
clock: {trust: system}
destinations:
  - {type: initialstate, access_key: key, bucket: {key: link}, base_url: "%s"}
"""
LOOK_S = 0.01


def sent(agent: Agent) -> int:
    (found,) = agent.parts.destinations()
    count: int = found["sent"]
    return count


def address(what: str) -> None:
    subprocess.run(["ip", "address", what, f"{ADDRESS}/32", "dev", "lo"], check=True)


def outage(folder: Path, seconds: float) -> float:
    """Live through an outage; return the seconds from its end to the first reading sent."""
    logging.disable()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    address("add")
    config = folder / "pilogger.yaml"
    with Hub(ADDRESS, 0, folder / "hub.db", Accounts([Account("", "key")])) as hub:
        config.write_text(CONFIG % hub.url)
        with Agent(load(config)) as agent:
            while not sent(agent):
                time.sleep(LOOK_S)
            address("del")
            time.sleep(seconds)
            before = sent(agent)
            began = time.monotonic()
            address("add")
            while sent(agent) == before:
                time.sleep(LOOK_S)
            return time.monotonic() - began


def rounds(number: int, seconds: float, *how: str) -> list[subprocess.Popen[str]]:
    command = ["unshare", "--net", sys.executable, __file__, "--outage", str(seconds), "--inside"]
    return [
        subprocess.Popen([*command, *how], stdout=subprocess.PIPE, text=True) for _ in range(number)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="How soon do readings leave over a link?")
    parser.add_argument("--outage", type=float, default=600, help="seconds")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--untold", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        if options.untold:
            vars(socket)["AF_NETLINK"] = -1  # as in a sandbox without it
        with tempfile.TemporaryDirectory() as folder:
            print(outage(Path(folder), options.outage))
        return

    line_by_line()
    print(machine())
    running = {
        "the kernel tells": rounds(options.rounds, options.outage),
        "nobody tells": rounds(options.rounds, options.outage, "--untold"),
    }
    for how, processes in running.items():
        took = [float(process.communicate()[0]) for process in processes]
        print(f"{how:18} first upload: {median(took):.2f} s, at most {max(took):.2f} s")


if __name__ == "__main__":
    main()
