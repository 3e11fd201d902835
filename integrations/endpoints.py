"""Every write of webhook endpoints that a person asks for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Membership, Tenant
from accounts.services import NotAllowed
from integrations import jobs, messages, signatures
from integrations.models import WebhookDelivery, WebhookEndpoint
from kalas.lib import crypto, safe_http
from kalas.lib.request_failures import RequestFailed

MOST_ENDPOINTS = 20
# So long both secrets sign, after one was replaced.
OVERLAP = timedelta(hours=24)


class TooManyEndpoints(Exception):
    """The shop has as many as it may have."""


class AddressRefused(Exception):
    """`detail` says what is wrong with it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class NotActive(Exception):
    """The endpoint is paused or switched off: it gets nothing but tests."""


@transaction.atomic
def create_endpoint(
    *,
    tenant: Tenant,
    by: Membership | None,
    name: str,
    url: str,
    events: Sequence[str],
    now: datetime,
) -> tuple[WebhookEndpoint, str]:
    """The endpoint and its secret, which is told once.

    `by` is None where a key with the right scope asks. Raises NotAllowed, AddressRefused and
    TooManyEndpoints.
    """
    lock_endpoints(tenant=tenant, by=by)
    check_address(url)
    if WebhookEndpoint.objects.for_tenant(tenant).count() >= MOST_ENDPOINTS:
        raise TooManyEndpoints
    secret, endpoint_id = signatures.make_secret(), uuid4()
    endpoint = WebhookEndpoint.objects.create(
        id=endpoint_id,
        tenant=tenant,
        name=name,
        url=url,
        events=sorted(set(events)),
        secret=crypto.seal(secret, context=_context(tenant.id, endpoint_id)),
        created_by=by.user if by else None,
        created_at=now,
    )
    return endpoint, secret


@transaction.atomic
def change_endpoint(
    *,
    tenant: Tenant,
    by: Membership | None,
    endpoint_id: UUID,
    name: str,
    url: str,
    events: Sequence[str],
) -> WebhookEndpoint:
    """Raises WebhookEndpoint.DoesNotExist for another shop's, NotAllowed and AddressRefused."""
    endpoint = _lock_endpoint(tenant=tenant, by=by, endpoint_id=endpoint_id)
    if url != endpoint.url:
        check_address(url)
    endpoint.name, endpoint.url, endpoint.events = name, url, sorted(set(events))
    endpoint.save(update_fields=["name", "url", "events"])
    return endpoint


@transaction.atomic
def rotate_secret(
    *, tenant: Tenant, by: Membership | None, endpoint_id: UUID, now: datetime
) -> tuple[WebhookEndpoint, str]:
    """A new secret; the one before signs as well until the overlap ends.

    Raises WebhookEndpoint.DoesNotExist for another shop's, and NotAllowed.
    """
    endpoint = _lock_endpoint(tenant=tenant, by=by, endpoint_id=endpoint_id)
    secret = signatures.make_secret()
    endpoint.previous_secret = endpoint.secret
    endpoint.previous_secret_until = now + OVERLAP
    endpoint.secret = crypto.seal(secret, context=_context(tenant.id, endpoint.id))
    endpoint.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    return endpoint, secret


@transaction.atomic
def switch_off(*, tenant: Tenant, by: Membership | None, endpoint_id: UUID) -> WebhookEndpoint:
    """It is told nothing any more; what waits is held back. Raises as `rotate_secret` does."""
    endpoint = _lock_endpoint(tenant=tenant, by=by, endpoint_id=endpoint_id)
    _set_state(endpoint, WebhookEndpoint.State.OFF)
    hold_back(endpoint)
    return endpoint


@transaction.atomic
def switch_on(
    *, tenant: Tenant, by: Membership | None, endpoint_id: UUID, now: datetime
) -> WebhookEndpoint:
    """What was held back is sent, with all of its tries. Raises as `rotate_secret` does."""
    endpoint = _lock_endpoint(tenant=tenant, by=by, endpoint_id=endpoint_id)
    _set_state(endpoint, WebhookEndpoint.State.ACTIVE)
    held = WebhookDelivery.objects.filter(endpoint=endpoint, state=WebhookDelivery.State.HELD)
    held.update(state=WebhookDelivery.State.WAITING, next_attempt_at=now, tries=0)
    jobs.wake_endpoint(endpoint.id, at=now)
    return endpoint


@transaction.atomic
def delete_endpoint(*, tenant: Tenant, by: Membership | None, endpoint_id: UUID) -> None:
    """With its log. Raises as `rotate_secret` does."""
    _lock_endpoint(tenant=tenant, by=by, endpoint_id=endpoint_id).delete()


@transaction.atomic
def send_test(
    *, tenant: Tenant, by: Membership | None, endpoint_id: UUID, now: datetime
) -> WebhookDelivery:
    """Raises as `rotate_secret` does."""
    endpoint = _lock_endpoint(tenant=tenant, by=by, endpoint_id=endpoint_id)
    return messages.tell_test(tenant=tenant, endpoint=endpoint, now=now)


@transaction.atomic
def send_again(
    *, tenant: Tenant, by: Membership | None, delivery_id: UUID, now: datetime
) -> WebhookDelivery:
    """The same message with the same id, with all of its tries.

    Raises WebhookDelivery.DoesNotExist for another shop's, NotAllowed and NotActive.
    """
    deliveries = WebhookDelivery.objects.for_tenant(tenant)
    endpoint_id = deliveries.get(id=delivery_id).endpoint_id
    endpoint = _lock_endpoint(tenant=tenant, by=by, endpoint_id=endpoint_id)
    waiting = deliveries.select_related("message").select_for_update(of=("self",), no_key=True)
    delivery = waiting.get(id=delivery_id)
    if not endpoint.is_active and not delivery.is_test:
        raise NotActive
    delivery.state, delivery.next_attempt_at = WebhookDelivery.State.WAITING, now
    delivery.tries, delivery.finished_at = 0, None
    delivery.save(update_fields=["state", "next_attempt_at", "tries", "finished_at"])
    jobs.wake_endpoint(endpoint.id, at=now)
    return delivery


def hold_endpoint(*, tenant: Tenant, by: Membership | None, endpoint_id: UUID) -> WebhookEndpoint:
    """Let it stay as it is until the transaction ends. Raises as `rotate_secret` does."""
    return _lock_endpoint(tenant=tenant, by=by, endpoint_id=endpoint_id)


def reseal(endpoint: WebhookEndpoint) -> None:
    """With the first key; the row is locked by the caller. Raises crypto.Unreadable."""
    context = _context(endpoint.tenant_id, endpoint.id)
    endpoint.secret = crypto.seal(crypto.unseal(endpoint.secret, context=context), context=context)
    if endpoint.previous_secret is not None:
        previous = crypto.unseal(endpoint.previous_secret, context=context)
        endpoint.previous_secret = crypto.seal(previous, context=context)
    endpoint.save(update_fields=["secret", "previous_secret"])


def read_secrets(endpoint: WebhookEndpoint, *, now: datetime) -> list[str]:
    """Those that sign at this moment, the newest first; raises crypto.Unreadable."""
    context = _context(endpoint.tenant_id, endpoint.id)
    secrets = [crypto.unseal(endpoint.secret, context=context)]
    until = endpoint.previous_secret_until
    if endpoint.previous_secret and until and now < until:
        secrets.append(crypto.unseal(endpoint.previous_secret, context=context))
    return secrets


def check_address(url: str) -> None:
    """What can be known without asking it; raises AddressRefused."""
    try:
        address = safe_http.check_url(url, policy=safe_http.read_policy(max_bytes=0))
    except RequestFailed as error:
        raise AddressRefused(error.code, error.detail) from error
    if address.scheme != "https" and not settings.OUTBOUND_NETWORKS:
        raise AddressRefused("scheme", _("The address must begin with https://."))


def hold_back(endpoint: WebhookEndpoint) -> None:
    """Keep what waits until the endpoint is switched on again."""
    waiting = WebhookDelivery.objects.waiting().filter(endpoint=endpoint)
    waiting.update(state=WebhookDelivery.State.HELD, next_attempt_at=None)


def lock_endpoints(*, tenant: Tenant, by: Membership | None) -> None:
    """Hold the shop's endpoints still and read the acting member's role anew; raises NotAllowed."""
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
    if by is None:
        return
    acting = Membership.objects.filter(tenant=tenant, id=by.id).first()
    if acting is None or not acting.develops:
        raise NotAllowed


def _lock_endpoint(*, tenant: Tenant, by: Membership | None, endpoint_id: UUID) -> WebhookEndpoint:
    lock_endpoints(tenant=tenant, by=by)
    endpoints = WebhookEndpoint.objects.for_tenant(tenant)
    return endpoints.select_for_update(of=("self",), no_key=True).get(id=endpoint_id)


def _set_state(endpoint: WebhookEndpoint, state: WebhookEndpoint.State) -> None:
    """By a person, who takes the past as settled."""
    endpoint.state, endpoint.pause_reason, endpoint.paused_at = state, "", None
    endpoint.failures, endpoint.failing_since, endpoint.quiet_until = 0, None, None
    endpoint.save(
        update_fields=[
            "state", "pause_reason", "paused_at", "failures", "failing_since", "quiet_until",
        ]
    )  # fmt: skip


def _context(tenant_id: UUID, endpoint_id: UUID) -> str:
    return f"webhook-secret:{tenant_id}:{endpoint_id}"
