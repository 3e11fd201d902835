from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from accounts.models import Membership, Role, User
from integrations.models import Store, WebhookEndpoint


def send_paused(endpoint: WebhookEndpoint) -> None:
    """To every owner of the shop in their language; raises what the mail server says."""
    path = reverse("webhook", args=[endpoint.id])
    link = f"{settings.PUBLIC_URL.rstrip('/')}{path}"
    for owner in _list_owners(endpoint):
        with translation.override(owner.language or settings.LANGUAGE_CODE):
            _send(owner, "integrations/email/webhook_paused", {"endpoint": endpoint, "link": link})


def send_store_problem(store: Store) -> None:
    """As `send_paused` does."""
    link = f"{settings.PUBLIC_URL.rstrip('/')}{reverse('store', args=[store.id])}"
    for owner in _list_owners(store):
        with translation.override(owner.language or settings.LANGUAGE_CODE):
            _send(owner, "integrations/email/store_problem", {"store": store, "link": link})


def _list_owners(of: WebhookEndpoint | Store) -> Sequence[User]:
    memberships = Membership.objects.filter(
        tenant_id=of.tenant_id, role=Role.OWNER, user__is_active=True
    )
    return [membership.user for membership in memberships.select_related("user")]


def _send(user: User, template: str, context: dict[str, object]) -> None:
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    text = render_to_string(f"{template}_message.txt", context)
    message = EmailMultiAlternatives(subject, text, to=[user.email])
    message.attach_alternative(render_to_string(f"{template}_message.html", context), "text/html")
    message.send()
