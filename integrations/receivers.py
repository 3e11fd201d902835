"""Turns news of the apps below into messages to shops' own software."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.dispatch import receiver
from django.utils import timezone

from accounts.models import Tenant
from annotations import results, selectors
from annotations.models import Annotation
from annotations.signals import (
    annotation_finished,
    annotation_reviewed,
    annotations_deleted,
    batch_finished,
)
from integrations import messages
from integrations.models import WebhookEvent
from integrations.stores import progress
from integrations.stores.models import Store
from retrieval.stores import names_stores


@names_stores
def name_stores(tenant: Tenant) -> list[tuple[UUID, str]]:
    """One query."""
    stores = Store.objects.for_tenant(tenant)
    return [(each.id, str(each)) for each in stores.only("id", "name", "url", "platform")]


@receiver(annotation_finished)
def tell_finished(*, tenant_id: UUID, annotation_id: UUID, **_: Any) -> None:
    _tell_annotation(WebhookEvent.ANNOTATION_FINISHED, tenant_id, annotation_id)


@receiver(annotation_reviewed)
def tell_reviewed(*, tenant_id: UUID, annotation_id: UUID, **_: Any) -> None:
    _tell_annotation(WebhookEvent.ANNOTATION_REVIEWED, tenant_id, annotation_id)


@receiver([annotation_finished, annotation_reviewed])
def go_on_in_stores(*, tenant_id: UUID, image_id: UUID, **_: Any) -> None:
    """After the catalogue has judged the photo's products anew: it is the app below."""
    progress.note_answer(tenant_id=tenant_id, image_id=image_id, now=timezone.now())


@receiver(batch_finished)
def tell_batch_finished(*, tenant_id: UUID, batch_id: UUID, **_: Any) -> None:
    """With the id alone: its annotations were told one by one, and can be listed."""
    messages.tell(
        tenant_id=tenant_id,
        event=WebhookEvent.BATCH_FINISHED,
        data={"id": str(batch_id)},
        now=timezone.now(),
    )


@receiver(annotations_deleted)
def forget_messages(*, tenant_id: UUID, annotation_ids: Sequence[UUID], **_: Any) -> None:
    messages.forget(tenant_id=tenant_id, about=annotation_ids)


def _tell_annotation(event: WebhookEvent, tenant_id: UUID, annotation_id: UUID) -> None:
    if not messages.has_listeners(tenant_id=tenant_id, event=event):
        return
    annotations = Annotation.objects.filter(tenant_id=tenant_id)
    annotation = selectors.with_everything(annotations).get(id=annotation_id)
    messages.tell(
        tenant_id=tenant_id,
        event=event,
        data=results.build_result(annotation),
        now=timezone.now(),
        about=annotation_id,
    )
