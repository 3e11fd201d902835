"""Turns news of the apps below into messages to shops' own software."""

from collections.abc import Container, Sequence
from typing import Any
from uuid import UUID

from django.dispatch import receiver
from django.utils import timezone

from annotations import interests, results, selectors
from annotations.models import Annotation
from annotations.signals import (
    Finished,
    annotation_reviewed,
    annotations_deleted,
    annotations_finished,
    batch_finished,
)
from annotations.sources import offer_stores
from integrations import messages
from integrations.models import WebhookEvent
from integrations.stores import progress
from integrations.stores.selectors import list_names, of_store

offer_stores(list_stores=list_names, of_store=of_store)


interests.add("webhooks", messages.word_listeners(WebhookEvent.ANNOTATION_FINISHED))
interests.add("stores", progress.OF_STORES)


@receiver(annotations_finished)
def tell_finished(
    *, tenant_id: UUID, finished: Sequence[Finished], concerns: Container[str], **_: Any
) -> None:
    if "webhooks" not in concerns:
        return
    for each in finished:
        known = each.annotation if each.is_only else None
        _tell_annotation(WebhookEvent.ANNOTATION_FINISHED, tenant_id, each.annotation.id, known)


@receiver(annotation_reviewed)
def tell_reviewed(*, tenant_id: UUID, annotation_id: UUID, **_: Any) -> None:
    event = WebhookEvent.ANNOTATION_REVIEWED
    if messages.has_listeners(tenant_id=tenant_id, event=event):
        _tell_annotation(event, tenant_id, annotation_id)


@receiver(annotations_finished)
def go_on_in_stores(
    *, tenant_id: UUID, finished: Sequence[Finished], concerns: Container[str], **_: Any
) -> None:
    """After the catalogue has judged the photos' products anew: it is the app below."""
    if "stores" not in concerns:
        return
    image_ids = [each.annotation.image_id for each in finished]
    progress.note_answers(tenant_id=tenant_id, image_ids=image_ids, now=timezone.now())


@receiver(annotation_reviewed)
def go_on_after_review(*, tenant_id: UUID, image_id: UUID, **_: Any) -> None:
    progress.note_answers(tenant_id=tenant_id, image_ids=[image_id], now=timezone.now())


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


def _tell_annotation(
    event: WebhookEvent, tenant_id: UUID, annotation_id: UUID, known: Annotation | None = None
) -> None:
    """`known` has everything with it that is told."""
    annotations = Annotation.objects.filter(tenant_id=tenant_id)
    annotation = known or selectors.with_everything(annotations).get(id=annotation_id)
    messages.tell(
        tenant_id=tenant_id,
        event=event,
        data=results.build_result(annotation),
        now=timezone.now(),
        about=annotation_id,
    )
