"""Addresses of one view for many objects: Django's `reverse` takes ten times as long for each."""

from functools import cache
from uuid import UUID

from django.urls import get_script_prefix, reverse

_PLACE = str(UUID(int=0))


def build_path(view: str, argument: object) -> str:
    """As `reverse` with this one argument, of which nothing has to be quoted."""
    before, after = _split(view, get_script_prefix())
    return f"{before}{argument}{after}"


@cache
def _split(view: str, script_prefix: str) -> tuple[str, str]:
    before, _, after = reverse(view, args=[_PLACE]).partition(_PLACE)
    return before, after
