"""The hub: a small server that readings are sent to, and a page that shows them.

server.py        the process: port, store, limits on connections, a clean stop
app.py           the web application: all routes, the headers of every answer
accounts.py      who may write and read
limits.py        what a body may be, before it is kept
initialstate.py  routes of Initial State's events API
live.py          routes of the page, and what it asks for
page/            the page itself
"""

from pilogger.hub.accounts import Account, Accounts
from pilogger.hub.app import create_app
from pilogger.hub.server import Hub, serve

__all__ = ["Account", "Accounts", "Hub", "create_app", "serve"]
