"""Where a drop-in client keeps what it was given, until the server has it.

Each process writes a store file of its own, below the user's state folder:

    ~/.local/state/pilogger/<kind>/<hash of the target>/<when it was made>-<process>.db

The store's lock says that its process lives. A file whose lock is free is an *orphan*: its
process ended, or was killed, before everything was delivered. Who starts goes on with the
oldest orphan as its own file, and sends what the others hold, oldest first; so a script that
ends while the server is down may end at once. Who runs for long looks for orphans now and
then. What is kept survives kill -9 at once, and a power cut after a second at the latest.

client.py    what a client sees: keep this, send it now, close
sender.py    one file, and the uploader that empties it
orphans.py   sends what processes kept that are gone
process.py   one process among others: opening files, forks, the end
"""

from pilogger.spool.client import Spool, state_folder
from pilogger.spool.sender import DURABILITY_S, Make, Observer

__all__ = ["DURABILITY_S", "Make", "Observer", "Spool", "state_folder"]
