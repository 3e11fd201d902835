"""Which photos somebody sees who may only search: such keys stand in pages for everybody to read.

What is shown to them is the business of an app above this one, which says so when it is loaded.
"""

from django.db.models import Q, QuerySet

from annotations.models import FashionImage

_shown: list[Q] = []


def show_to_searchers(photos: Q) -> None:
    _shown.append(photos)


def only_shown(images: QuerySet[FashionImage]) -> QuerySet[FashionImage]:
    """Of these photos the ones that a search may find."""
    shown = Q(pk__in=[])
    for each in _shown:
        shown |= each
    return images.filter(shown).distinct()
