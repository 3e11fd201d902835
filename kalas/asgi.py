import os

import django
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, WebSocketScope

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kalas.settings")
# Django must be set up before anything below imports models.
django.setup(set_prefix=False)

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import re_path  # noqa: E402

from annotations.routing import websocket_urlpatterns  # noqa: E402
from kalas.lib import request_bodies  # noqa: E402
from kalas.lib.request_threads import ThreadKeepingHandler  # noqa: E402

request_bodies.limit_bodies(longest=settings.REQUEST_MAX_BYTES)


async def refuse_socket(
    scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    """At an unknown address; the router would raise, with a traceback for everybody who asks."""
    await send({"type": "websocket.close", "code": 1000, "reason": None})


sockets = URLRouter([*websocket_urlpatterns, re_path("", refuse_socket)])  # type: ignore[arg-type]
sockets_of_pages = AllowedHostsOriginValidator(AuthMiddlewareStack(sockets))


async def route_socket(
    scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    """Programs send a key and no Origin; whatever comes from a web page must be one of ours."""
    names = {name for name, _value in scope["headers"]}
    is_program = b"authorization" in names and b"origin" not in names
    await (sockets if is_program else sockets_of_pages)(scope, receive, send)


application = ProtocolTypeRouter({"http": ThreadKeepingHandler(), "websocket": route_socket})
