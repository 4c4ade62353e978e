"""Initial State's Python streamer, on pilogger's store: change the import line, keep the rest.

    from pilogger.initialstate import Streamer

    with Streamer(bucket_name="Greenhouse", bucket_key="green", access_key="...") as streamer:
        streamer.log("temperature", 21.5)

streamer.py  the class
settings.py  isstreamer.ini
fields.py    what `log_object` finds in an object, and what a value may be
buckets.py   sends what a spool holds, each event to its bucket

It follows the documentation of `ISStreamer` 2.0.0, also where that program does not; the
differences are listed in docs/initialstate.md.
"""

from pilogger.initialstate.streamer import NotDelivered, Streamer

__all__ = ["NotDelivered", "Streamer"]
