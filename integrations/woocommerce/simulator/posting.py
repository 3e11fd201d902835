"""How the simulated store sends what it tells."""

import urllib.error
import urllib.request
from typing import Any


def post(url: str, body: bytes, headers: dict[str, str], *, timeout_s: float) -> int:
    """The status; redirects are not followed. 0 where there is no answer."""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None
