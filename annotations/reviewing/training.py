"""From reviews to heads in use: asked for, trained as a job, compared, promoted, taken back.

Of a shop, or where `tenant` is None of all shops that consented, for those that use none of their
own.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet

from accounts.models import Tenant, User
from annotations import jobs
from annotations.models import Annotation, Garment, Origin, Review, ReviewSettings, TrainedHead
from annotations.reviewing import examples, heads, lessons
from annotations.reviewing.examples import Example
from annotations.reviewing.lessons import Lesson, apply_lesson
from annotations.reviewing.thresholds import CATEGORY
from annotations.reviewing.use import load_lesson
from inference import contract, taxonomy

logger = logging.getLogger(__name__)

FEWEST = 50
FEWEST_HELD_OUT = 10
# An attribute that the model says as reviewers do has nothing to learn.
FEWEST_WRONG = 10
# A value, or a shop, of which so many photos are held out must not lose more than a point.
COUNTS = 20
MOST_LOSS = 0.01


class NoConsent(Exception):
    """The shop has not said that its reviews may train the model."""


class TooFewReviews(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(f"{number} of {FEWEST} reviewed garments.")
        self.number = number


class AlreadyTraining(Exception):
    """A head of this shop waits for its training or is in it."""


class NotPromotable(Exception):
    """It is not ready, or was not better than what is in use."""


Tell = Callable[[float], None]
Row = tuple[str, int, int, int]
"""A value or a shop: how many were held out, and how many of them were right before and are now."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A head of one key beside what is in use, on what it has not learned from."""

    key: str
    head: heads.Head
    rows: Sequence[Row]
    held_out: int
    before: int
    after: int
    shops: Sequence[Row]

    @property
    def is_better(self) -> bool:
        return self.after > self.before and not _loses(self.rows) and not _any_loses(self.shops)

    def describe(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "used": self.is_better,
            "held_out": self.held_out,
            "before": self.before,
            "after": self.after,
            "values": [_describe_row(row) for row in self.rows],
            "shops": [_describe_row(row) for row in self.shops],
        }


@dataclass(frozen=True, slots=True)
class WouldChange:
    """What would be said of a garment that nobody has reviewed: key, before, after, how surely."""

    garment: Garment
    changes: Sequence[tuple[str, str, str, float]]


def request_training(*, tenant: Tenant | None, by: User | None, now: datetime) -> TrainedHead:
    """Raises NoConsent, TooFewReviews and AlreadyTraining."""
    consents = ReviewSettings.objects.filter(training_consent=True)
    if not (consents.for_tenant(tenant) if tenant else consents).exists():
        raise NoConsent
    model = examples.find_model(tenant=tenant)
    number = examples.count_examples(tenant=tenant, model=model)
    if model is None or number < FEWEST:
        raise TooFewReviews(number)
    rows = filter_heads(tenant=tenant)
    last = rows.aggregate(last=Max("number"))["last"] or 0
    try:
        with transaction.atomic():
            head = TrainedHead.objects.create(
                tenant=tenant,
                number=last + 1,
                model_name=model[0],
                model_version=model[1],
                created_by=by,
                created_at=now,
            )
            jobs.defer_training(head.id)
    except IntegrityError as error:
        raise AlreadyTraining from error
    return head


def run_training(*, head_id: UUID) -> None:
    """Train, compare and store; a run that is repeated begins anew. Reads the clock itself."""
    rows = TrainedHead.objects.filter(id=head_id, state__in=("waiting", "running"))
    head = rows.select_related("tenant").first()
    if head is None:  # done by another run, or deleted with its shop
        return
    rows.update(state=TrainedHead.State.RUNNING, progress=0)
    try:
        _train(head, tell=lambda part: _tell(head_id, part))
    except Exception:
        # A defect: it ends here, so that the shop can ask again.
        rows.update(
            state=TrainedHead.State.FAILED,
            error="Something broke on our side.",
            finished_at=datetime.now(UTC),
        )
        raise


@transaction.atomic
def promote_head(*, tenant: Tenant | None, head_id: UUID, now: datetime) -> TrainedHead:
    """Use this head from now on; values of people stay theirs.

    Raises TrainedHead.DoesNotExist and NotPromotable.
    """
    rows = filter_heads(tenant=tenant).select_for_update(of=("self",))
    head = rows.get(id=head_id)
    if head.state != TrainedHead.State.READY:
        raise NotPromotable
    filter_heads(tenant=tenant).filter(is_in_use=True).update(is_in_use=False)
    head.is_in_use, head.promoted_at = True, now
    head.save(update_fields=["is_in_use", "promoted_at"])
    return head


@transaction.atomic
def roll_back(*, tenant: Tenant | None) -> TrainedHead | None:
    """Back to the head that was in use before, or to the model alone; return what is in use."""
    rows = filter_heads(tenant=tenant)
    current = rows.filter(is_in_use=True).select_for_update(of=("self",)).first()
    if current is None:
        return None
    current.is_in_use = False
    current.save(update_fields=["is_in_use"])
    before = rows.filter(promoted_at__lt=current.promoted_at, state=TrainedHead.State.READY)
    head = before.order_by("-promoted_at").first()
    if head is not None:
        head.is_in_use = True
        head.save(update_fields=["is_in_use"])
    return head


def filter_heads(*, tenant: Tenant | None) -> "QuerySet[TrainedHead]":
    return TrainedHead.objects.filter(tenant=tenant)


def count_erased(head: TrainedHead) -> int:
    """How many of the reviews that it learned from are gone, with their photos; one query."""
    there = Review.objects.filter(id__in=head.reviews).count()
    return len(head.reviews) - there


def list_would_change(head: TrainedHead, *, most: int = 200) -> list[WouldChange]:
    """A dry run over main garments that nobody has reviewed: of which something would be another;
    by product."""
    lesson = load_lesson(head.id)
    garments = Garment.objects.filter(
        annotation__model_name=head.model_name,
        annotation__model_version=head.model_version,
        annotation__state=Annotation.State.DONE,
        annotation__reviewed_at=None,
        primary=True,
        category_origin=Origin.MODEL,
        embedding__isnull=False,
    )
    if head.tenant_id:
        garments = garments.filter(annotation__tenant_id=head.tenant_id)
    garments = garments.select_related("annotation__image").prefetch_related("labels", "colours")
    found = []
    for garment in garments.order_by("annotation__product", "id").iterator(chunk_size=500):
        now = _rebuild(garment, None)
        changes = _compare(now, apply_lesson(lesson, _rebuild(garment, garment.model_said)))
        if changes:
            found.append(WouldChange(garment, changes))
            if len(found) == most:
                break
    return found


def _rebuild(row: Garment, said: Mapping[str, Any] | None) -> contract.Garment:
    """As the engine had answered: with what the model itself had said, where it was kept."""
    labels = [{"key": x.key, "name": x.name, "confidence": x.confidence} for x in row.labels.all()]
    said = said or {
        "name": row.category,
        "confidence": row.category_confidence,
        "alternatives": row.alternatives,
    }
    return contract.Garment(
        object=row.object_type,  # type: ignore[arg-type]
        confidence=row.confidence,
        primary=row.primary,
        box=row.box,
        category=contract.Category(
            said["name"],
            said["confidence"],
            tuple(contract.Alternative(**each) for each in said["alternatives"]),
        ),
        attributes=tuple(contract.Label(**each) for each in said.get("labels", labels)),
        embedding=tuple(row.embedding or ()),
    )


def _compare(
    before: contract.Garment, after: contract.Garment
) -> list[tuple[str, str, str, float]]:
    """Key, value before, value after, how surely."""
    changes = []
    if before.category.name != after.category.name:
        category = after.category
        changes.append((CATEGORY, before.category.name, category.name, category.confidence))
    old, new = ({x.key: x for x in each.attributes} for each in (before, after))
    for key in sorted(old.keys() | new.keys()):
        was, becomes = old.get(key), new.get(key)
        if (was and was.name) != (becomes and becomes.name):
            names = [each.name if each else "" for each in (was, becomes)]
            changes.append((key, names[0], names[1], becomes.confidence if becomes else 0.0))
    return changes


def _train(head: TrainedHead, *, tell: Tell) -> None:
    model = head.model_name, head.model_version
    found = list(examples.list_examples(tenant=head.tenant, model=model))
    size = len(found[0].embedding) if found else 0
    found = [example for example in found if len(example.embedding) == size]
    in_use = filter_heads(tenant=head.tenant).filter(
        is_in_use=True, model_name=model[0], model_version=model[1]
    )
    old = in_use.first()
    present = load_lesson(old.id).heads if old else {}
    tried = list(_try_keys(found, present=present, tell=tell))
    used = {each.key: each.head for each in tried if each.is_better}
    kept = {key: one for key, one in present.items() if key not in used and one.size == size}
    lesson = Lesson(kept | used)
    head.size = size
    head.labels, head.weights = lesson.labels, lesson.to_bytes()
    head.reviews = sorted({x.review_id for x in found if not x.is_held_out}, key=str)
    report: dict[str, Any] = {"examples": len(found), "against": old.number if old else None}
    report |= {"keys": [each.describe() for each in tried]}
    _finish(head, TrainedHead.State.READY if used else TrainedHead.State.REFUSED, report)


def _try_keys(
    found: Sequence[Example], *, present: Mapping[str, heads.Head], tell: Tell
) -> Iterator[Tried]:
    """A head for each key of which there is enough to learn and to compare."""
    keys = [CATEGORY, *(attribute.key for attribute in taxonomy.load().attributes)]
    for number, key in enumerate(keys):
        tell(number / len(keys))
        part = examples.pick(found, key)
        held_out = sum(example.is_held_out for example in part)
        is_enough = len(part) - held_out >= FEWEST // 2 and held_out >= FEWEST_HELD_OUT
        if not is_enough or (key != CATEGORY and examples.count_wrong(part, key) < FEWEST_WRONG):
            continue
        table = examples.build_table(part, key)
        learned = heads.train(
            table,
            labels=lessons.list_labels(key),
            tell=partial(_tell_part, tell, number, len(keys)),
        )
        old = present.get(key)
        if old is not None and old.weights.shape != learned.weights.shape:
            old = None  # of an earlier taxonomy
        compared = heads.compare(old.weights if old else None, learned, table)
        shops = _compare_shops(part, table, old, learned)
        yield Tried(key, learned, *compared, shops=shops)


def _tell_part(tell: Tell, number: int, of: int, share: float) -> None:
    """Of one of several keys."""
    tell((number + share) / of)


def _compare_shops(
    part: Sequence[Example], table: heads.Examples, old: heads.Head | None, learned: heads.Head
) -> list[Row]:
    """The same of each shop, so that none pays for the others."""
    shops = sorted({x.tenant_id for x in part}, key=str)
    rows = []
    for shop in shops if len(shops) > 1 else ():
        mask = np.array([x.tenant_id == shop for x in part])
        counts = heads.compare(old.weights if old else None, learned, table.pick(mask))[1:]
        rows.append((str(shop), counts[0], counts[1], counts[2]))
    return rows


def _describe_row(row: Row) -> dict[str, Any]:
    name, held_out, before, after = row
    return {"name": name, "held_out": held_out, "before": before, "after": after}


def _any_loses(rows: Sequence[Row]) -> bool:
    return any(n >= COUNTS and (b - a) / n > MOST_LOSS for _name, n, b, a in rows)


def _loses(rows: Sequence[Row]) -> bool:
    """Whether a value, or all that gained nothing together, is worse by more than a point."""
    others = [(n, b, a) for _name, n, b, a in rows if a <= b]
    n, b, a = (sum(row[i] for row in others) for i in range(3))
    return _any_loses(rows) or (n > 0 and (b - a) / n > MOST_LOSS)


def _finish(head: TrainedHead, state: TrainedHead.State, report: dict[str, Any]) -> None:
    rows = TrainedHead.objects.filter(id=head.id, state=TrainedHead.State.RUNNING)
    rows.update(
        state=state,
        progress=1,
        report=report,
        size=head.size,
        labels=head.labels,
        weights=head.weights,
        reviews=head.reviews,
        finished_at=datetime.now(UTC),
    )
    logger.info("Head %s of shop %s: %s", head.number, head.tenant_id, state)


def _tell(head_id: UUID, part: float) -> None:
    TrainedHead.objects.filter(id=head_id).update(progress=part)
