"""RudderStack's Python SDK, on pilogger's store: change the import line, keep the rest.

    import pilogger.rudderstack as rudder_analytics

    rudder_analytics.write_key = "..."
    rudder_analytics.dataPlaneUrl = "http://hub.local:8080"
    rudder_analytics.track("greenhouse", "Watered", {"litres": 2.5})

client.py    the class, with all its options
calls.py     the six calls
message.py   from the arguments of a call to the message that is sent
batches.py   sends what a spool holds, and tells the program what goes wrong

The settings below are those of `Client`; they are read at the first call. What differs from the
original is listed in docs/rudderstack.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pilogger.rudderstack.batches import APIError, OnError
from pilogger.rudderstack.client import MAX_MESSAGE, Client
from pilogger.rudderstack.message import BadCall, TooLarge

__all__ = [
    "APIError", "BadCall", "Client", "TooLarge",
    "alias", "flush", "group", "identify", "join", "page", "screen", "shutdown", "track",
]  # fmt: skip

write_key: str | None = None
dataPlaneUrl: str | None = None  # noqa: N816  # the original's name
host: str | None = None
"""What dataPlaneUrl was called before 2.0."""
on_error: OnError | None = None
debug = False
send = True
sync_mode = False
max_queue_size = 10_000
gzip = True
timeout: float = 15
max_retries = 10
upload_interval: float = 0.5
upload_size = 100
store: str | Path | None = None
max_message_size = MAX_MESSAGE

default_client: Client | None = None
"""Made by the first call from the settings; set it to None to have them read again."""


def identify(*args: Any, **kwargs: Any) -> None:
    """Say who a user is; see `Client.identify`."""
    _client().identify(*args, **kwargs)


def track(*args: Any, **kwargs: Any) -> None:
    """Say what a user did; see `Client.track`."""
    _client().track(*args, **kwargs)


def page(*args: Any, **kwargs: Any) -> None:
    """Say which page a user sees; see `Client.page`."""
    _client().page(*args, **kwargs)


def screen(*args: Any, **kwargs: Any) -> None:
    """Say which screen a user sees; see `Client.screen`."""
    _client().screen(*args, **kwargs)


def group(*args: Any, **kwargs: Any) -> None:
    """Say which group a user belongs to; see `Client.group`."""
    _client().group(*args, **kwargs)


def alias(*args: Any, **kwargs: Any) -> None:
    """Say that a user has another id; see `Client.alias`."""
    _client().alias(*args, **kwargs)


def flush() -> None:
    """Return when the server has everything; see `Client.flush`."""
    _client().flush()


def join() -> None:
    """Let go of files and connections; see `Client.join`."""
    _client().join()


def shutdown() -> None:
    """Flush and join; see `Client.shutdown`."""
    _client().shutdown()


def _client() -> Client:
    global default_client  # noqa: PLW0603  # as in the original, programs may set it
    if default_client is None:
        default_client = Client(
            write_key,
            dataPlaneUrl or host,
            debug=debug,
            max_queue_size=max_queue_size,
            send=send,
            on_error=on_error,
            gzip=gzip,
            max_retries=max_retries,
            sync_mode=sync_mode,
            timeout=timeout,
            upload_size=upload_size,
            upload_interval=upload_interval,
            store=store,
            max_message_size=max_message_size,
        )
    return default_client
