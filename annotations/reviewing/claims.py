"""Who works on what: of several reviewers each gets photos of their own."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Func, Q, Value

from accounts.models import Tenant, User
from annotations import live
from annotations.models import Annotation, AnnotationQuerySet, ReviewTask
from annotations.reviewing import queue
from annotations.reviewing.queue import ALL, Wanted

# Longer than a person looks at the few photos that a page has fetched; each answer extends it.
CLAIM = timedelta(minutes=10)
MOST = 20

# The unique row decides: of two who ask for the same annotation one gets it back.
_CLAIM = """
    INSERT INTO annotations_reviewtask
        (annotation_id, tenant_id, claimed_by_id, claimed_until, skipped_by, note, created_at)
    SELECT a.id, a.tenant_id, %(user)s, %(until)s, '{}', '', %(now)s
    FROM annotations_annotation AS a WHERE a.id = ANY(%(ids)s)
    ON CONFLICT (annotation_id) DO UPDATE
        SET claimed_by_id = excluded.claimed_by_id, claimed_until = excluded.claimed_until
        WHERE annotations_reviewtask.claimed_by_id IS NULL
            OR annotations_reviewtask.claimed_by_id = excluded.claimed_by_id
            OR annotations_reviewtask.claimed_until <= %(now)s
    RETURNING annotation_id
"""


class NotAReviewer(ValueError):
    """The person can't review in this shop."""


def claim_next(
    *,
    tenant: Tenant,
    reviewer: User,
    number: int,
    now: datetime,
    wanted: Wanted = ALL,
    without: Sequence[UUID] = (),
    skipped: bool = True,
) -> list[UUID]:
    """Up to `number` annotations for this reviewer alone, in the wanted order: first what they
    have claimed already, then what is meant for them, then what is free, last what they `skipped`.

    `without` are at hand already; their claims are extended.
    """
    number = min(number, MOST)
    rows = queue.filter_queue(tenant=tenant, wanted=wanted, now=now).exclude(id__in=without)
    has_skipped = queue.skipped(user=reviewer)
    free = queue.free_for(rows, user=reviewer, now=now)
    assigned = queue.assigned_to(rows, user=reviewer).exclude(has_skipped)
    groups = [assigned]
    if not wanted.only_mine:
        groups.append(free.exclude(has_skipped))
        if skipped:
            groups.append(free.filter(has_skipped))
    claimed: list[UUID] = []
    with transaction.atomic():
        _extend(tenant, reviewer, without, now)
        _fill(claimed, queue.claimed_by(rows, user=reviewer, now=now), number, reviewer, now)
        own = set(claimed)
        for group in groups:
            _fill(claimed, group, number, reviewer, now)
    # Who has had it before tells nobody news, least of all themselves, who would ask again.
    for annotation_id in [each for each in claimed if each not in own]:
        live.announce_review(tenant_id=tenant.id, annotation_id=annotation_id, state="claimed")
    return claimed


def claim_one(*, tenant: Tenant, reviewer: User, annotation_id: UUID, now: datetime) -> bool:
    """Claim this one, whatever the queue says; False where somebody else works on it.

    Raises Annotation.DoesNotExist.
    """
    annotation = Annotation.objects.for_tenant(tenant).only("id").get(id=annotation_id)
    won = _claim([annotation.id], reviewer, now)
    if won:
        live.announce_review(tenant_id=tenant.id, annotation_id=annotation_id, state="claimed")
    return bool(won)


def find_claimer(*, tenant: Tenant, annotation_id: UUID, now: datetime) -> User | None:
    task = ReviewTask.objects.for_tenant(tenant).filter(
        annotation=annotation_id, claimed_until__gt=now
    )
    found = task.select_related("claimed_by").first()
    return found.claimed_by if found else None


def keep(
    *, tenant: Tenant, reviewer: User, annotation_ids: Sequence[UUID], now: datetime
) -> set[UUID]:
    """Of an open page, before they run out; also take again what ran out while its computer slept,
    unless somebody else has it or has reviewed it. Return what this person has."""
    rows = Annotation.objects.for_tenant(tenant).filter(id__in=annotation_ids)
    # A review ends every claim.
    still = rows.filter(Q(needs_review=True) | Q(task__claimed_by=reviewer))
    return _claim(list(still.values_list("id", flat=True)), reviewer, now)


@transaction.atomic
def return_claims(*, tenant: Tenant, reviewer: User, annotation_ids: Sequence[UUID]) -> int:
    """Give back what this person has claimed, e.g. when they close the page; return how many."""
    tasks = ReviewTask.objects.for_tenant(tenant).filter(
        annotation__in=annotation_ids, claimed_by=reviewer
    )
    returned = list(tasks.values_list("annotation_id", flat=True))
    tasks.update(claimed_by=None, claimed_until=None)
    for annotation_id in returned:
        live.announce_review(tenant_id=tenant.id, annotation_id=annotation_id, state="waiting")
    return len(returned)


@transaction.atomic
def skip(*, tenant: Tenant, reviewer: User, annotation_id: UUID, now: datetime) -> None:
    """Let somebody else do it; for this person it comes last.

    Raises Annotation.DoesNotExist.
    """
    annotation = Annotation.objects.for_tenant(tenant).only("id").get(id=annotation_id)
    task, _created = ReviewTask.objects.select_for_update(of=("self",)).get_or_create(
        annotation=annotation, defaults={"tenant": tenant, "created_at": now}
    )
    if reviewer.pk not in task.skipped_by:
        task.skipped_by = [*task.skipped_by, reviewer.pk]
    if task.claimed_by_id == reviewer.pk:
        task.claimed_by, task.claimed_until = None, None
    if task.assigned_to_id == reviewer.pk:
        task.assigned_to = None
    task.save(update_fields=["skipped_by", "claimed_by", "claimed_until", "assigned_to"])
    live.announce_review(tenant_id=tenant.id, annotation_id=annotation_id, state="waiting")


@transaction.atomic
def assign(
    *, tenant: Tenant, annotation_ids: Sequence[UUID], reviewer: User | None, now: datetime
) -> int:
    """Mean these for one reviewer, or for nobody in particular; return how many there are.

    Raises NotAReviewer.
    """
    if reviewer and not queue.list_reviewers(tenant=tenant).filter(pk=reviewer.pk).exists():
        raise NotAReviewer
    rows = Annotation.objects.for_tenant(tenant).filter(id__in=annotation_ids, needs_review=True)
    ids = list(rows.values_list("id", flat=True))
    ReviewTask.objects.bulk_create(
        (
            ReviewTask(annotation_id=each, tenant=tenant, assigned_to=reviewer, created_at=now)
            for each in ids
        ),
        update_conflicts=True,
        unique_fields=["annotation"],
        update_fields=["assigned_to"],
    )
    tasks = ReviewTask.objects.for_tenant(tenant).filter(annotation__in=ids)
    tasks.exclude(claimed_by=reviewer).update(claimed_by=None, claimed_until=None)
    if reviewer:
        gone = Func("skipped_by", Value(reviewer.pk), function="array_remove")
        tasks.filter(skipped_by__contains=[reviewer.pk]).update(skipped_by=gone)
    for annotation_id in ids:
        live.announce_review(tenant_id=tenant.id, annotation_id=annotation_id, state="waiting")
    return len(ids)


def _fill(
    claimed: list[UUID],
    group: AnnotationQuerySet,
    number: int,
    reviewer: User,
    now: datetime,
) -> None:
    """Until there are enough or the group is empty: what others just took is left to them."""
    while len(claimed) < number:
        rows = group.exclude(id__in=claimed).select_for_update(skip_locked=True, of=("self",))
        ids = [row.id for row in rows.only("id")[: number - len(claimed)]]
        if not ids:
            return
        won = _claim(ids, reviewer, now)
        claimed += [each for each in ids if each in won]
        if not won:
            return


def _claim(ids: Sequence[UUID], reviewer: User, now: datetime) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM, {"user": reviewer.pk, "until": now + CLAIM, "now": now, "ids": list(ids)}
        )
        return {row[0] for row in cursor.fetchall()}


def _extend(tenant: Tenant, reviewer: User, ids: Sequence[UUID], now: datetime) -> None:
    tasks = ReviewTask.objects.for_tenant(tenant).filter(annotation__in=ids, claimed_by=reviewer)
    tasks.update(claimed_until=now + CLAIM)
