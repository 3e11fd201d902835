"""Hints to the open pages of a shop: something changed, fetch it anew."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, TypedDict
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import BaseChannelLayer, get_channel_layer
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from accounts.models import Membership, Tenant
from accounts.signals import api_key_closed
from annotations.models import Annotation
from kalas.lib.after_answer import after_answer
from kalas.lib.notify_layer import NotifyChannelLayer

HintType = Literal["annotation", "batch", "review", "membership"]
SEND_TIMEOUT_S = 3.0


class Hint(TypedDict):
    type: HintType
    id: str
    state: str


def group_of(tenant_id: UUID) -> str:
    return f"tenant.{tenant_id.hex}"


def announce_annotation(annotation: Annotation) -> None:
    """Tell the shop's pages after commit that this annotation is new or has changed."""
    hint = Hint(type="annotation", id=str(annotation.id), state=annotation.state)
    _announce(annotation.tenant_id, hint)


def announce_annotations(annotations: Sequence[Annotation]) -> None:
    """The same for many of one shop."""
    hints = [Hint(type="annotation", id=str(each.id), state=each.state) for each in annotations]
    if hints:
        _announce(annotations[0].tenant_id, *hints)


def announce_gone(tenant: Tenant, annotation_id: UUID) -> None:
    """Tell the shop's pages after commit that an annotation was deleted."""
    _announce(tenant.id, Hint(type="annotation", id=str(annotation_id), state="gone"))


def announce_batch(*, tenant_id: UUID, batch_id: UUID, state: str) -> None:
    """Tell after commit that a batch was asked for or is done."""
    _announce(tenant_id, Hint(type="batch", id=str(batch_id), state=state))


def announce_review(*, tenant_id: UUID, annotation_id: UUID, state: str) -> None:
    """Tell after commit that a person accepted or corrected an annotation."""
    _announce(tenant_id, Hint(type="review", id=str(annotation_id), state=state))


@receiver(api_key_closed)
def announce_closed_key(sender: object, tenant_id: UUID, **_: object) -> None:
    """Let the shop's sockets check after commit whether their keys still work."""
    _announce(tenant_id, Hint(type="membership", id="", state=""))


@receiver(post_delete, sender=Membership)
def announce_removed_member(sender: type[Membership], instance: Membership, **_: object) -> None:
    """Let the shop's sockets check after commit whether their users still belong to it."""
    _announce(instance.tenant_id, Hint(type="membership", id="", state=""))


def _announce(tenant_id: UUID, *hints: Hint) -> None:
    # No partial: Django wants the name of a robust callback that fails.
    def send() -> None:
        layer = get_channel_layer()
        if isinstance(layer, NotifyChannelLayer):
            layer.group_send_now(group_of(tenant_id), *map(_wrap, hints))
        elif layer is not None:
            async_to_sync(_send_hints)(layer, tenant_id, hints)

    def send_later() -> None:
        after_answer(send)

    # Robust: a channel layer that is down must not fail the write that is announced. Pages have
    # a slow poll as their net.
    transaction.on_commit(send_later, robust=True)


async def _send_hints(layer: BaseChannelLayer, tenant_id: UUID, hints: Sequence[Hint]) -> None:
    async with asyncio.timeout(SEND_TIMEOUT_S):
        for hint in hints:
            await layer.group_send(group_of(tenant_id), _wrap(hint))


def _wrap(hint: Hint) -> dict[str, Any]:
    return {"type": "forward.hint", "hint": hint}
