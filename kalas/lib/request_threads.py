"""Threads that requests take one after the other.

Django gives each request a thread of its own, which ends with it: with what the thread had made for
itself, such as Django's objects for a database. That costs more than many an answer.
"""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler

# So many wait for the next requests; what more were needed at once end.
MOST_IDLE = 32


class ThreadKeepingHandler(ASGIHandler):
    def __init__(self) -> None:
        super().__init__()
        self._idle: list[ThreadPoolExecutor] = []

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """As the handler does it, but for the thread."""
        if scope["type"] != "http":
            raise ValueError(f"This answers HTTP, not {scope['type']}.")
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, "request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            # Of a client that left, the thread may still be at work.
            thread.submit(_nothing).add_done_callback(lambda _done: self._keep(thread))

    def _keep(self, thread: ThreadPoolExecutor) -> None:
        """Called by the thread itself, once it has nothing else to do."""
        if len(self._idle) < MOST_IDLE:
            self._idle.append(thread)
        else:
            thread.shutdown(wait=False)


def _nothing() -> None: ...
