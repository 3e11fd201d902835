"""Which photos somebody sees who may only search: such keys stand in pages for everybody to read.

What is shown to them is the business of an app above this one, which says so when it is loaded.
"""

from django.db.models import Q, QuerySet

from annotations.models import FashionImage

_shown: list[tuple[Q, Q]] = []


def show_to_searchers(photos: Q, *, to_shoppers: Q) -> None:
    _shown.append((photos, to_shoppers))


def only_shown(
    images: QuerySet[FashionImage], *, to_shoppers: bool = False
) -> QuerySet[FashionImage]:
    """Of these photos the ones that a search may find, or one on behalf of shoppers."""
    shown = Q(pk__in=[])
    for photos, public in _shown:
        shown |= public if to_shoppers else photos
    return images.filter(shown).distinct()
