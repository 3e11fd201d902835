"""Addresses of thumbnails that anybody may open for a day or two: for pages of shops, whose
visitors have neither a key nor a session. Who may search gets them with what was found."""

from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing

from kalas.lib import paths

LIFETIME = timedelta(days=2)
_DAY_0 = date(2026, 1, 1).toordinal()
_signer = signing.Signer(salt="retrieval.thumbnails", sep="~")


class Expired(Exception):
    """The address was made by nobody here, or too long ago."""


def build_address(image_id: UUID, *, now: datetime) -> str:
    return f"{settings.PUBLIC_URL.rstrip('/')}{build_path(image_id, now=now)}"


def build_path(image_id: UUID, *, now: datetime) -> str:
    """The same all day, so that browsers ask once."""
    last_day = (now + LIFETIME).toordinal() - _DAY_0
    return paths.build_path("shown_thumbnail", _signer.sign(f"{image_id.hex}-{last_day}"))


def read_token(token: str, *, now: datetime) -> UUID:
    """Whose thumbnail it is. Raises Expired."""
    try:
        image_id, last_day = _signer.unsign(token).split("-")
        if now.toordinal() - _DAY_0 > int(last_day):
            raise Expired
        return UUID(image_id)
    except (signing.BadSignature, ValueError) as error:
        raise Expired from error
