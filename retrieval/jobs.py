"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from procrastinate.contrib.django import app

from annotations.jobs import BULK_QUEUE
from kalas.lib import lanes
from retrieval.models import CatalogueImport, IndexVersion, ProductImage

COMPARE_TASK = "retrieval.compare_photo"
DETAILS_TASK = "retrieval.build_details"
FETCH_TASK = "retrieval.fetch_photo"
IMPORT_TASK = "retrieval.run_import"
MEASURE_TASK = "retrieval.measure_photo"
MEASURE_MISSING_TASK = "retrieval.measure_missing_photos"
OUTFIT_TASK = "retrieval.prepare_outfits"
INDEX_TASK = "retrieval.build_index"
TEST_TASK = "retrieval.test_search"

# A queue of its own, so that hosts that take their time hold up no annotation.
FETCH_QUEUE = "fetches"
# So have imports: of however many shops, they hold up neither a photo that somebody waits for nor
# what annotates the photos that they bring.
IMPORT_QUEUE = "imports"

# Behind every annotation: nobody looks at a page that waits for these.
BEHIND_ALL = -10
# Somebody looks at a page that waits for these: ahead of photos in bulk.
AHEAD_OF_BULK = 5
# After so many photos of a shop, those of others that have fetched fewer have their turn.
FETCHED_IN_TURN = 20


def defer_comparison(*photos: ProductImage) -> None:
    """One job for all of them, in the running transaction."""
    app.configure_task(
        COMPARE_TASK, allow_unknown=False, queue=BULK_QUEUE, priority=BEHIND_ALL
    ).defer(product_image_ids=[str(photo.id) for photo in photos])


def defer_measuring(photo: ProductImage) -> None:
    app.configure_task(
        MEASURE_TASK, allow_unknown=False, queue=BULK_QUEUE, priority=BEHIND_ALL
    ).defer(product_image_id=str(photo.id))


def defer_measuring_missing(*, after: UUID | None) -> None:
    """The next part, if none is queued."""
    lanes.wake(
        "measure",
        task=MEASURE_MISSING_TASK,
        args={"after": str(after) if after else None},
        queue=BULK_QUEUE,
        at=datetime.now(UTC),
        priority=BEHIND_ALL,
    )


def defer_fetch(photo: ProductImage) -> None:
    app.configure_task(FETCH_TASK, allow_unknown=False, queue=FETCH_QUEUE).defer(
        product_image_id=str(photo.id)
    )


def defer_fetches(photos: Sequence[ProductImage], *, waiting: int = 0) -> None:
    """Behind the `waiting` ones that the shop has asked for already, so that a shop with many
    photos does not hold up one with few: the more are before one, the lower is its priority."""
    arguments: list[dict[str, Any]] = [{"product_image_id": str(photo.id)} for photo in photos]
    for turn, part in groupby(
        enumerate(arguments, start=waiting), key=lambda each: each[0] // FETCHED_IN_TURN
    ):
        task = app.configure_task(
            FETCH_TASK, allow_unknown=False, queue=FETCH_QUEUE, priority=-turn
        )
        task.batch_defer(*(each for _number, each in part))


def defer_import(catalogue_import: CatalogueImport) -> None:
    """The next part of it, behind those that wait already; with a lock of the shop, so that all
    shops have their turn, however many imports one of them begins."""
    app.configure_task(
        IMPORT_TASK,
        allow_unknown=False,
        queue=IMPORT_QUEUE,
        lock=f"imports.{catalogue_import.tenant_id}",
    ).defer(import_id=str(catalogue_import.id))


def defer_index_part(index: IndexVersion) -> None:
    """The next part of its build, if none is queued; parts never run side by side."""
    lanes.wake(
        f"index.{index.id}",
        task=INDEX_TASK,
        args={"index_id": str(index.id)},
        queue=BULK_QUEUE,
        at=datetime.now(UTC),
        priority=BEHIND_ALL,
    )


def defer_details(tenant_id: UUID, model: str) -> None:
    """The next part of a shop's details, if none is queued."""
    lanes.wake(
        f"details.{tenant_id}",
        task=DETAILS_TASK,
        args={"tenant_id": str(tenant_id), "model": model},
        queue=BULK_QUEUE,
        at=datetime.now(UTC),
        priority=BEHIND_ALL,
    )


def defer_test(index: IndexVersion, *, now: datetime) -> None:
    """Once, however often it is asked for."""
    lanes.wake(
        f"test.{index.id}",
        task=TEST_TASK,
        args={"index_id": str(index.id)},
        queue=BULK_QUEUE,
        at=now,
        priority=AHEAD_OF_BULK,
    )


def defer_outfits(tenant_id: UUID) -> None:
    """Vectors for what a shop's garments go with; the next part, if none is queued."""
    lanes.wake(
        f"outfits.{tenant_id}",
        task=OUTFIT_TASK,
        args={"tenant_id": str(tenant_id)},
        queue=BULK_QUEUE,
        at=datetime.now(UTC),
        priority=BEHIND_ALL,
    )
