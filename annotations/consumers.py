import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error as DatabaseError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts import keys, selectors
from accounts.models import Scope, User
from annotations import live

logger = logging.getLogger(__name__)

# Close codes from 4000 on are an application's own. Of the protocol's (1008, 1013) Daphne sends
# none but 1000, and breaks with 1011 in its place.
NOT_LOGGED_IN = 4401
NOT_A_MEMBER = 4403
TOO_MUCH = 4429
TRY_AGAIN = 4503

RECHECK_S = 20.0
# A key that expires or is revoked ends its sockets within 5 s, also where the hint was lost.
RECHECK_KEY_S = 4.0
KEY_SCOPES = {Scope.ANNOTATE.value, Scope.REVIEW.value}
# The pages send nothing; who talks on is cut off.
MOST_MESSAGES = 20
# Of one user or key in this process; each costs a query now and then.
MOST_SOCKETS = 50


class Refused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"Closed with {code}.")
        self.code = code


@dataclass(frozen=True, slots=True)
class Holder:
    """A member or a key, and the shop whose hints it gets."""

    name: str
    tenant_id: UUID


class LiveConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Forwards the hints of the shop that the session works in, or that the key belongs to; the
    rest is fetched by HTTP."""

    holder: Holder | None = None
    group = ""
    watcher: asyncio.Task[None] | None = None
    messages = 0
    counted = ""
    sockets: ClassVar[Counter[str]] = Counter()

    async def __call__(self, *application: Any) -> None:
        try:
            await super().__call__(*application)
        finally:
            self._uncount()

    async def connect(self) -> None:
        # Accepted first: a browser sees the code of a close only on an open socket.
        await self.accept()
        try:
            self.holder = await find_holder(self.scope)
        except DatabaseError:
            await self.close(TRY_AGAIN)
            return
        except Refused as refusal:
            await self.close(refusal.code)
            return
        if self.sockets[self.holder.name] >= MOST_SOCKETS:
            await self.close(TRY_AGAIN)
            return
        self._count(self.holder.name)
        await self._join(live.group_of(self.holder.tenant_id))

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

    def _count(self, name: str) -> None:
        self.counted = name
        self.sockets[name] += 1

    def _uncount(self) -> None:
        if self.counted:
            LiveConsumer.sockets -= Counter([self.counted])  # forgets who has none left
            self.counted = ""

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
            is_key = self.holder is not None and self.holder.name.startswith("key:")
            await asyncio.sleep(RECHECK_KEY_S if is_key else RECHECK_S)
            await self._close_unless_member()

    async def _close_unless_member(self) -> None:
        try:
            holder = await find_holder(self.scope)
        except DatabaseError:  # it is away; the next check tells
            return
        except Refused as refusal:
            await self.close(refusal.code)
            return
        if holder != self.holder:
            await self.close(NOT_A_MEMBER)


@database_sync_to_async  # type: ignore[untyped-decorator]
def find_holder(scope: Mapping[str, Any]) -> Holder:
    """Who has opened the socket, as it is by now. Raises Refused."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return _find_key(value.decode("latin1"))
    return _find_member(scope["session"])


def _find_key(header: str) -> Holder:
    scheme, _space, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Refused(NOT_LOGGED_IN)
    try:
        key = keys.authenticate_key(token=token.strip(), now=timezone.now())
    except keys.KeyRefused as error:
        raise Refused(NOT_LOGGED_IN) from error
    if not KEY_SCOPES.intersection(key.scopes):
        raise Refused(NOT_A_MEMBER)
    return Holder(f"key:{key.id}", key.tenant_id)


def _find_member(session: SessionBase) -> Holder:
    request = HttpRequest()
    # A new store of the same key: the one of the scope keeps what it has once read.
    store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    request.session = store(session.session_key)
    user = get_user(request)
    if not isinstance(user, User) or not user.is_active:
        raise Refused(NOT_LOGGED_IN)
    membership = selectors.pick_membership(
        memberships=selectors.list_memberships(user=user),
        tenant_id=request.session.get(selectors.TENANT_KEY),
    )
    if membership is None:
        raise Refused(NOT_A_MEMBER)
    return Holder(f"user:{user.pk}", membership.tenant_id)
