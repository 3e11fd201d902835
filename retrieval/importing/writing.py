"""Rows become products: created, changed or left alone, a chunk at a time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from django.db.models import Max

from retrieval import jobs
from retrieval.importing.cells import ParsedRow
from retrieval.models import CatalogueImport, Product, ProductImage
from retrieval.services.products import FIELDS, set_values


@dataclass(frozen=True, slots=True)
class Target:
    """Where the products belong, and the import that they came with, if they did."""

    tenant_id: UUID
    store_id: UUID | None = None
    run: CatalogueImport | None = None


@dataclass(slots=True)
class Outcome:
    """`what`: created, changed or unchanged, for each row in their order."""

    what: list[str] = field(default_factory=list)

    @property
    def created(self) -> int:
        return self.what.count("created")

    @property
    def changed(self) -> int:
        return self.what.count("changed")

    @property
    def unchanged(self) -> int:
        return self.what.count("unchanged")


def apply_rows(*, target: Target, rows: Sequence[ParsedRow], dry: bool, now: datetime) -> Outcome:
    """Write the rows, or with `dry` only say what they would do; a fixed number of queries.

    What a row leaves empty is emptied, columns that the file does not have stay as they are, and
    photos are added, never removed: the same file twice changes nothing.
    """
    known = _find_known(target, [row.external_id for row in rows], lock=not dry)
    merged = _find_merged(target, {row.external_id for row in rows} - set(known))
    sources = _find_sources([product.id for product in known.values()])
    outcome = Outcome()
    new: list[Product] = []
    changed: list[Product] = []
    photos: list[tuple[Product, list[str]]] = []
    for row in rows:
        product = known.get(row.external_id)
        if product is None and row.external_id in merged:
            # Another product by now: what the row says of it is not that product's.
            outcome.what.append("unchanged")
            continue
        if product is None:
            product = _build(target, row, now)
            new.append(product)
        wanted = [each for each in row.images if (product.id, each) not in sources]
        differs = bool(set_values(product, row.values)) and row.external_id in known
        if wanted:
            photos.append((product, wanted))
        if row.external_id in known:
            outcome.what.append("changed" if differs or wanted else "unchanged")
            changed += [product] if differs else []
        else:
            outcome.what.append("created")
    if not dry:
        Product.objects.bulk_create(new)
        for product in changed:
            product.updated_at = now
        Product.objects.bulk_update(changed, [*FIELDS, "updated_at"])
        _add_waiting_photos(target, photos, now)
    return outcome


def find_or_create(
    *, run: CatalogueImport, external_id: str, may_create: bool, now: datetime
) -> tuple[Product | None, bool]:
    """The product of this id, or the one it was merged into."""
    mine = Product.objects.filter(tenant_id=run.tenant_id, store_id=run.store_id)
    product = (
        mine.filter(external_id=external_id).first()
        or mine.filter(also_known_as__contains=[external_id]).first()
    )
    if product or not may_create:
        return product, False
    return mine.get_or_create(
        external_id=external_id,
        defaults={
            "tenant_id": run.tenant_id,
            "store_id": run.store_id,
            "created_at": now,
            "updated_at": now,
        },
    )


def find_or_create_all(
    *,
    run: CatalogueImport,
    external_ids: Collection[str],
    product_ids: Collection[UUID],
    may_create: bool,
    now: datetime,
) -> tuple[dict[str, UUID], int] | None:
    """The products of these ids, and how many are new; they and `product_ids` are locked.

    None where one is missing and may not be created, or was merged into another.
    Raises IntegrityError where somebody else creates one at this moment.
    """
    mine = Product.objects.filter(tenant_id=run.tenant_id, store_id=run.store_id)
    wanted = mine.filter(external_id__in=external_ids) | mine.filter(id__in=product_ids)
    # In the order in which everybody locks them.
    locked = wanted.order_by("id").select_for_update(of=("self",))
    known = dict(locked.values_list("external_id", "id"))
    missing = sorted(set(external_ids) - known.keys())
    if missing and (not may_create or mine.filter(also_known_as__overlap=missing).exists()):
        return None
    new = Product.objects.bulk_create(
        Product(
            tenant_id=run.tenant_id,
            store_id=run.store_id,
            external_id=external_id,
            created_at=now,
            updated_at=now,
        )
        for external_id in missing
    )
    return known | {product.external_id: product.id for product in new}, len(new)


def _find_known(target: Target, external_ids: Collection[str], *, lock: bool) -> dict[str, Product]:
    products = Product.objects.filter(
        tenant_id=target.tenant_id, store_id=target.store_id, external_id__in=external_ids
    ).order_by("id")
    if lock:
        products = products.select_for_update(of=("self",))
    return {product.external_id: product for product in products}


def _find_merged(target: Target, external_ids: Collection[str]) -> set[str]:
    rows = Product.objects.filter(
        tenant_id=target.tenant_id,
        store_id=target.store_id,
        also_known_as__overlap=list(external_ids),
    ).values_list("also_known_as", flat=True)
    return {name for names in rows for name in names}


def _find_sources(product_ids: Sequence[UUID]) -> set[tuple[UUID, str]]:
    photos = ProductImage.objects.filter(product__in=product_ids).exclude(source="")
    return set(photos.values_list("product_id", "source"))


def _build(target: Target, row: ParsedRow, now: datetime) -> Product:
    return Product(
        id=uuid4(),
        tenant_id=target.tenant_id,
        store_id=target.store_id,
        external_id=row.external_id,
        created_at=now,
        updated_at=now,
    )


def _add_waiting_photos(
    target: Target, photos: Sequence[tuple[Product, list[str]]], now: datetime
) -> None:
    """Entries after those that are there; what lies at an address is fetched by a job each."""
    ends = dict(
        ProductImage.objects.filter(product__in=[product.id for product, _names in photos])
        .order_by()
        .values_list("product")
        .annotate(last=Max("position"))
    )
    entries = [
        ProductImage(
            tenant_id=target.tenant_id,
            product=product,
            position=ends.get(product.id, -1) + number,
            source=source,
            catalogue_import=target.run,
            created_at=now,
        )
        for product, names in photos
        for number, source in enumerate(names, start=1)
    ]
    waiting = _count_waiting(target.run) if target.run else 0
    ProductImage.objects.bulk_create(entries)
    addresses = [entry for entry in entries if entry.source.startswith("http")]
    jobs.defer_fetches(addresses, waiting=waiting)


def _count_waiting(run: CatalogueImport) -> int:
    return run.photos.filter(state=ProductImage.State.WAITING).count()
