"""From an address to a connected store: keys, a live test, webhooks."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.models import Membership, Tenant, hash_token
from accounts.services import NotAllowed
from integrations import signatures
from integrations.shopify import messages as shopify
from integrations.stores import addresses, credentials, jobs, platforms, polling, troubles
from integrations.stores.contract import BadSignature, Shop
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Platform, Store
from integrations.woocommerce import messages as woocommerce

TOKEN_HOURS = 1
MOST_STORES = 20
APP_NAME = "Kalas"


class TooManyStores(Exception):
    """The shop has as many as it may have."""


class AlreadyConnected(Exception):
    """The shop has a store at this address."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.id)
        self.store = store


@transaction.atomic
def begin(
    *, tenant: Tenant, by: Membership, platform: str, url: str, now: datetime, name: str = ""
) -> Store:
    """A store that waits for its keys. One that was begun and never connected is taken up again.

    Raises NotAllowed, AlreadyConnected and TooManyStores.
    """
    check_may_manage(by)
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
    stores = Store.objects.for_tenant(tenant)
    known = stores.filter(platform=platform, url=url).exclude(url="").first()
    if not url:
        # A shop's own software has no address; what is connected again has its name.
        known = stores.filter(platform=platform, name=name, state="disconnected").first()
    if known is not None and known.state not in ("connecting", "disconnected"):
        raise AlreadyConnected(known)
    if known is not None and known.state == Store.State.CONNECTING:
        return known
    if stores.listed().count() >= MOST_STORES:
        raise TooManyStores
    if known is not None:
        # With its products: what they are in the catalogue, and what Kalas wrote into them.
        known.state, known.connected_by = Store.State.CONNECTING, by.user
        known.save(update_fields=["state", "connected_by"])
        return known
    return Store.objects.create(
        tenant=tenant,
        platform=platform,
        url=url,
        name=name,
        language=by.user.language or settings.LANGUAGE_CODE,
        connected_by=by.user,
        created_at=now,
    )


def build_approval_address(*, store: Store, by: Membership, now: datetime) -> str:
    """Where the owner lets Kalas in by one click. The value that comes back works once."""
    check_may_manage(by)
    token = _make_token(store, now=now)
    return woocommerce.build_approval_address(
        store_url=store.url,
        app_name=APP_NAME,
        token=token,
        return_url=addresses.build_link(reverse("store", args=[store.id])),
        callback_url=addresses.build_link(reverse("store_keys")),
    )


@transaction.atomic
def begin_shopify(
    *, tenant: Tenant, by: Membership, url: str, client_id: str, secret: str, now: datetime
) -> Store:
    """With the shop's own app; it lets Kalas in by its ID and secret, or by an approval.

    Raises as `begin` does.
    """
    store = begin(tenant=tenant, by=by, platform=Platform.SHOPIFY, url=url, now=now)
    credentials.save(store, {"client_id": client_id, "secret": secret})
    return store


@transaction.atomic
def test_keys(*, tenant: Tenant, by: Membership, store_id: UUID, now: datetime) -> Store:
    """Try what the store was begun with. Raises Store.DoesNotExist and NotAllowed."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    jobs.wake_connector(store.id, at=now)
    return store


def build_shopify_approval_address(*, store: Store, by: Membership, now: datetime) -> str:
    """As `build_approval_address`. Raises StoreFailed where the app's secret can't be read."""
    check_may_manage(by)
    token = _make_token(store, now=now)
    return shopify.build_approval_address(
        url=store.url,
        client_id=credentials.read(store).get("client_id", ""),
        token=token,
        return_url=addresses.build_link(reverse("shopify_approved")),
    )


@transaction.atomic
def take_shopify_approval(*, query: str, now: datetime) -> Store | None:
    """What Shopify sends the merchant back with; None where it is not for us, or not from there."""
    token = parse_qs(query).get("state", [""])[0]
    store = _find_by_token(token, now=now)
    if store is None or store.platform != Platform.SHOPIFY:
        return None
    values = credentials.read(store)
    try:
        answer = shopify.check_approval(query=query, secret=values.get("secret", ""))
    except BadSignature:
        return None
    if answer.get("shop", "") != urlsplit(store.url).netloc or not answer.get("code"):
        return None
    _use_token(store)
    _set_keys(store, {**values, "code": answer["code"]}, now=now)
    return store


@transaction.atomic
def take_handed_keys(*, body: bytes, now: datetime) -> Store | None:
    """What a store hands over after somebody approved; None where the value is not ours, or old,
    or was used. The keys themselves are tried by a job: the store waits for this answer."""
    keys = woocommerce.read_keys(body)
    if keys is None:
        return None
    store = _find_by_token(keys.token, now=now)
    if store is None or store.platform != Platform.WOOCOMMERCE:
        return None
    _use_token(store)
    _set_keys(store, {"key": keys.key, "secret": keys.secret}, now=now)
    return store


@transaction.atomic
def take_keys(
    *,
    tenant: Tenant,
    by: Membership,
    store_id: UUID,
    values: Mapping[str, str],
    now: datetime,
) -> Store:
    """Keys that somebody pasted. Raises Store.DoesNotExist and NotAllowed."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    _set_keys(store, values, now=now)
    return store


@transaction.atomic
def add_custom(*, tenant: Tenant, by: Membership, name: str, now: datetime) -> tuple[Store, str]:
    """The shop's own software, and the secret that it signs with, which is told once.

    Raises NotAllowed and TooManyStores.
    """
    store = begin(tenant=tenant, by=by, platform=Platform.CUSTOM, url="", now=now, name=name)
    secret = signatures.make_secret()
    credentials.seal(store, {"webhook_secret": secret})
    store.state, store.connected_at = Store.State.ACTIVE, now
    store.save(update_fields=["credentials", "state", "connected_at"])
    return store, secret


@transaction.atomic
def replace_secret(*, tenant: Tenant, by: Membership, store_id: UUID) -> tuple[Store, str]:
    """A new secret for the shop's own software; the old one is refused from now on.

    Raises Store.DoesNotExist and NotAllowed.
    """
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    if not store.is_custom:
        raise NotAllowed
    secret = signatures.make_secret()
    credentials.save(store, {"webhook_secret": secret})
    return store, secret


def finish(*, store_id: UUID, now: datetime) -> None:
    """Try the keys on the store, ask for its webhooks, and let the work begin.

    What is wrong is noted for the page; what may pass is tried again.
    """
    store = Store.objects.filter(id=store_id, credentials__isnull=False).first()
    if store is None or store.state != Store.State.CONNECTING:
        return
    try:
        connection = platforms.open_connection(store)
        shop = connection.check()
        if not store.is_custom:
            polling.check_webhooks(store, connection, now=now)
            connection.list_categories()
    except StoreFailed as error:
        _note_refusal(store, error, now=now)
        return
    _note_connected(store, shop, now=now)


@transaction.atomic
def _note_connected(store: Store, shop: Shop, *, now: datetime) -> None:
    """Unless somebody has disconnected it while it was tried."""
    if not Store.objects.select_for_update().filter(id=store.id, state="connecting").exists():
        return
    store.name = store.name or shop.name
    store.currency = shop.currency
    store.state, store.problem, store.problem_about, store.problem_at = "active", "", "", None
    store.connected_at = store.connected_at or now
    store.failures, store.quiet_until, store.alerted_at = 0, None, None
    # What happened since somebody began is new as well.
    store.modified_after = store.modified_after or store.created_at
    store.save(
        update_fields=[
            *("name", "currency", "state", "problem", "problem_about", "problem_at"),
            *("connected_at", "failures", "quiet_until", "alerted_at", "modified_after"),
        ]
    )
    jobs.wake_poller(store.id, at=now)
    jobs.wake_readers(store.id, at=now)
    jobs.wake_run(store.id, at=now)
    jobs.wake_writer(store.id, at=now)


@transaction.atomic
def _note_refusal(store: Store, error: StoreFailed, *, now: datetime) -> None:
    store.problem, store.problem_about, store.problem_at = error.code, error.about, now
    if error.is_passing:
        store.failures += 1
        wait = troubles.wait_after(store.failures, retry_after=error.retry_after)
        jobs.wake_connector(store.id, at=now + wait)
    store.save(update_fields=["problem", "problem_about", "problem_at", "failures"])


@transaction.atomic
def try_again(*, tenant: Tenant, by: Membership, store_id: UUID, now: datetime) -> Store:
    """Test a store that was not connected, or that broke, with the keys it has.

    Raises Store.DoesNotExist and NotAllowed.
    """
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    is_settled = store.state in (Store.State.ACTIVE, Store.State.PAUSED)
    if store.credentials is not None and not is_settled:
        store.problem, store.problem_about, store.problem_at = "", "", None
        store.state = Store.State.CONNECTING
        store.save(update_fields=["problem", "problem_about", "problem_at", "state"])
        jobs.wake_connector(store.id, at=now)
    return store


@transaction.atomic
def begin_again(*, tenant: Tenant, by: Membership, store_id: UUID) -> Store:
    """New keys are wanted; until they are there nothing is read or written.

    Raises Store.DoesNotExist and NotAllowed.
    """
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    store.state, store.problem, store.problem_about = Store.State.CONNECTING, "new-keys", ""
    store.save(update_fields=["state", "problem", "problem_about"])
    return store


def lock_store(*, tenant: Tenant, store_id: UUID, leaving: bool = False) -> Store:
    """Raises Store.DoesNotExist, also for another shop's, and for one that is being disconnected
    unless that is allowed."""
    rows = Store.objects.for_tenant(tenant).listed().select_for_update(of=("self",))
    return (rows if leaving else rows.exclude(state=Store.State.LEAVING)).get(id=store_id)


def check_may_manage(by: Membership | None) -> None:
    """None is a key, whose scope was checked. Raises NotAllowed."""
    if by is not None and not by.develops:
        raise NotAllowed


def make_webhook_secret() -> str:
    """Letters and digits alone: WooCommerce decodes HTML in secrets."""
    return secrets.token_hex(32)


def _make_token(store: Store, *, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    store.token_sha256 = hash_token(token)
    store.token_until = now + timedelta(hours=TOKEN_HOURS)
    store.save(update_fields=["token_sha256", "token_until"])
    return token


def _find_by_token(token: str, *, now: datetime) -> Store | None:
    stores = Store.objects.select_for_update(of=("self",))
    # One that a person is taking leave of takes no keys any more.
    stores = stores.exclude(state=Store.State.LEAVING)
    return stores.filter(token_sha256=hash_token(token), token_until__gt=now).first()


def _use_token(store: Store) -> None:
    store.token_sha256, store.token_until = "", None
    store.save(update_fields=["token_sha256", "token_until"])


def _set_keys(store: Store, values: Mapping[str, str], *, now: datetime) -> None:
    """The webhooks' secret stays: those that are there go on being signed with it."""
    try:
        secret = credentials.read(store).get("webhook_secret", "")
    except StoreFailed:
        secret = ""
    credentials.seal(store, {**values, "webhook_secret": secret or make_webhook_secret()})
    store.state, store.problem, store.problem_about = Store.State.CONNECTING, "", ""
    store.problem_at = None
    store.save(update_fields=["credentials", "state", "problem", "problem_about", "problem_at"])
    jobs.wake_connector(store.id, at=now)
