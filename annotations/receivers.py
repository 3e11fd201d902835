"""What news of the accounts means for photos."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver
from django.utils import timezone

from accounts.models import Tenant
from accounts.signals import review_threshold_changed
from annotations.reviewing.bulk import start_recount


@receiver(review_threshold_changed)
def decide_anew(*, tenant_id: UUID, **_: Any) -> None:
    tenant = Tenant.objects.get(id=tenant_id)
    start_recount(tenant=tenant, by=None, now=timezone.now())
