"""What news of the accounts means for photos."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from accounts.signals import review_threshold_changed
from annotations.reviewing.thresholds import recount_queue


@receiver(review_threshold_changed)
def decide_anew(*, tenant_id: UUID, threshold: float, **_: Any) -> None:
    recount_queue(tenant_id=tenant_id, category=threshold)
