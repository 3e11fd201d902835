"""Reading a product: from a store's hint to its photos' places in the line.

The product is fetched anew, whatever the hint said, and compared with what is known: our own
writes, orders that lower stock, and the same hint once more end here.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from accounts import usage
from annotations import photos as photo_files
from annotations.fetching import AWAY, PASSING, PASSING_STATUSES
from annotations.models import Annotation
from integrations.stores import (
    changes,
    editing,
    hints,
    jobs,
    lanes,
    platforms,
    progress,
    troubles,
)
from integrations.stores.contract import RemoteProduct
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store, StoreDelivery, StoreProduct, WriteBack
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed
from retrieval.models import Product, ProductImage
from retrieval.services import judgements, photos, products

logger = logging.getLogger(__name__)

MOST_TRIES = 10
# What of a product's photos is looked at: the first ones, which show it best.
MOST_PHOTOS = 20


QUOTA = "quota"
# So often it is looked whether there is quota again: a month begins, or somebody raises it.
LOOK_FOR_QUOTA = timedelta(hours=1)
# In them some twenty minutes pass; then the product goes on without the photos that never came.
PHOTO_TRIES = 7


class _PhotosLate(Exception):
    """Photos did not come, which may pass."""

    def __init__(self, failure: StoreFailed) -> None:
        super().__init__(failure.code)
        self.failure = failure


def read_due(*, store_id: UUID, lane: int, clock: lanes.Clock) -> None:
    lanes.work(
        store_id=store_id,
        clock=clock,
        rows=lanes.list_to_read(store_id, lane),
        column="read_due_at",
        do=read_product,
        wake=lambda at: jobs.wake_reader(store_id, lane, at=at),
    )


def read_product(store: Store, row: StoreProduct, now: datetime) -> None:
    """Whatever happens is noted; raises one of AWAY only."""
    seen = row.hints
    if row.problem == QUOTA and not _has_quota(store, now=now):
        _wait_for_quota(store, row, now=now)
        return
    try:
        _read(store, row, now=now)
    except AWAY:
        raise
    except _PhotosLate as error:
        # Whoever serves them: the store itself has answered.
        _put_off(row, error.failure, now=now)
    except StoreFailed as error:
        _note_failure(store, row, error, seen=seen, now=now)
    except Exception:
        # A defect: it must not hold up those behind it.
        logger.exception("The product %s of a store could not be read", row.pk)
        _fail(row, StoreFailed("defect"), seen=seen, now=now)
    else:
        _finish(row, seen=seen, now=now)


def _read(store: Store, row: StoreProduct, *, now: datetime) -> None:
    remote = platforms.open_connection(store).fetch_product(row.external_id)
    troubles.note_success(store, now=now)
    if remote is None or not remote.is_there:
        _let_go(row)
    elif remote.parent_id:
        # A variation is no product: its parent is what is shown and annotated.
        hints.hint(store=store, external_ids=[remote.parent_id], now=now, run=row.run)
        _let_go(row)
    elif not remote.is_public:
        _take_back(row, remote)
    else:
        _take(store, row, remote, now=now)


def _take(store: Store, row: StoreProduct, remote: RemoteProduct, *, now: datetime) -> None:
    before, fingerprint = row.state, changes.fingerprint(remote)
    editing.take_edits(store, row, remote, now=now)
    has_new_photos = _list_sources(row.remote) != _list_sources(remote.to_json())
    product = _keep_product(store, row, remote, now=now)
    is_new = row.fingerprint != fingerprint or before in (row.State.GONE, row.State.FAILED)
    if is_new:
        _fetch_photos(store, row, product, remote, now=now)
    settled = (row.State.WRITTEN, row.State.UNCHANGED, row.State.SUGGESTED, row.State.REVIEW)
    with transaction.atomic():
        _save(row, remote=remote.to_json(), fingerprint=fingerprint)
        if has_new_photos:
            _save(row, is_held=False)
        if is_new or row.run_id is not None or before not in settled:
            progress.go_on(row, now=now)


def _keep_product(
    store: Store, row: StoreProduct, remote: RemoteProduct, *, now: datetime
) -> Product:
    """The catalogue's product, made or brought up to date: what a person changed here stays until
    it changes in the store."""
    values = _describe(store, remote)
    products_of_store = Product.objects.filter(
        tenant=store.tenant_id, store_id=store.id, external_id=row.external_id
    )
    known = row.product or products_of_store.first()
    if known is None:
        try:
            known = products.create_product(
                tenant=store.tenant,
                values=values,
                now=now,
                external_id=row.external_id,
                store_id=store.id,
            )
        except products.IdTaken:
            known = products_of_store.get()
    else:
        seen = RemoteProduct.from_json(row.remote) if row.remote else None
        before = _describe(store, seen) if seen else {}
        new = {name: value for name, value in values.items() if before.get(name) != value}
        if seen and not seen.is_public:
            new["listed"] = True
        try:
            products.change_product(tenant=store.tenant, product_id=known.id, values=new, now=now)
        except Product.DoesNotExist:  # somebody deleted it a moment ago
            row.product = None
            return _keep_product(store, row, remote, now=now)
    if row.product_id != known.id:
        _save(row, product=known)
    return known


def _describe(store: Store, remote: RemoteProduct) -> dict[str, object]:
    return {
        "title": remote.title[:500],
        "description": remote.description[:20_000],
        "url": remote.url[:2000],
        "price": remote.amount,
        "currency": store.currency,
        "stock": remote.stock,
    }


@transaction.atomic
def _take_back(row: StoreProduct, remote: RemoteProduct) -> None:
    """The store no longer shows it, or not yet; what the catalogue has of it stays."""
    if row.product_id is not None:
        Product.objects.filter(id=row.product_id).update(listed=False)
    _save(row, state=row.State.DRAFT, remote=remote.to_json())


def _fetch_photos(
    store: Store, row: StoreProduct, product: Product, remote: RemoteProduct, *, now: datetime
) -> None:
    """Raises StoreFailed and _PhotosLate for what may go well later; what never will is noted at
    its photo, and so is what did not come in the end."""
    sources = [image.url[:2000] for image in remote.images[:MOST_PHOTOS]]
    expected = photos.expect_photos(
        tenant=store.tenant, product_id=product.id, sources=sources, now=now
    )
    priority = Annotation.Priority.BULK if row.run_id else Annotation.Priority.CROP
    late: list[tuple[ProductImage, RequestFailed]] = []
    for waiting in expected:
        if waiting.state == ProductImage.State.WAITING:
            try:
                _fetch_photo(store, product, waiting, priority=priority, now=now)
            except RequestFailed as error:
                late.append((waiting, error))
    if not late:
        return
    if row.tries + 1 < PHOTO_TRIES:
        code = late[0][1].code
        raise _PhotosLate(StoreFailed("busy" if code == "status" else code))
    for waiting, failure in late:
        photos.refuse_photo(waiting=waiting, reason=failure.detail)
    judgements.judge_again(tenant=store.tenant, product_id=product.id, now=now)


def _fetch_photo(
    store: Store,
    product: Product,
    waiting: ProductImage,
    *,
    priority: Annotation.Priority,
    now: datetime,
) -> None:
    """Raises RequestFailed where it may come later."""
    try:
        photo, measures = photos.check_and_measure(remote_images.fetch_image(url=waiting.source))
        photos.add_photo(
            tenant=store.tenant,
            product_id=product.id,
            photo=photo,
            measures=measures,
            name=photo_files.name_of_url(waiting.source),
            added_by=None,
            now=now,
            waiting=waiting,
            priority=priority,
        )
    except RequestFailed as error:
        if error.code in PASSING or error.status in PASSING_STATUSES:
            raise
        photos.refuse_photo(waiting=waiting, reason=error.detail)
    except photo_files.PhotoRefused as error:
        photos.refuse_photo(waiting=waiting, reason=error.detail)
    except usage.QuotaUsedUp as error:
        raise StoreFailed(QUOTA) from error
    except IntegrityError:
        # The photo came twice at the same moment, by another way.
        raise StoreFailed("changed-meanwhile") from None


@transaction.atomic
def _let_go(row: StoreProduct) -> None:
    """It is gone from the store: no product here either; its photos stay in the history."""
    product, row.product = row.product, None
    _save(row, state=row.State.GONE, fingerprint="", product=None, write_due_at=None)
    still_open = [WriteBack.State.SUGGESTED, WriteBack.State.REVIEW, WriteBack.State.DUE]
    row.write_backs.filter(state__in=still_open).update(state=WriteBack.State.DISMISSED)
    if product is not None:
        product.delete()


@transaction.atomic
def _finish(row: StoreProduct, *, seen: int, now: datetime) -> None:
    """A hint that came meanwhile stays due."""
    rows = StoreProduct.objects.filter(id=row.id)
    rows.filter(hints=seen).update(read_due_at=None)
    rows.update(tries=0, problem="", problem_about="", read_at=now, hinted_at=None)
    if row.problem == QUOTA:
        Store.objects.filter(id=row.store_id, problem=QUOTA).update(problem="", problem_at=None)
    _settle_deliveries(row, now=now)
    _settle_run(row, now=now)


def _note_failure(
    store: Store, row: StoreProduct, error: StoreFailed, *, seen: int, now: datetime
) -> None:
    troubles.note_failure(store, error, now=now)
    if error.code == QUOTA:
        _wait_for_quota(store, row, now=now)
    elif not (error.is_passing or error.is_breaking) or row.tries + 1 >= MOST_TRIES:
        _fail(row, error, seen=seen, now=now)
    else:
        _put_off(row, error, now=now)


def _has_quota(store: Store, *, now: datetime) -> bool:
    month = usage.read_month(tenant=store.tenant, now=now)
    return month.quota is None or month.annotations < month.quota


@transaction.atomic
def _wait_for_quota(store: Store, row: StoreProduct, *, now: datetime) -> None:
    """However long: nothing is wrong with the product."""
    month = usage.read_month(tenant=store.tenant, now=now)
    again = min(now + LOOK_FOR_QUOTA, month.renewed_at)
    StoreProduct.objects.filter(id=row.id).update(read_due_at=again, problem=QUOTA)
    _list_deliveries(row).update(problem=QUOTA)
    if store.problem != QUOTA:
        troubles.note_notice(store, StoreFailed(QUOTA), now=now)


def _put_off(row: StoreProduct, error: StoreFailed, *, now: datetime) -> None:
    again = now + troubles.wait_after(row.tries + 1, retry_after=error.retry_after)
    StoreProduct.objects.filter(id=row.id).update(
        tries=F("tries") + 1, read_due_at=again, problem=error.code, problem_about=error.about
    )
    _list_deliveries(row).update(
        attempts=F("attempts") + 1, problem=error.code, problem_about=error.about
    )


@transaction.atomic
def _fail(row: StoreProduct, error: StoreFailed, *, seen: int, now: datetime) -> None:
    """For good, until the store tells of it again or somebody asks."""
    rows = StoreProduct.objects.filter(id=row.id)
    rows.filter(hints=seen).update(read_due_at=None)
    rows.update(
        tries=0,
        state=StoreProduct.State.FAILED,
        problem=error.code,
        problem_about=error.about,
        hinted_at=None,
    )
    _list_deliveries(row).update(
        attempts=F("attempts") + 1,
        state=StoreDelivery.State.FAILED,
        problem=error.code,
        problem_about=error.about,
        finished_at=now,
    )
    _settle_run(row, now=now)


def _settle_deliveries(row: StoreProduct, *, now: datetime) -> None:
    _list_deliveries(row).update(
        attempts=F("attempts") + 1,
        state=StoreDelivery.State.DONE,
        problem="",
        problem_about="",
        finished_at=now,
    )


def _list_deliveries(row: StoreProduct) -> QuerySet[StoreDelivery]:
    return StoreDelivery.objects.filter(
        store=row.store_id, external_id=row.external_id, state=StoreDelivery.State.QUEUED
    )


def _settle_run(row: StoreProduct, *, now: datetime) -> None:
    if row.run_id is not None:
        jobs.wake_run(row.store_id, at=now)


def _list_sources(remote: dict[str, object] | None) -> list[object]:
    images = (remote or {}).get("images", [])
    return [image["url"] for image in images]  # type: ignore[attr-defined]


def _save(row: StoreProduct, **values: object) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
