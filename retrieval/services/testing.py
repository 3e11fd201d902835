"""Whether a shop's search finds what is known to be there, night by night.

A product is asked for by one of its photos as if that photo were not in the index, where it has
others, else by a part of its only photo. Found is it where it is among the first.
"""

import logging
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db.models import Count

from annotations import files
from inference import client
from inference.contract import MIN_SIDE, Box, InvalidImage
from retrieval import nearest, wanting
from retrieval.models import ActiveIndex, Embedding, IndexVersion, SearchTest
from retrieval.services import building, indexes

logger = logging.getLogger(__name__)

ASKED = 100
# Each costs the engine as much as a photo.
PARTS_ASKED = 60
FIRST = 20
# Of each side of the garment's box, so that sleeves and hems are missing.
CUT = 0.12


def test_all(*, now: datetime) -> None:
    """The index that is searched, of each shop that has one."""
    for active in ActiveIndex.objects.select_related("index").iterator():
        try:
            test_search(index=active.index, now=now)
        except (client.Unavailable, client.Overloaded, files.StorageAway) as error:
            logger.warning("The search of %s was not tested: %s", active.tenant_id, error)


def test_search(*, index: IndexVersion, now: datetime) -> SearchTest | None:
    """Ask for some products and keep how many were found; None where none can be asked for."""
    places = [_find_place(index, wanted, product) for wanted, product in _list_questions(index)]
    if not places:
        return None
    return SearchTest.objects.create(
        tenant_id=index.tenant_id,
        index=index,
        asked=len(places),
        recall_1=_share(places, 1),
        recall_5=_share(places, 5),
        recall_20=_share(places, FIRST),
        tested_at=now,
    )


def _list_questions(index: IndexVersion) -> Iterator[tuple[wanting.Wanted, UUID]]:
    model = indexes.Model(index.model_name, index.model_version)
    rows = index.embeddings.select_related("photo__image", "garment")
    counts = Embedding.objects.filter(index=index).values("photo__product")
    several = counts.annotate(number=Count("id")).filter(number__gt=1).values("photo__product")
    # Ids are random, so the first are a fair sample; of the same photos as last night, so that what
    # changes is the search.
    rows = rows.order_by("photo_id")
    for row in rows.filter(photo__product__in=several)[:ASKED]:
        yield (
            wanting.Wanted(model, list(row.vector), but_not_photo=row.photo_id),
            row.photo.product_id,
        )
    alone = rows.exclude(photo__product__in=several)[: PARTS_ASKED * 2]
    engine = building.find_engines().by_model.get(model) if alone else None
    if engine is None:
        return
    parts = ((_embed_part(row, model, engine), row) for row in alone)
    answered = ((vector, row) for vector, row in parts if vector is not None)
    for vector, row in islice(answered, PARTS_ASKED):
        yield wanting.Wanted(model, vector), row.photo.product_id


def _embed_part(row: Embedding, model: indexes.Model, engine: client.Client) -> list[float] | None:
    """None where the photo is too small for a part, or the model sees nothing there."""
    image = row.photo.image
    assert image is not None  # noqa: S101 - else it had no vector
    box = row.garment.box
    across, down = _cut(box.width), _cut(box.height)
    if not (across or down):
        return None
    part = Box(box.left + across, box.top + down, box.right - across, box.bottom - down)
    try:
        result = engine.annotate(files.read_photo(image), crop=part)
    except (FileNotFoundError, InvalidImage, ValueError):
        return None
    wanted = wanting.want_found(result)
    return list(wanted.vector) if wanted and wanted.model == model else None


def _cut(side: int) -> int:
    """Pixels from both ends."""
    return max(0, min(round(side * CUT), (side - MIN_SIDE) // 2))


def _find_place(index: IndexVersion, wanted: wanting.Wanted, product_id: UUID) -> int | None:
    """Counted from 1; None where it is not among the first."""
    found = nearest.find_nearest(index=index, wanted=wanted, limit=FIRST)
    ids = [each.product_id for each in found]
    return ids.index(product_id) + 1 if product_id in ids else None


def _share(places: list[int | None], most: int) -> float:
    return sum(place is not None and place <= most for place in places) / len(places)
