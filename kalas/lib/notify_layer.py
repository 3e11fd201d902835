"""A channel layer on PostgreSQL's LISTEN and NOTIFY, for hints of a few hundred bytes.

Nothing is stored: who isn't connected misses the hint and reads the state when it comes back.
When the listening connection was lost, every channel that is in a group gets a message of type
`layer.restored`, because hints may have been missed; a consumer answers by closing its socket,
so that the page connects again and refetches.
"""

import asyncio
import json
import logging
import uuid
from collections import defaultdict
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from asgiref.sync import sync_to_async
from channels.layers import BaseChannelLayer
from django.db import connections

logger = logging.getLogger(__name__)

NOTIFY_CHANNEL = "kalas_channel_layer"
LONGEST_PAYLOAD = 7999
_NOTIFY = "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload"
_QUICKLY = ", set_config('synchronous_commit', 'off', true)"
RESTORED = {"type": "layer.restored"}


class MessageTooLong(ValueError):
    """The message doesn't fit into a NOTIFY; send an id and let the receiver read the rest."""


class NotifyChannelLayer(BaseChannelLayer):  # type: ignore[misc]
    extensions = ("groups",)

    def __init__(
        self, *, alias: str = "default", capacity: int = 100, start_timeout_s: float = 5
    ) -> None:
        super().__init__(capacity=capacity)
        self.alias = alias
        self.start_timeout_s = start_timeout_s
        self._listeners: WeakKeyDictionary[asyncio.AbstractEventLoop, _Listener] = (
            WeakKeyDictionary()
        )

    async def new_channel(self, prefix: str = "specific") -> str:
        channel = f"{prefix}.{uuid.uuid4().hex}"
        self._listener().open_channel(channel)
        return channel

    async def receive(self, channel: str) -> dict[str, Any]:
        queue = self._listener().open_channel(channel)
        try:
            return await queue.get()
        except asyncio.CancelledError:
            # Channels cancels this exactly once, when the channel's consumer ends.
            self._listener().close_channel(channel)
            raise

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Raises MessageTooLong."""
        await sync_to_async(self._notify)({"channel": channel, "message": message})

    async def group_add(self, group: str, channel: str) -> None:
        """Return when hints for the group arrive; raises TimeoutError without a database."""
        listener = self._listener()
        await asyncio.wait_for(listener.ready.wait(), self.start_timeout_s)
        listener.open_channel(channel)
        listener.groups[group].add(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self._listener().leave(group, channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Sent with the running transaction of the calling thread, if there is one.

        Raises MessageTooLong.
        """
        await sync_to_async(self.group_send_now)(group, message)

    def group_send_now(self, group: str, *messages: dict[str, Any]) -> None:
        """The same for code that is not asynchronous, without a detour over an event loop, and for
        any number of messages in one query."""
        self._notify(*({"group": group, "message": message} for message in messages))

    def _notify(self, *envelopes: dict[str, Any]) -> None:
        payloads = [json.dumps(envelope, separators=(",", ":")) for envelope in envelopes]
        longest = max(len(payload.encode()) for payload in payloads)
        if longest > LONGEST_PAYLOAD:
            raise MessageTooLong(f"{longest} bytes")
        connection = connections[self.alias]
        # Nobody waits for the disk because of a hint; a running transaction may hold more than it.
        notify = _NOTIFY if connection.in_atomic_block else _NOTIFY + _QUICKLY
        with connection.cursor() as cursor:
            cursor.execute(notify, [NOTIFY_CHANNEL, payloads])

    def _listener(self) -> "_Listener":
        loop = asyncio.get_running_loop()
        listener = self._listeners.get(loop)
        if listener is None:
            listener = self._listeners[loop] = _Listener(alias=self.alias, capacity=self.capacity)
        listener.ensure_running()
        return listener


class _Listener:
    """The channels of one event loop and the task that fills their queues."""

    def __init__(self, *, alias: str, capacity: int) -> None:
        self.alias = alias
        self.capacity = capacity
        self.queues: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self.groups: defaultdict[str, set[str]] = defaultdict(set)
        self.ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def ensure_running(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen_for_ever())

    def open_channel(self, channel: str) -> asyncio.Queue[dict[str, Any]]:
        return self.queues.setdefault(channel, asyncio.Queue(self.capacity))

    def close_channel(self, channel: str) -> None:
        self.queues.pop(channel, None)
        for group in [name for name, members in self.groups.items() if channel in members]:
            self.leave(group, channel)

    def leave(self, group: str, channel: str) -> None:
        if members := self.groups.get(group):
            members.discard(channel)
            if not members:
                del self.groups[group]

    async def _listen_for_ever(self) -> None:
        pause_s = 0.1
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                if self.ready.is_set():
                    logger.warning("The channel layer lost the database: %s", error)
                    self.ready.clear()
                    pause_s = 0.1
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 2)

    async def _listen(self) -> None:
        parameters = connections[self.alias].get_connection_params()
        for name in ("cursor_factory", "context"):  # these belong to Django's own cursors
            parameters.pop(name, None)
        connection = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
            self.ready.set()
            for channel in set().union(*self.groups.values()):
                self._deliver(channel, RESTORED)
            async for notification in connection.notifies():
                self._dispatch(json.loads(notification.payload))

    def _dispatch(self, envelope: dict[str, Any]) -> None:
        if "group" in envelope:
            channels = tuple(self.groups.get(envelope["group"], ()))
        else:
            channels = (envelope["channel"],)
        for channel in channels:
            self._deliver(channel, envelope["message"])

    def _deliver(self, channel: str, message: dict[str, Any]) -> None:
        queue = self.queues.get(channel)
        if queue is None:
            return
        try:
            queue.put_nowait(message)
        except asyncio.QueueFull:
            # Its consumer has stopped reading: the page's own poll is its net.
            logger.warning("A channel was dropped with %d messages unread", self.capacity)
            with suppress(KeyError):
                self.close_channel(channel)
