"""The six calls: each says one thing of a user, as a message that is kept or sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pilogger.rudderstack.message import (
    Object,
    Timestamp,
    build,
    check_id,
    check_object,
    check_text,
)

Result = tuple[bool, dict[str, Any]]
"""Whether the message was taken, and the message."""

Id = str | int | float | None


class Calls(ABC):
    """What a program may say, in the original's words and order of arguments."""

    @abstractmethod
    def _take(self, message: dict[str, Any]) -> Result:
        """Take a message that is complete."""

    def identify(  # noqa: PLR0917
        self,
        user_id: Id = None,
        traits: Object | None = None,
        context: Object | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id = None,
        integrations: Object | None = None,
        message_id: object = None,
    ) -> Result:
        """Say who a user is.

        Each call has a `user_id` or an `anonymous_id`, text or a number. `timestamp` is a
        datetime or ISO 8601 text, else now; `integrations` the destinations, by name, to be
        used or not; `message_id` the message's own, else a new UUID.

        Raises:
            BadCall: an argument is of the wrong kind.
            TooLarge: the message is over `max_message_size`.
            StoreError: the disk is full or broken; the message was not taken.
            APIError: in sync_mode; the server refused it, or does not have it yet.
        """
        fields = _who(user_id, anonymous_id)
        context = {**check_object("context", context), "traits": check_object("traits", traits)}
        return self._take(
            build(
                "identify", fields, context=context, timestamp=timestamp,
                integrations=integrations, message_id=message_id,
            )
        )  # fmt: skip

    def track(  # noqa: PLR0917
        self,
        user_id: Id = None,
        event: str | None = None,
        properties: Object | None = None,
        context: Object | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id = None,
        integrations: Object | None = None,
        message_id: object = None,
    ) -> Result:
        """Say what a user did; raises as `identify`."""
        fields = {
            **_who(user_id, anonymous_id),
            "event": check_text("event", event),
            "properties": check_object("properties", properties),
        }
        return self._take(
            build(
                "track", fields, context=context, timestamp=timestamp,
                integrations=integrations, message_id=message_id,
            )
        )  # fmt: skip

    def page(  # noqa: PLR0917
        self,
        user_id: Id = None,
        category: str | None = None,
        name: str | None = None,
        properties: Object | None = None,
        context: Object | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id = None,
        integrations: Object | None = None,
        message_id: object = None,
    ) -> Result:
        """Say which page a user sees; raises as `identify`."""
        return self._view(
            "page", _who(user_id, anonymous_id), category, name, properties, context=context,
            timestamp=timestamp, integrations=integrations, message_id=message_id,
        )  # fmt: skip

    def screen(  # noqa: PLR0917
        self,
        user_id: Id = None,
        category: str | None = None,
        name: str | None = None,
        properties: Object | None = None,
        context: Object | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id = None,
        integrations: Object | None = None,
        message_id: object = None,
    ) -> Result:
        """Say which screen of an app a user sees; raises as `identify`."""
        return self._view(
            "screen", _who(user_id, anonymous_id), category, name, properties, context=context,
            timestamp=timestamp, integrations=integrations, message_id=message_id,
        )  # fmt: skip

    def group(  # noqa: PLR0917
        self,
        user_id: Id = None,
        group_id: Id = None,
        traits: Object | None = None,
        context: Object | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id = None,
        integrations: Object | None = None,
        message_id: object = None,
    ) -> Result:
        """Say which group a user belongs to; raises as `identify`."""
        fields = {
            **_who(user_id, anonymous_id),
            "groupId": check_id("group_id", group_id)[0],
            "traits": check_object("traits", traits),
        }
        return self._take(
            build(
                "group", fields, context=context, timestamp=timestamp,
                integrations=integrations, message_id=message_id,
            )
        )  # fmt: skip

    def alias(  # noqa: PLR0917
        self,
        previous_id: Id = None,
        user_id: Id = None,
        context: Object | None = None,
        timestamp: Timestamp | None = None,
        integrations: Object | None = None,
        message_id: object = None,
    ) -> Result:
        """Say that a user has another id from now on; raises as `identify`."""
        fields = {
            "previousId": check_id("previous_id", previous_id)[0],
            "userId": check_id("user_id", user_id)[0],
            "anonymousId": None,
        }
        return self._take(
            build(
                "alias", fields, context=context, timestamp=timestamp,
                integrations=integrations, message_id=message_id,
            )
        )  # fmt: skip

    def _view(
        self,
        kind: str,
        who: dict[str, str | None],
        category: str | None,
        name: str | None,
        properties: Object | None,
        **common: Any,
    ) -> Result:
        fields = {
            **who,
            "category": check_text("category", category) if category else None,
            "name": check_text("name", name) if name else None,
            "properties": check_object("properties", properties),
        }
        return self._take(build(kind, fields, **common))


def _who(user_id: Id, anonymous_id: Id) -> dict[str, str | None]:
    user, anonymous = check_id("user_id or anonymous_id", user_id, anonymous_id)
    return {"userId": user, "anonymousId": anonymous}
