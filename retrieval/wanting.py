"""What is looked for: a photo's garment, an annotation's, or a product."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from annotations.models import Annotation, Garment
from inference import contract
from retrieval.looks import Look, describe_look
from retrieval.models import ActiveIndex, Embedding, IndexVersion, Product, ProductImage
from retrieval.services.indexes import Model


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: a vector of a model; without a look there is no reason to give."""

    model: Model
    vector: Sequence[float]
    look: Look | None = None
    box: contract.Box | None = None
    but_not: UUID | None = None
    """The product that it is itself."""
    but_not_photo: UUID | None = None
    """A photo that is asked for as if it were not there."""


def want_found(
    result: contract.AnnotationResult, garment: contract.Garment | None = None
) -> Wanted | None:
    """The engine's main garment, or the given one of its answer; None where there is none."""
    seen = [each for each in result.garments if each.embedding]
    best = garment or max(seen, key=lambda each: (each.primary, each.confidence), default=None)
    if best is None or not best.embedding:
        return None
    look = Look(
        object_type=best.object,
        category=best.category.name,
        attributes=frozenset((label.key, label.name) for label in best.attributes),
        colours=tuple((c.name, c.hex, c.share) for c in best.colours),
    )
    model = Model(result.model.name, result.model.version)
    return Wanted(model=model, vector=best.embedding, look=look, box=best.box)


def want_garment(garment: Garment, *, but_not: UUID | None = None) -> Wanted | None:
    """A garment of the shop's photos; None where it has no vector."""
    if garment.embedding is None:
        return None
    model = Model(garment.annotation.model_name, garment.annotation.model_version)
    look = describe_look(garment)
    return Wanted(model, list(garment.embedding), look, garment.box, but_not)


def want_annotation(annotation: Annotation, *, garment_id: UUID | None = None) -> Wanted | None:
    """Its main garment, or the given one; None where there is none. Three queries.

    The product that the photo is of is not what is looked for, if it is of one only.
    """
    garments = _with_look(annotation.garments.exclude(embedding=None))
    if garment_id:
        garments = garments.filter(id=garment_id)
    garment = garments.order_by("-primary", "-confidence", "id").first()
    if garment is None:
        return None
    photos = ProductImage.objects.filter(image_id=annotation.image_id)
    own = set(photos.values_list("product_id", flat=True)[:2])
    return want_garment(garment, but_not=own.pop() if len(own) == 1 else None)


def want_product(product: Product) -> Wanted | None:
    """Its best photo in the index that is searched, else in the newest that has one.

    None where it has no vector. Four queries.
    """
    ready = IndexVersion.State.READY
    active = ActiveIndex.objects.filter(index=OuterRef("index"))
    rows = Embedding.objects.filter(photo__product=product, index__state=ready)
    # "agrees" comes before "best".
    row = (
        rows.select_related("index")
        .order_by(
            Exists(active).desc(), "-index__created_at", "-photo__verdict", "photo__position", "id"
        )
        .first()
    )
    if row is None:
        return None
    garment = _with_look(Garment.objects.filter(id=row.garment_id)).get()
    model = Model(row.index.model_name, row.index.model_version)
    return Wanted(model, list(row.vector), describe_look(garment), garment.box, product.id)


def explain_none(product: Product) -> str:
    """Why `want_product` knows nothing to compare it by: `not-indexed` may pass by itself,
    `no-retriever` and `no-garment` not."""
    garment = product.garment
    if garment is None:
        return "not-indexed" if product.state == Product.State.NEW else "no-garment"
    return "no-retriever" if garment.embedding is None else "not-indexed"


def _with_look(garments: "QuerySet[Garment]") -> "QuerySet[Garment]":
    return garments.select_related("annotation").prefetch_related("labels", "colours")
