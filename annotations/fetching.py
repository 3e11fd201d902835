"""The job of one photo of a batch: from its address to its annotation's place in the line."""

from django.utils import timezone

from accounts.usage import QuotaUsedUp
from annotations import batches, orders, photos, services
from annotations.models import Annotation, BatchItem, FashionImage
from inference.contract import Box
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed

# What may be over in a while; everything else is the address's own fault.
PASSING = ("timeout", "unreachable", "broken-answer", "unresolvable", "status")


class TryAgain(Exception):
    """The photo's host did not answer as it should; it may later."""


def fetch_item(*, item_id: int, is_last: bool) -> None:
    """Raises TryAgain unless it is the last try. Reads the clock itself: fetching takes time."""
    item = (
        BatchItem.objects.select_related("batch__tenant", "batch__key")
        .filter(id=item_id, taken_at=None)
        .first()
    )
    if item is None:  # done by another run, or deleted
        return
    try:
        annotation = _order(item)
    except RequestFailed as error:
        if error.code in PASSING and not is_last:
            raise TryAgain(f"{item.image_url[:200]}: {error.code}") from error
        _fail(item, "image-url-failed", error.detail)
    except photos.PhotoRefused as error:
        _fail(item, "photo-refused", error.detail)
    except services.CropRefused as error:
        _fail(item, "invalid-request", str(error))
    except FashionImage.DoesNotExist:
        _fail(item, "not-found", "The shop has no such photo.")
    except QuotaUsedUp as error:
        _fail(item, "quota-used-up", str(error))
    else:
        batches.note_item(item=item, annotation=annotation, now=timezone.now())


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
        )
    photo = photos.check_photo(remote_images.fetch_image(url=item.image_url))
    return orders.order_photo(
        tenant=tenant,
        photo=photo,
        name=photos.name_of_url(item.image_url),
        wish=wish,
        by=by,
        now=timezone.now(),
        priority=bulk,
    )


def _fail(item: BatchItem, problem: str, detail: str) -> None:
    batches.note_item(item=item, problem=problem, detail=detail, now=timezone.now())
