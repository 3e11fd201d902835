"""The key with which the widget searches the demo shop, on its documentation's page."""

from datetime import datetime
from urllib.parse import urlsplit

from django.utils.crypto import salted_hmac

from accounts.models import ApiKey, Membership, Role, Scope, User, hash_token
from annotations.models import DemoShop

NAME = "Widget of the documentation"


def ensure_key(*, address: str, now: datetime) -> None:
    """For this installation's own pages at this address; one that was revoked stays so."""
    shop = DemoShop.objects.filter(removed_at=None).first()
    if shop is None:
        return
    prefix, secret = _derive()
    origins = list_origins(address)
    key, _created = ApiKey.objects.get_or_create(
        prefix=prefix,
        defaults={
            "tenant_id": shop.tenant_id,
            "name": NAME,
            "kind": ApiKey.Kind.PUBLISHABLE,
            "secret_sha256": hash_token(secret),
            "scopes": [Scope.SEARCH],
            "origins": origins,
            "created_by": _find_owner(shop),
            "created_at": now,
        },
    )
    if key.origins != origins:
        key.origins = origins
        key.save(update_fields=["origins"])


def find_token(*, now: datetime) -> str | None:
    """None where there is no demo shop, or its key was revoked."""
    prefix, secret = _derive()
    key = ApiKey.objects.usable(now=now).filter(prefix=prefix, secret_sha256=hash_token(secret))
    open_shops = DemoShop.objects.filter(removed_at=None).values("tenant_id")
    return f"kal_{prefix}_{secret}" if key.filter(tenant__in=open_shops).exists() else None


def list_origins(address: str) -> list[str]:
    """The address's, and with the other name that the own machine has for itself."""
    own = urlsplit(address)
    hosts = {own.netloc}
    if own.hostname in ("localhost", "127.0.0.1"):
        port = f":{own.port}" if own.port else ""
        hosts |= {f"localhost{port}", f"127.0.0.1{port}"}
    return sorted(f"{own.scheme}://{host}" for host in hosts)


def _find_owner(shop: DemoShop) -> User | None:
    owner = Membership.objects.filter(tenant_id=shop.tenant_id, role=Role.OWNER).first()
    return owner.user if owner else None


def _derive() -> tuple[str, str]:
    """Always the same here, so that it need not be kept in words."""
    secret = salted_hmac("retrieval.demo_widget", "key", algorithm="sha256").hexdigest()
    return secret[:8], secret[8:]
