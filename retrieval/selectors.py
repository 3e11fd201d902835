"""Similar garments of a shop by exact search over their embeddings."""

from dataclasses import dataclass

from django.db.models import Prefetch
from pgvector.django import CosineDistance

from accounts.models import Tenant
from annotations.models import Annotation, Colour, Garment

# Of the demo shop's photos, 95 % of the pairs of different categories are less similar than this.
LEAST_SIMILARITY = 0.45


@dataclass(frozen=True, slots=True)
class SimilarGarment:
    """A garment of the same shop on another photo; `similarity` is the cosine, at most 1."""

    garment: Garment
    similarity: float


def nearest_garments(*, tenant: Tenant, garment: Garment, limit: int) -> list[SimilarGarment]:
    """The most similar garments on other photos, best first, one a photo; three queries.

    Only embeddings of the same model version are comparable. Empty where nothing is similar.
    """
    if garment.embedding is None:
        return []
    model = garment.annotation
    nearest = (
        Garment.objects.for_tenant(tenant)
        .filter(
            annotation__model_name=model.model_name,
            annotation__model_version=model.model_version,
            embedding__isnull=False,
        )
        .exclude(annotation__image_id=model.image_id)
        .annotate(distance=CosineDistance("embedding", garment.embedding))
        .filter(distance__lte=1 - LEAST_SIMILARITY)
        .order_by("distance", "id")
        .select_related("annotation__image")
        .prefetch_related(Prefetch("colours", Colour.objects.order_by("position")))
    )
    # A photo may have several annotations with the same garment: more than `limit` are looked at.
    found: dict[object, SimilarGarment] = {}
    for each in nearest[: limit * 4]:
        similarity = 1 - each.distance  # type: ignore[attr-defined]
        found.setdefault(each.annotation.image_id, SimilarGarment(each, similarity))
    return list(found.values())[:limit]


def main_garment(*, annotation: Annotation) -> Garment | None:
    """The one that similar items are looked for; one query."""
    garments = annotation.garments.exclude(embedding=None).select_related("annotation")
    return garments.order_by("-primary", "-confidence", "id").first()
