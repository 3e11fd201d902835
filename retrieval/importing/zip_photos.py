"""The photos of an import's ZIP: checked, decoded and linked to their products."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import usage
from annotations.models import FashionImage
from annotations.photos import Photo, PhotoRefused, clean_name, too_large
from retrieval.auditing.measures import Measures
from retrieval.importing import archives, progress
from retrieval.importing.cells import Problem
from retrieval.importing.sources import Source
from retrieval.importing.writing import find_or_create, find_or_create_all
from retrieval.models import CatalogueImport, Product, ProductImage
from retrieval.services import photos as photo_services
from retrieval.services.fetching import describe_quota

# Held in memory until they are stored.
PHOTOS_AT_ONCE = 8
BYTES_AT_ONCE = 8_000_000


class NotTogether(Exception):
    """A photo's product may not be made here, or was merged into another."""


@dataclass(frozen=True, slots=True)
class Found:
    """A photo of the archive and the id of its product by its name, or why it is refused."""

    name: str
    key: str
    photo: Photo | None
    measures: Measures | None = None
    refused: str = ""


@transaction.atomic
def check_photos(run: CatalogueImport, contents: archives.Contents) -> None:
    """What the photos of the archive would do; they are decoded only when they are imported.

    The numbers are set, not added, as this may run again.
    """
    refuse_unsafe(run, contents)
    progress.note_problems(
        run,
        [(0, Problem("images", name, too_large().detail)) for name in sorted(contents.too_large)],
    )
    run.photos_refused += len(contents.too_large)
    run.photos_total = len(contents.photos)
    if not contents.table:
        named = archives.name_products(contents.photos)
        keys = {key for name, key in named if name not in contents.too_large}
        known = Product.objects.filter(tenant_id=run.tenant_id, store_id=run.store_id)
        run.unchanged = known.filter(external_id__in=keys).count()
        run.created = len(keys) - run.unchanged
    run.save(update_fields=["photos_total", "photos_refused", "unchanged", "created"])


@transaction.atomic
def refuse_unsafe(run: CatalogueImport, contents: archives.Contents) -> None:
    """What of the archive is not read. The number is set, not added, as this may run again."""
    progress.lock(run)
    detail = _(
        "Left out: its name leads out of the ZIP or is too long, or it has a password or is not"
        " packed by deflate."
    )
    progress.note_problems(run, [(0, Problem("images", name, detail)) for name in contents.unsafe])
    run.photos_refused = len(contents.unsafe)
    run.save(update_fields=["photos_refused"])


def read_photos(run: CatalogueImport, source: Source) -> Iterator[list[Found]]:
    """The photos that are still to do, a few at a time, decoded: that takes longest, and must not
    keep a transaction open."""
    assert source.archive is not None  # noqa: S101 - only of a ZIP
    found: list[Found] = []
    for name, key in islice(archives.name_products(source.photos), run.photos_done, None):
        try:
            data = archives.read_photo(source.archive, name)
            found.append(Found(name, key, *photo_services.check_and_measure(data)))
        except PhotoRefused as error:
            found.append(Found(name, key, None, refused=error.detail))
        size = sum(len(each.photo.data) for each in found if each.photo)
        if len(found) == PHOTOS_AT_ONCE or size > BYTES_AT_ONCE:
            yield found
            found = []
    if found:
        yield found


def finish_photos(
    run: CatalogueImport, source: Source, found: list[Found], *, now: datetime
) -> None:
    """New photos of products go in together, which takes a tenth of the work; all else, and what
    does not go in together after all, one by one."""
    for are_new, part in _split(run, found):
        try:
            if are_new and _add_new_photos(run, source, part, now=now):
                continue
        except (
            IntegrityError,
            NotTogether,
            usage.QuotaUsedUp,
            photo_services.TooManyPhotos,
        ):
            pass
        for each in part:
            _finish_photo(run, source, each, now=now)


def _split(run: CatalogueImport, found: list[Found]) -> Iterator[tuple[bool, list[Found]]]:
    """In their order, as the place moves on: those in a row that the shop does not have yet, and
    those in a row that it has, or that are refused."""
    hashes = {each.photo.upload_sha256 for each in found if each.photo}
    same = FashionImage.objects.filter(tenant=run.tenant_id, upload_sha256__in=hashes)
    unseen = hashes - set(same.values_list("upload_sha256", flat=True))
    marked: list[tuple[bool, Found]] = []
    for each in found:
        is_new = each.photo is not None and each.photo.upload_sha256 in unseen
        marked.append((is_new, each))
        if each.photo:
            unseen.discard(each.photo.upload_sha256)
    for are_new, part in groupby(marked, key=itemgetter(0)):
        yield are_new, [each for _is_new, each in part]


@transaction.atomic
def _add_new_photos(
    run: CatalogueImport, source: Source, found: list[Found], *, now: datetime
) -> bool:
    """Import these, which the shop does not have yet, and move the place on, all or nothing; False
    where an earlier import brought one of them. Raises NotTogether."""
    progress.lock(run)
    names = [each.name for each in found]
    entries = list(ProductImage.objects.filter(tenant=run.tenant_id, source__in=names))
    waiting = {e.source: e for e in entries if e.catalogue_import_id == run.id and e.is_waiting}
    if len(waiting) < len(entries):
        return False
    created = 0

    def find_places() -> list[photo_services.Place]:
        nonlocal created
        targets = find_or_create_all(
            run=run,
            external_ids={each.key for each in found if each.name not in waiting},
            product_ids=[entry.product_id for entry in entries],
            may_create=not (source.contents and source.contents.table),
            now=now,
        )
        if targets is None:
            raise NotTogether
        product_of, created = targets
        return [
            photo_services.Place(entry.product_id if entry else product_of[each.key], entry)
            for each in found
            for entry in [waiting.get(each.name)]
        ]

    photo_services.add_new_photos(
        tenant=run.tenant,
        new=[
            photo_services.NewPhoto(each.photo, clean_name(each.name), each.measures)
            for each in found
            if each.photo and each.measures
        ],
        find_places=find_places,
        added_by=run.requested_by,
        now=now,
    )
    progress.move_on(run, photos_done=len(found), photos_added=len(found), created=created)
    return True


def _finish_photo(run: CatalogueImport, source: Source, found: Found, *, now: datetime) -> None:
    """Import one photo of the archive and move the place on, all or nothing."""
    name, photo = found.name, found.photo
    with transaction.atomic():
        progress.lock(run)
        if photo is None:
            for waiting in _waiting(run, name):
                photo_services.refuse_photo(waiting=waiting, reason=found.refused)
            progress.note_problems(run, [(0, Problem("images", name, found.refused))])
            progress.move_on(run, photos_done=1, photos_refused=1)
            return
        targets = _find_targets(run, source, name, found.key, now=now)
        if targets is None:
            detail = _("No row of the table names this photo or its product.")
            progress.note_problems(run, [(0, Problem("images", name, detail))])
            progress.move_on(run, photos_done=1, photos_refused=1)
            return
        added = 0
        try:
            # A savepoint: what the database refuses must not undo the place.
            with transaction.atomic():
                if targets:
                    linked = photo_services.add_photo_to(
                        tenant=run.tenant,
                        places=targets,
                        photo=photo,
                        name=clean_name(name),
                        added_by=run.requested_by,
                        now=now,
                        measures=found.measures,
                    )
                    added = sum(each is not None for each in linked)
        except (usage.QuotaUsedUp, photo_services.TooManyPhotos) as error:
            for place in targets:
                _refuse(run, name, place.waiting, error)
                progress.move_on(run, photos_refused=1)
        progress.move_on(run, photos_done=1, photos_added=added)


def _refuse(run: CatalogueImport, name: str, entry: ProductImage | None, error: Exception) -> None:
    if isinstance(error, usage.QuotaUsedUp):
        detail = describe_quota(error)
    else:
        detail = _("A product may have %d photos. Leave some out.") % photo_services.MOST_PHOTOS
    if entry is not None:
        photo_services.refuse_photo(waiting=entry, reason=detail)
    progress.note_problems(run, [(0, Problem("images", name, detail))])


def _waiting(run: CatalogueImport, name: str) -> list[ProductImage]:
    entries = run.photos.filter(source=name, state=ProductImage.State.WAITING)
    return list(entries.order_by("id"))


def _find_targets(
    run: CatalogueImport, source: Source, name: str, key: str, *, now: datetime
) -> list[photo_services.Place] | None:
    """The products that get the photo: those whose rows name it, else the one named like it.

    None where the table knows neither; empty where an earlier import did it already.
    """
    if waiting := _waiting(run, name):
        return [photo_services.Place(entry.product_id, entry) for entry in waiting]
    if ProductImage.objects.filter(tenant_id=run.tenant_id, source=name).exists():
        return []
    has_table = bool(source.contents and source.contents.table)
    product, created = find_or_create(run=run, external_id=key, may_create=not has_table, now=now)
    if product is None:
        return None
    if not has_table:
        progress.move_on(run, created=int(created))
    return [photo_services.Place(product.id)]
