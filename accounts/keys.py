"""API keys: made, replaced, revoked, and recognised.

A key is the shop's, not its maker's: programs do not stop when a person leaves. The developers'
page says of which keys the maker has gone.
"""

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import Model

from accounts import signals
from accounts.models import ApiKey, Membership, Scope, Tenant, User, hash_token
from accounts.services import NotAllowed

BRAND = "kal"
MOST_KEYS = 100
# Noting each use would be a write per request.
NOTE_USE_EVERY = timedelta(minutes=1)
_LETTERS = string.ascii_lowercase + string.digits
_NO_SECRET = hash_token("")
_KEY_FIELDS = [field.attname for field in ApiKey._meta.concrete_fields]
_SHOP_FIELDS = [field.attname for field in Tenant._meta.concrete_fields]
_MOST_REMEMBERED = 1000
# By prefix: until when, and the row of the key with its shop's.
_remembered: dict[str, tuple[float, tuple[Any, ...]]] = {}


class TooManyKeys(Exception):
    """The shop has as many usable keys as it may have."""


class KeyRefused(Exception):
    """Unknown, expired or revoked. Only who knows the secret is told which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class NewKey:
    """`token` is shown once and kept nowhere."""

    key: ApiKey
    token: str


@transaction.atomic
def create_key(
    *,
    tenant: Tenant,
    by: Membership,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
    origins: Sequence[str] = (),
) -> NewKey:
    """With origins a publishable key, which only searches. Raises NotAllowed and TooManyKeys."""
    creator = _lock_keys(tenant=tenant, by=by)
    if ApiKey.objects.usable(now=now).filter(tenant=tenant).count() >= MOST_KEYS:
        raise TooManyKeys
    return _make(
        tenant=tenant,
        name=name,
        kind=ApiKey.Kind.PUBLISHABLE if origins else ApiKey.Kind.SECRET,
        scopes=[Scope.SEARCH] if origins else sorted(set(scopes)),
        origins=list(origins),
        created_by=creator,
        created_at=now,
        expires_at=expires_at,
    )


@transaction.atomic
def rotate_key(
    *, tenant: Tenant, by: Membership, key_id: UUID, overlap: timedelta, now: datetime
) -> NewKey:
    """Make a key that may do the same; the old one works on for `overlap`.

    Raises ApiKey.DoesNotExist for another shop's key and one that no longer works, NotAllowed.
    """
    creator = _lock_keys(tenant=tenant, by=by)
    old = ApiKey.objects.usable(now=now).filter(tenant=tenant).get(id=key_id)
    lifetime = old.expires_at - old.created_at if old.expires_at else None
    old.expires_at = min(now + overlap, old.expires_at or now + overlap)
    old.save(update_fields=["expires_at"])
    signals.api_key_closed.send(ApiKey, tenant_id=tenant.id)
    return _make(
        tenant=tenant,
        name=old.name,
        kind=old.kind,
        scopes=old.scopes,
        origins=old.origins,
        created_by=creator,
        created_at=now,
        expires_at=now + lifetime if lifetime else None,
    )


@transaction.atomic
def revoke_key(*, tenant: Tenant, by: Membership, key_id: UUID, now: datetime) -> ApiKey:
    """Raises ApiKey.DoesNotExist for another shop's key and a revoked one, and NotAllowed."""
    _lock_keys(tenant=tenant, by=by)
    key = ApiKey.objects.filter(tenant=tenant, revoked_at=None).get(id=key_id)
    key.revoked_at = now
    key.save(update_fields=["revoked_at"])
    signals.api_key_closed.send(ApiKey, tenant_id=tenant.id)
    return key


def authenticate_key(*, token: str, now: datetime, may_be_old: bool = False) -> ApiKey:
    """The key with its shop; raises KeyRefused. One query, and one write a minute.

    With `may_be_old` both as this process has read them `API_KEY_REMEMBER_S` ago at most: so long a
    revoked key may still be taken.
    """
    prefix, secret = split_token(token)
    key = _find_key(prefix, may_be_old=may_be_old)
    known = key.secret_sha256 if key else _NO_SECRET
    if not secrets.compare_digest(known, hash_token(secret)) or key is None:
        raise KeyRefused("There is no such key.")
    if key.revoked_at is not None:
        raise KeyRefused("The key was revoked.")
    if not key.is_usable(now):
        raise KeyRefused("The key has expired.")
    _note_use(key, now=now)
    return key


def split_token(token: str) -> tuple[str, str]:
    """Raises KeyRefused for what doesn't look like a key."""
    parts = token.split("_", 2)
    if len(parts) != 3 or parts[0] != BRAND or "\0" in token or not parts[2]:
        raise KeyRefused("A key looks like kal_1234abcd_….")
    return parts[1], parts[2]


def _find_key(prefix: str, *, may_be_old: bool) -> ApiKey | None:
    """With its shop. Each request begins with it: worded once, not by the ORM each time."""
    until, row = _remembered.get(prefix, (0.0, None))
    if row is None or not may_be_old or monotonic() >= until:
        row = _read_row(prefix)
    if row is None:
        return None
    key = ApiKey.from_db(DEFAULT_DB_ALIAS, _KEY_FIELDS, row[: len(_KEY_FIELDS)])
    key.tenant = Tenant.from_db(DEFAULT_DB_ALIAS, _SHOP_FIELDS, row[len(_KEY_FIELDS) :])
    return key


def _read_row(prefix: str) -> tuple[Any, ...] | None:
    until = monotonic() + settings.API_KEY_REMEMBER_S
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [prefix])
        row: tuple[Any, ...] | None = cursor.fetchone()
    if row is not None:
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        _remembered[prefix] = until, row
    return row


def _list_columns(model: type[Model], table: str) -> str:
    return ", ".join(f'{table}."{field.column}"' for field in model._meta.concrete_fields)


def _make(*, tenant: Tenant, **fields: object) -> NewKey:
    prefix = "".join(secrets.choice(_LETTERS) for _ in range(8))
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        tenant=tenant, prefix=prefix, secret_sha256=hash_token(secret), **fields
    )
    return NewKey(key, f"{BRAND}_{prefix}_{secret}")


def _lock_keys(*, tenant: Tenant, by: Membership) -> User:
    """Hold the shop's keys still and read the acting member's role anew; raises NotAllowed."""
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
    acting = Membership.objects.select_related("user").filter(tenant=tenant, id=by.id).first()
    if acting is None or not acting.develops:
        raise NotAllowed
    return acting.user


def _note_use(key: ApiKey, *, now: datetime) -> None:
    if key.last_used_at is None or now - key.last_used_at > NOTE_USE_EVERY:
        key.last_used_at = now
        _remembered.pop(key.prefix, None)
        key.save(update_fields=["last_used_at"])


_FIND = (
    f"SELECT {_list_columns(ApiKey, 'key')}, {_list_columns(Tenant, 'shop')}"  # noqa: S608 - names
    f" FROM {ApiKey._meta.db_table} AS key JOIN {Tenant._meta.db_table} AS shop"
    " ON shop.id = key.tenant_id WHERE key.prefix = %s"
)
