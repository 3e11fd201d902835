"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from procrastinate import jobs
from procrastinate.contrib.django import app

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

# Behind every annotation: nobody looks at a page that waits for these.
BEHIND_ALL = -10
# Somebody looks at a page that waits for these: ahead of photos in bulk, behind single ones.
AHEAD_OF_BULK = 5


def defer_comparison(*photos: ProductImage) -> None:
    """One job for all of them, in the running transaction."""
    app.configure_task(COMPARE_TASK, allow_unknown=False, priority=BEHIND_ALL).defer(
        product_image_ids=[str(photo.id) for photo in photos]
    )


def defer_measuring(photo: ProductImage) -> None:
    app.configure_task(MEASURE_TASK, allow_unknown=False, priority=BEHIND_ALL).defer(
        product_image_id=str(photo.id)
    )


def defer_measuring_missing(*, after: UUID | None) -> None:
    """The next part, if none is queued."""
    lanes.wake(
        "measure",
        task=MEASURE_MISSING_TASK,
        args={"after": str(after) if after else None},
        queue=jobs.DEFAULT_QUEUE,
        at=datetime.now(UTC),
        priority=BEHIND_ALL,
    )


def defer_fetch(photo: ProductImage) -> None:
    app.configure_task(FETCH_TASK, allow_unknown=False, queue=FETCH_QUEUE).defer(
        product_image_id=str(photo.id)
    )


def defer_fetches(photos: Sequence[ProductImage]) -> None:
    arguments: list[dict[str, Any]] = [{"product_image_id": str(photo.id)} for photo in photos]
    if arguments:
        task = app.configure_task(FETCH_TASK, allow_unknown=False, queue=FETCH_QUEUE)
        task.batch_defer(*arguments)


def defer_import(catalogue_import: CatalogueImport) -> None:
    """The next part of it; with a lock, so that parts don't run side by side."""
    app.configure_task(
        IMPORT_TASK,
        allow_unknown=False,
        lock=f"import.{catalogue_import.id}",
        priority=AHEAD_OF_BULK,
    ).defer(import_id=str(catalogue_import.id))


def defer_index_part(index: IndexVersion) -> None:
    """The next part of its build, if none is queued; parts never run side by side."""
    lanes.wake(
        f"index.{index.id}",
        task=INDEX_TASK,
        args={"index_id": str(index.id)},
        queue=jobs.DEFAULT_QUEUE,
        at=datetime.now(UTC),
        priority=BEHIND_ALL,
    )


def defer_details(tenant_id: UUID, model: str) -> None:
    """The next part of a shop's details, if none is queued."""
    lanes.wake(
        f"details.{tenant_id}",
        task=DETAILS_TASK,
        args={"tenant_id": str(tenant_id), "model": model},
        queue=jobs.DEFAULT_QUEUE,
        at=datetime.now(UTC),
        priority=BEHIND_ALL,
    )


def defer_test(index: IndexVersion, *, now: datetime) -> None:
    """Once, however often it is asked for."""
    lanes.wake(
        f"test.{index.id}",
        task=TEST_TASK,
        args={"index_id": str(index.id)},
        queue=jobs.DEFAULT_QUEUE,
        at=now,
        priority=AHEAD_OF_BULK,
    )


def defer_outfits(tenant_id: UUID) -> None:
    """Vectors for what a shop's garments go with; the next part, if none is queued."""
    lanes.wake(
        f"outfits.{tenant_id}",
        task=OUTFIT_TASK,
        args={"tenant_id": str(tenant_id)},
        queue=jobs.DEFAULT_QUEUE,
        at=datetime.now(UTC),
        priority=BEHIND_ALL,
    )
