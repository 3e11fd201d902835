"""Photos that lie at an address somebody gave."""

from django.conf import settings

from kalas.lib import safe_http
from kalas.lib.request_failures import RequestFailed
from kalas.lib.safe_http import Policy

MOST_REDIRECTS = 4
# AVIF takes longest to read: servers that have a choice are asked for the others.
_ACCEPT = {
    "Accept": "image/webp,image/png,image/jpeg,image/gif,image/bmp,image/avif;q=0.6,image/*;q=0.5"
}
# Also of the kinds that are refused later with words of their own, such as HEIC.
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")


def fetch_image(
    *, url: str, policy: Policy | None = None, hosts: frozenset[str] | None = None
) -> bytes:
    """The bytes at this address, which begin as a photo does; raises RequestFailed.

    Where `hosts` are given only these are asked, with their subdomains. Takes up to
    `settings.OUTBOUND_DEADLINE_S` and `settings.UPLOAD_MAX_BYTES`.
    """
    policy = policy or safe_http.read_policy(
        max_bytes=settings.UPLOAD_MAX_BYTES, redirects=MOST_REDIRECTS, hosts=hosts
    )
    answer = safe_http.send(
        method="GET", url=url, policy=policy, headers=_ACCEPT, check_start=_check_start
    )
    return answer.body


def _check_start(status: int, start: bytes) -> None:
    if status != 200:
        raise RequestFailed("status", status=status)
    if not looks_like_image(start):
        raise RequestFailed("not-an-image")


def looks_like_image(start: bytes) -> bool:
    """By its first bytes, whatever its server says about it."""
    return (
        start.startswith(_STARTS)
        or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
        or start[4:8] == b"ftyp"
    )
