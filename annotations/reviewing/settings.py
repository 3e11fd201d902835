"""What a shop decides about its reviews."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from accounts.models import Tenant, User
from annotations.models import ReviewJob, ReviewSettings
from annotations.reviewing.bulk import start_recount
from annotations.reviewing.thresholds import change_thresholds


@transaction.atomic
def change_settings(
    *,
    tenant: Tenant,
    by: User,
    thresholds: Mapping[tuple[str, str], float | None],
    category: float,
    training_consent: bool,
    second_review_percent: int,
    now: datetime,
) -> ReviewJob:
    """Save all of it; the job says how many annotations join or leave the queue."""
    settings, _created = ReviewSettings.objects.select_for_update(of=("self",)).get_or_create(
        tenant=tenant
    )
    if settings.training_consent != training_consent:
        settings.training_consent = training_consent
        settings.consent_by, settings.consent_at = by, now
    settings.second_review_percent = second_review_percent
    settings.save()
    if tenant.review_threshold != category:
        tenant.review_threshold = category
        tenant.save(update_fields=["review_threshold"])
    change_thresholds(tenant=tenant, values=thresholds)
    return start_recount(tenant=tenant, by=by, now=now)
