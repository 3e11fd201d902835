"""The photos of batches: from their addresses to their annotations' places in the line.

A shop has a few lanes, each of which fetches one photo after another (see `kalas.lib.lanes`).
"""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.db import InterfaceError, OperationalError
from django.db.models import F, Min, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Mod
from django.utils import timezone

from accounts import usage
from annotations import batches, files, jobs, orders, photos, services
from annotations.models import Annotation, BatchItem, FashionImage
from inference.contract import Box
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed

logger = logging.getLogger(__name__)

# What may be over in a while; everything else is the address's own fault.
PASSING = ("timeout", "unreachable", "broken-answer", "unresolvable")
PASSING_STATUSES = frozenset({408, 425, 429, *range(500, 600)})
MOST_TRIES = 4
# After it the other shops have their turn.
TURN_S = 5.0
CHUNK = 50
# A part of the house is away: nothing is wrong with the photo.
AWAY = (
    OperationalError,
    InterfaceError,
    files.StorageAway,
    OSError,
    BotoCoreError,
    ClientError,
)
AWAY_FOR = timedelta(seconds=10)


def fetch_due(*, tenant_id: UUID, lane: int) -> None:
    """Fetch what is due in a lane of a shop; its job comes again for the rest.

    Reads the clock itself: fetching takes time.
    """
    end = time.monotonic() + TURN_S
    at_earliest = timezone.now()
    try:
        while time.monotonic() < end and (items := _list_due(tenant_id, lane)):
            for item in items:
                if time.monotonic() >= end:
                    break
                fetch_item(item)
    except AWAY as error:
        logger.warning("Batches wait for a part of the house: %s", error)
        at_earliest += AWAY_FOR
    next_at = Min(Coalesce("due_at", Value(at_earliest)))
    due_at = _list_waiting(tenant_id, lane).aggregate(at=next_at)["at"]
    if due_at is not None:
        jobs.wake_fetchers(tenant_id, at=max(due_at, at_earliest), lanes=[lane])


def fetch_item(item: BatchItem) -> None:
    """Raises one of AWAY."""
    if item.batch.key and item.batch.key.revoked_at:
        _fail(item, "invalid-key", "The key that asked for it was revoked.")
        return
    try:
        annotation = _order(item)
    except AWAY:
        raise
    except RequestFailed as error:
        is_passing = error.code in PASSING or error.status in PASSING_STATUSES
        if is_passing and item.tries + 1 < MOST_TRIES:
            batches.put_off(item=item, now=timezone.now())
        else:
            _fail(item, "image-url-failed", error.detail)
    except photos.PhotoRefused as error:
        _fail(item, "photo-refused", error.detail)
    except services.CropRefused as error:
        _fail(item, "invalid-request", str(error))
    except FashionImage.DoesNotExist:
        _fail(item, "not-found", "The shop has no such photo.")
    except usage.QuotaUsedUp as error:
        _fail(item, "quota-used-up", str(error))
    except Exception:
        # A defect: it must hold up neither its batch nor those behind it.
        logger.exception("The photo %s of a batch could not be taken", item.pk)
        _fail(item, "server-error", "Something broke on our side.")
    else:
        batches.note_item(item=item, annotation=annotation, now=timezone.now())


def _list_waiting(tenant_id: UUID, lane: int) -> QuerySet[BatchItem]:
    waiting = BatchItem.objects.filter(
        batch__tenant=tenant_id, batch__finished_at=None, taken_at=None
    )
    return waiting.alias(lane=Mod(F("id"), jobs.LANES)).filter(lane=lane)


def _list_due(tenant_id: UUID, lane: int) -> Sequence[BatchItem]:
    due = Q(due_at=None) | Q(due_at__lte=timezone.now())
    items = _list_waiting(tenant_id, lane).filter(due).select_related("batch__tenant", "batch__key")
    return list(items.order_by("id")[:CHUNK])


def _order(item: BatchItem) -> Annotation:
    tenant, by = item.batch.tenant, orders.Client(key=item.batch.key, user=None)
    wish = orders.Wish(Box(*item.crop) if item.crop else None, item.hint, item.product)
    bulk = Annotation.Priority.BULK
    if item.image_id is not None:
        return orders.order_image(
            tenant=tenant,
            image_id=item.image_id,
            wish=wish,
            by=by,
            now=timezone.now(),
            priority=bulk,
        ).annotation
    usage.check_quota(tenant=tenant, now=timezone.now())
    return orders.order_photo(
        tenant=tenant,
        data=remote_images.fetch_image(url=item.image_url),
        name=photos.name_of_url(item.image_url),
        wish=wish,
        by=by,
        now=timezone.now(),
        priority=bulk,
    ).annotation


def _fail(item: BatchItem, problem: str, detail: str) -> None:
    batches.note_item(item=item, problem=problem, detail=detail, now=timezone.now())
