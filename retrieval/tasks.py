"""Jobs of the catalogue. Each may run any number of times: what is done is not done again."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app

from annotations.jobs import BULK_QUEUE
from inference import client
from retrieval import jobs
from retrieval.models import IndexVersion
from retrieval.services import (
    audits,
    building,
    details,
    duplicates,
    fetching,
    imports,
    outfits,
    testing,
)

RETRY = RetryStrategy(max_attempts=50, wait=5, linear_wait=5, retry_exceptions=imports.AWAY)


@app.task(name=jobs.COMPARE_TASK, queue=BULK_QUEUE, retry=RETRY)
def compare_photos(
    *, product_image_ids: Sequence[str] = (), product_image_id: str | None = None
) -> None:
    """`product_image_id` is what jobs have that an earlier version deferred."""
    ids = [*product_image_ids, *([product_image_id] if product_image_id else ())]
    duplicates.compare_photos(product_image_ids=[UUID(id_) for id_ in ids], now=datetime.now(UTC))


@app.task(name=jobs.MEASURE_TASK, queue=BULK_QUEUE, retry=RETRY)
def measure_photo(*, product_image_id: str) -> None:
    audits.measure_product_photo(product_image_id=UUID(product_image_id))


@app.periodic(cron="23 * * * *")
@app.task(queueing_lock="retrieval.measure_missing")
def measure_missing(timestamp: int) -> None:
    jobs.defer_measuring_missing(after=None)


@app.task(name=jobs.MEASURE_MISSING_TASK, queue=BULK_QUEUE, retry=RETRY)
def measure_missing_photos(*, after: str | None) -> None:
    stopped_at = audits.measure_missing(after=UUID(after) if after else None)
    if stopped_at is not None:
        jobs.defer_measuring_missing(after=stopped_at)


@app.task(
    name=jobs.FETCH_TASK,
    queue=jobs.FETCH_QUEUE,
    retry=RetryStrategy(
        max_attempts=50, exponential_wait=5, retry_exceptions=[fetching.FetchLater, *imports.AWAY]
    ),
    pass_context=True,
)
def fetch_photo(context: JobContext, *, product_image_id: str) -> None:
    attempt = (context.job.attempts if context.job else 0) + 1
    fetching.fetch_photo(
        product_image_id=UUID(product_image_id), attempt=attempt, now=datetime.now(UTC)
    )


@app.task(name=jobs.IMPORT_TASK, queue=jobs.IMPORT_QUEUE, retry=RETRY)
def run_import(*, import_id: str) -> None:
    imports.run_import(import_id=UUID(import_id), clock=_now)


@app.task(
    name=jobs.INDEX_TASK,
    queue=BULK_QUEUE,
    retry=RetryStrategy(
        max_attempts=1000,
        wait=10,
        retry_exceptions=[client.Overloaded, client.Unavailable, *imports.AWAY],
    ),
)
def build_index(*, index_id: str) -> None:
    if building.build_part(index_id=UUID(index_id), now=datetime.now(UTC)):
        jobs.defer_index_part(IndexVersion(id=UUID(index_id)))


@app.task(
    name=jobs.DETAILS_TASK,
    queue=BULK_QUEUE,
    retry=RetryStrategy(
        max_attempts=100,
        wait=10,
        retry_exceptions=[client.Overloaded, client.Unavailable, *imports.AWAY],
    ),
)
def build_details(*, tenant_id: str, model: str) -> None:
    # Without weights there is nothing to do until a search asks again.
    with contextlib.suppress(client.NoDetails):
        if details.build_part(tenant_id=UUID(tenant_id), model=model):
            jobs.defer_details(UUID(tenant_id), model)


@app.task(
    name=jobs.OUTFIT_TASK,
    queue=BULK_QUEUE,
    retry=RetryStrategy(
        max_attempts=1000,
        wait=10,
        retry_exceptions=[client.Overloaded, client.Unavailable, *imports.AWAY],
    ),
)
def prepare_outfits(*, tenant_id: str) -> None:
    if outfits.prepare_part(tenant_id=UUID(tenant_id)):
        jobs.defer_outfits(UUID(tenant_id))


@app.task(name=jobs.TEST_TASK, queue=BULK_QUEUE, retry=RETRY)
def test_one_search(*, index_id: str) -> None:
    index = IndexVersion.objects.filter(id=index_id).first()
    if index is not None:
        with contextlib.suppress(client.Unavailable, client.Overloaded):
            testing.test_search(index=index, now=datetime.now(UTC))


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="retrieval.follow_engines")
def follow_engines(timestamp: int) -> None:
    # Engines that are away are asked again in five minutes.
    with contextlib.suppress(client.Unavailable):
        building.follow_engines(now=datetime.fromtimestamp(timestamp, UTC))


@app.periodic(cron="52 3 * * *")
@app.task(queueing_lock="retrieval.recalibrate")
def recalibrate(timestamp: int) -> None:
    building.recalibrate_all()


@app.periodic(cron="7 4 * * *")
@app.task(queueing_lock="retrieval.test_searches")
def test_searches(timestamp: int) -> None:
    testing.test_all(now=datetime.fromtimestamp(timestamp, UTC))


@app.periodic(cron="37 3 * * *")
@app.task(queueing_lock="retrieval.forget_old_imports")
def forget_old_imports(timestamp: int) -> None:
    now = datetime.fromtimestamp(timestamp, UTC)
    imports.forget_old_imports(now=now)
    imports.sweep_files(now=now)


def _now() -> datetime:
    return datetime.now(UTC)
