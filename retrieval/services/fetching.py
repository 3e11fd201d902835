"""Photos that wait at an address, fetched one by one in a job each."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import usage
from annotations.photos import PhotoRefused, clean_name
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed
from retrieval.models import Product, ProductImage
from retrieval.services import photos

# What may be better a little later.
PASSING = {"unreachable", "timeout", "broken-answer", "unresolvable"}
MOST_ATTEMPTS = 4


class FetchLater(Exception):
    """The host is away for the moment."""


def fetch_photo(*, product_image_id: UUID, attempt: int, now: datetime) -> None:
    """Fetch, check and store the photo of a waiting entry, or say why not.

    Raises FetchLater before the last attempt. Nothing is done for an entry that is gone or done.
    """
    waiting = (
        ProductImage.objects.select_related("tenant", "catalogue_import__requested_by")
        .filter(id=product_image_id, state=ProductImage.State.WAITING)
        .first()
    )
    if waiting is None:
        return
    wanted_by = waiting.catalogue_import.requested_by if waiting.catalogue_import else None
    with translation.override((wanted_by.language if wanted_by else "") or settings.LANGUAGE_CODE):
        try:
            photo, measures = photos.check_and_measure(
                remote_images.fetch_image(url=waiting.source)
            )
            photos.add_photo(
                tenant=waiting.tenant,
                product_id=waiting.product_id,
                photo=photo,
                measures=measures,
                name=clean_name(waiting.source.partition("?")[0]),
                added_by=wanted_by,
                now=now,
                waiting=waiting,
            )
        except RequestFailed as error:
            if error.code in PASSING and attempt < MOST_ATTEMPTS:
                raise FetchLater(error.code) from error
            photos.refuse_photo(waiting=waiting, reason=error.detail)
        except PhotoRefused as error:
            photos.refuse_photo(waiting=waiting, reason=error.detail)
        except usage.QuotaUsedUp as error:
            photos.refuse_photo(waiting=waiting, reason=describe_quota(error))
        except Product.DoesNotExist:  # deleted a moment ago, and the entry with it
            return


def describe_quota(error: usage.QuotaUsedUp) -> str:
    return _(
        "All %(quota)d annotations of this month are used. Try again after %(day)s, or raise the"
        " quota."
    ) % {"quota": error.quota, "day": f"{error.renewed_at:%Y-%m-%d}"}
