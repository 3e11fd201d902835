import asyncio
import logging
from collections import Counter
from typing import Any, ClassVar

import psycopg
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error as DatabaseError
from django.http import HttpRequest
from django.utils.module_loading import import_string

from accounts import selectors
from accounts.models import Membership, User
from annotations import live

logger = logging.getLogger(__name__)

# Close codes from 4000 on are an application's own.
NOT_LOGGED_IN = 4401
NOT_A_MEMBER = 4403
TRY_AGAIN = 1013
TOO_MUCH = 1008

RECHECK_S = 20.0
# The pages send nothing; who talks on is cut off.
MOST_MESSAGES = 20
# Of one user in this process; each costs a query now and then.
MOST_SOCKETS = 50


class LiveConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Forwards the hints of the shop that the session works in; pages fetch the rest by HTTP."""

    membership: Membership | None = None
    group = ""
    watcher: asyncio.Task[None] | None = None
    messages = 0
    counted: int | None = None
    sockets: ClassVar[Counter[int]] = Counter()

    async def __call__(self, *application: Any) -> None:
        try:
            await super().__call__(*application)
        finally:
            self._uncount()

    async def connect(self) -> None:
        # Accepted first: a browser sees the code of a close only on an open socket.
        await self.accept()
        try:
            user, self.membership = await find_membership(self.scope["session"])
        except DatabaseError:
            await self.close(TRY_AGAIN)
            return
        if user is None or self.membership is None:
            await self.close(NOT_A_MEMBER if user else NOT_LOGGED_IN)
            return
        if self.sockets[user.pk] >= MOST_SOCKETS:
            await self.close(TRY_AGAIN)
            return
        self._count(user)
        await self._join(live.group_of(self.membership.tenant_id))

    async def disconnect(self, code: int) -> None:
        if self.watcher:
            self.watcher.cancel()
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.messages += 1
        if self.messages > MOST_MESSAGES:
            await self.close(TOO_MUCH)

    async def forward_hint(self, event: dict[str, Any]) -> None:
        """A message of the group (see `live`)."""
        hint: live.Hint = event["hint"]
        if hint["type"] == "membership":
            await self._close_unless_member()
        else:
            await self.send_json(hint)

    async def layer_restored(self, event: dict[str, Any]) -> None:
        """Hints may have been missed: the page connects anew and fetches what it shows."""
        await self.close(TRY_AGAIN)

    def _count(self, user: User) -> None:
        self.counted = user.pk
        self.sockets[user.pk] += 1

    def _uncount(self) -> None:
        if self.counted is not None:
            LiveConsumer.sockets -= Counter([self.counted])  # forgets who has none left
            self.counted = None

    async def _join(self, group: str) -> None:
        try:
            await self.channel_layer.group_add(group, self.channel_name)
        except (TimeoutError, OSError, psycopg.Error, DatabaseError) as error:
            logger.warning("A live page could not join its group: %s", error)
            await self.close(TRY_AGAIN)
            return
        self.group = group
        self.watcher = asyncio.create_task(self._watch_membership())

    async def _watch_membership(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_S)
            await self._close_unless_member()

    async def _close_unless_member(self) -> None:
        try:
            user, membership = await find_membership(self.scope["session"])
        except DatabaseError:  # it is away; the next check tells
            return
        if user is None:
            await self.close(NOT_LOGGED_IN)
        elif membership != self.membership:
            await self.close(NOT_A_MEMBER)


@database_sync_to_async  # type: ignore[untyped-decorator]
def find_membership(session: SessionBase) -> tuple[User | None, Membership | None]:
    """Who the session belongs to by now, and the shop that it works in."""
    request = HttpRequest()
    # A new store of the same key: the one of the scope keeps what it has once read.
    store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    request.session = store(session.session_key)
    user = get_user(request)
    if not isinstance(user, User) or not user.is_active:
        return None, None
    membership = selectors.pick_membership(
        memberships=selectors.list_memberships(user=user),
        tenant_id=request.session.get(selectors.TENANT_KEY),
    )
    return user, membership
