"""What would change if another index were searched: a dry run over some of the shop's products."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Tenant
from retrieval import nearest, wanting
from retrieval.models import Embedding, IndexVersion, Product
from retrieval.services.indexes import Model, list_searchable_photos

ASKED = 40
FIRST = 10
SHOWN = 6


@dataclass(frozen=True, slots=True)
class Change:
    """The first similar products of one, in either index; `kept` stay (0 to 1)."""

    product: Product
    before: tuple[Product, ...]
    after: tuple[Product, ...]
    kept: float


@dataclass(frozen=True, slots=True)
class Side:
    """`complete`: the share of the shop's photos that have a vector; `same_category`: of what is
    found, the share that has the category of what was asked for; `empty`: how often nothing is
    similar."""

    index: IndexVersion
    complete: float
    same_category: float
    empty: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """`kept`: of the first ten, the share that stays (0 to 1), over all that were asked for."""

    before: Side
    after: Side
    asked: int
    kept: float
    changes: tuple[Change, ...]
    """Where most changes."""


def compare_indexes(*, tenant: Tenant, before: IndexVersion, after: IndexVersion) -> Comparison:
    """Ask both for products like some that both have; nothing is written.

    The same products each time, drawn from the whole shop.
    """
    both = Embedding.objects.filter(index=before, photo__verdict="best").filter(
        photo__embeddings__index=after
    )
    # Ids are random: the first of them are a fair sample.
    photos = dict(both.order_by("photo_id").values_list("photo_id", "photo__product")[:ASKED])
    old = {id_: _find(before, id_, product) for id_, product in photos.items()}
    new = {id_: _find(after, id_, product) for id_, product in photos.items()}
    ids = {*photos.values(), *(i for found in (*old.values(), *new.values()) for i in found)}
    products = Product.objects.for_tenant(tenant).in_bulk(ids)
    changes = [
        Change(
            product=products[product],
            before=tuple(products[i] for i in old[photo] if i in products),
            after=tuple(products[i] for i in new[photo] if i in products),
            kept=_overlap(old[photo], new[photo]),
        )
        for photo, product in photos.items()
        if product in products
    ]
    return Comparison(
        before=_describe(before, [(each.product, each.before) for each in changes]),
        after=_describe(after, [(each.product, each.after) for each in changes]),
        asked=len(changes),
        kept=sum(each.kept for each in changes) / len(changes) if changes else 1.0,
        changes=tuple(sorted(changes, key=lambda each: each.kept)[:SHOWN]),
    )


def _find(index: IndexVersion, photo_id: UUID, product_id: UUID) -> list[UUID]:
    vector = Embedding.objects.values_list("vector", flat=True).get(index=index, photo=photo_id)
    wanted = wanting.Wanted(
        Model(index.model_name, index.model_version), list(vector), but_not=product_id
    )
    near = nearest.find_nearest(index=index, wanted=wanted, limit=FIRST)
    return [each.product_id for each in near if each.similarity >= index.cut_off]


def _overlap(before: Sequence[UUID], after: Sequence[UUID]) -> float:
    if not before and not after:
        return 1.0
    return len({*before} & {*after}) / max(len(before), len(after))


def _describe(index: IndexVersion, found: Sequence[tuple[Product, Sequence[Product]]]) -> Side:
    pairs = [(product, each) for product, others in found for each in others]
    same = sum(product.category == each.category for product, each in pairs)
    whole = list_searchable_photos(index.tenant_id).count()
    return Side(
        index=index,
        complete=index.embeddings.count() / whole if whole else 1.0,
        same_category=same / len(pairs) if pairs else 0.0,
        empty=sum(not others for _product, others in found),
    )
