"""Many answers at once, in batches: new thresholds, what a grid said of hundreds, and its undo.

A batch and the place that it reached are one transaction, so that work that is killed goes on where
it was, and nothing is done twice.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from django.db import DatabaseError, transaction

from accounts.models import Tenant, User
from annotations import jobs
from annotations.models import Review, ReviewJob
from annotations.reviewing import grid, thresholds
from annotations.reviewing.services import NotUndoable, Reviewer, undo_review

logger = logging.getLogger(__name__)

# Of answers whose threshold is decided anew, which is one query, and of reviews.
RECOUNTED = 2000
REVIEWED = 20
OPEN = (ReviewJob.State.WAITING, ReviewJob.State.RUNNING)


@transaction.atomic
def start_recount(*, tenant: Tenant, by: User | None, now: datetime) -> ReviewJob:
    """Decide anew what waits for a person: at once in a shop of few answers, else by a job.

    One that is still at it begins anew.
    """
    Tenant.objects.select_for_update(of=("self",), no_key=True).get(id=tenant.id)
    rows = ReviewJob.objects.for_tenant(tenant).filter(kind=ReviewJob.Kind.RECOUNT)
    job = rows.filter(state__in=OPEN).select_for_update(of=("self",)).first()
    total = thresholds.filter_unreviewed(tenant=tenant).count()
    if job is None:
        job = ReviewJob(tenant=tenant, kind=ReviewJob.Kind.RECOUNT, total=total)
    job.place, job.done, job.total = None, 0, total
    job.created_by, job.created_at = by, now
    job.save()
    if not _run_batch(job):
        return job
    jobs.defer_review_job(job.id)
    return job


@transaction.atomic
def start_grid(
    *, tenant: Tenant, chosen: grid.Chosen, setting: grid.Setting, by: User, now: datetime
) -> ReviewJob:
    job = ReviewJob.objects.create(
        tenant=tenant,
        kind=ReviewJob.Kind.GRID,
        wish={
            "setting": [setting.key, setting.value, setting.verdict],
            "chosen": [(str(annotation_id), version) for annotation_id, version in chosen],
        },
        total=len(chosen),
        created_by=by,
        created_at=now,
    )
    jobs.defer_review_job(job.id)
    return job


@transaction.atomic
def start_undo(*, tenant: Tenant, job_id: UUID, by: User, now: datetime) -> ReviewJob:
    """Take back all that this person's job in the grid did.

    Raises ReviewJob.DoesNotExist, also where it is still at it or was taken back.
    """
    rows = ReviewJob.objects.for_tenant(tenant).select_for_update(of=("self",))
    done = rows.exclude(reviews=[]).get(
        id=job_id, kind=ReviewJob.Kind.GRID, created_by=by, state=ReviewJob.State.DONE
    )
    # The last first, as what came later may stand on it.
    reviews = [str(review_id) for review_id in reversed(done.reviews)]
    done.reviews = []
    done.save(update_fields=["reviews"])
    job = ReviewJob.objects.create(
        tenant=tenant,
        kind=ReviewJob.Kind.UNDO,
        wish={"reviews": reviews},
        total=len(reviews),
        created_by=by,
        created_at=now,
    )
    jobs.defer_review_job(job.id)
    return job


def run_job(*, job_id: UUID) -> None:
    """To its end, or until the database goes away; it can be run again from anywhere."""
    try:
        while _run_next(job_id):
            pass
    except DatabaseError:
        raise
    except Exception:
        # A defect: it ends here, so that whoever waits is told.
        rows = ReviewJob.objects.filter(id=job_id, state__in=OPEN)
        rows.update(state=ReviewJob.State.FAILED, finished_at=datetime.now(UTC))
        raise


def find_last(*, tenant: Tenant, kinds: Sequence[str], by: User | None = None) -> ReviewJob | None:
    """One query."""
    rows = ReviewJob.objects.for_tenant(tenant).filter(kind__in=kinds).defer("wish")
    if by is not None:
        rows = rows.filter(created_by=by)
    return rows.order_by("-created_at").first()


@transaction.atomic
def _run_next(job_id: UUID) -> bool:
    rows = ReviewJob.objects.filter(id=job_id, state__in=OPEN).select_related("tenant")
    job = rows.select_for_update(of=("self",)).first()
    return job is not None and _run_batch(job)


def _run_batch(job: ReviewJob) -> bool:
    """False where it was the last."""
    job.state = ReviewJob.State.RUNNING
    if not _BATCHES[job.kind](job):
        job.state, job.finished_at, job.wish = ReviewJob.State.DONE, datetime.now(UTC), {}
        logger.info("Review job %s of %s: %d changed", job.kind, job.tenant_id, job.changed)
    job.save()
    return job.is_open


def _recount(job: ReviewJob) -> bool:
    after = None
    if job.place:
        at, annotation_id = job.place
        after = datetime.fromisoformat(at), UUID(annotation_id)
    found = thresholds.recount_batch(tenant=job.tenant, after=after, most=RECOUNTED)
    job.done += found.looked_at
    job.changed += found.changed
    job.total = max(job.total, job.done)
    if found.last is None:
        return False
    job.place = [found.last[0].isoformat(), str(found.last[1])]
    return True


def _set(job: ReviewJob) -> bool:
    key, value, verdict = job.wish["setting"]
    part = job.wish["chosen"][job.done : job.done + REVIEWED]
    reviews, _left = grid.apply_setting(
        tenant=job.tenant,
        chosen=[(UUID(annotation_id), version) for annotation_id, version in part],
        setting=grid.Setting(key, value, Review.Verdict(verdict)),
        by=_reviewer(job),
        now=datetime.now(UTC),
    )
    job.done += len(part)
    job.changed += len(reviews)
    job.reviews = [*job.reviews, *(review.id for review in reviews)]
    return job.done < job.total


def _undo(job: ReviewJob) -> bool:
    part = job.wish["reviews"][job.done : job.done + REVIEWED]
    for review_id in part:
        with suppress(Review.DoesNotExist, NotUndoable):
            undo_review(
                tenant=job.tenant,
                review_id=UUID(review_id),
                by=_reviewer(job),
                now=datetime.now(UTC),
            )
            job.changed += 1
    job.done += len(part)
    return job.done < job.total


def _reviewer(job: ReviewJob) -> Reviewer:
    return Reviewer(user=job.created_by, source=Review.Source.GRID)


_BATCHES: dict[str, Callable[[ReviewJob], bool]] = {
    ReviewJob.Kind.RECOUNT: _recount,
    ReviewJob.Kind.GRID: _set,
    ReviewJob.Kind.UNDO: _undo,
}
