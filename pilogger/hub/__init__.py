"""The hub: a small server that readings are sent to, and a page that shows them.

server.py        the process: port, store, limits on connections, a clean stop
app.py           the web application: all routes, the headers of every answer
accounts.py      who may write and read
register.py      the file of accounts
limits.py        what a body may be, before it is kept
initialstate.py  routes of Initial State's events API
rudderstack.py   routes of RudderStack's HTTP API
tempodb.py       routes of TempoDB's API
live.py          routes of the page, and what it asks for
page/            the page itself
"""

from pilogger.hub.accounts import Accounts
from pilogger.hub.app import create_app
from pilogger.hub.register import Account
from pilogger.hub.server import TLS, Hub, serve

__all__ = ["TLS", "Account", "Accounts", "Hub", "create_app", "serve"]
