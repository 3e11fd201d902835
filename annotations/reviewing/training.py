"""From reviews to a head in use: asked for, trained as a job, compared, promoted, taken back."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from accounts.models import Tenant, User
from annotations import jobs
from annotations.models import Annotation, Garment, Origin, Review, TrainedHead
from annotations.reviewing import heads, queue
from annotations.reviewing.use import load_head
from inference import taxonomy

logger = logging.getLogger(__name__)

FEWEST = 50
FEWEST_HELD_OUT = 10
HELD_OUT_PERCENT = 25
# A category of which so many photos are held out must not lose more than a point.
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


@dataclass(frozen=True, slots=True)
class Example:
    """A reviewed garment. `said` is what the model itself had said."""

    embedding: Sequence[float]
    right: str
    said: dict[str, Any]
    sha256: str
    review_id: UUID

    @property
    def is_held_out(self) -> bool:
        """The same photo always is, or never."""
        digest = hashlib.sha256(f"held-out {self.sha256}".encode()).digest()
        return int.from_bytes(digest[:4]) % 100 < HELD_OUT_PERCENT


@dataclass(frozen=True, slots=True)
class WouldChange:
    """What the head would call a garment that nobody has reviewed."""

    garment: Garment
    category: str
    confidence: float


def request_training(*, tenant: Tenant, by: User | None, now: datetime) -> TrainedHead:
    """Raises NoConsent, TooFewReviews and AlreadyTraining."""
    if not queue.read_settings(tenant=tenant).training_consent:
        raise NoConsent
    model = find_model(tenant=tenant)
    number = count_examples(tenant=tenant, model=model) if model else 0
    if model is None or number < FEWEST:
        raise TooFewReviews(number)
    rows = TrainedHead.objects.for_tenant(tenant)
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
def promote_head(*, tenant: Tenant, head_id: UUID, now: datetime) -> TrainedHead:
    """Use this head from now on; values of people stay theirs.

    Raises TrainedHead.DoesNotExist and NotPromotable.
    """
    rows = TrainedHead.objects.for_tenant(tenant).select_for_update(of=("self",))
    head = rows.get(id=head_id)
    if head.state != TrainedHead.State.READY:
        raise NotPromotable
    TrainedHead.objects.for_tenant(tenant).filter(is_in_use=True).update(is_in_use=False)
    head.is_in_use, head.promoted_at = True, now
    head.save(update_fields=["is_in_use", "promoted_at"])
    return head


@transaction.atomic
def roll_back(*, tenant: Tenant) -> TrainedHead | None:
    """Back to the head that was in use before, or to the model alone; return what is in use."""
    rows = TrainedHead.objects.for_tenant(tenant)
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


def find_model(*, tenant: Tenant) -> tuple[str, str] | None:
    """Name and version of the model that said what was reviewed last; one query."""
    rows = Annotation.objects.for_tenant(tenant).filter(reviewed_at__isnull=False)
    newest = rows.exclude(model_name="").order_by("-reviewed_at")
    return newest.values_list("model_name", "model_version").first()


def count_examples(*, tenant: Tenant, model: tuple[str, str] | None) -> int:
    """One query."""
    return _find_garments(tenant, model).count() if model else 0


def count_erased(head: TrainedHead) -> int:
    """How many of the reviews that it learned from are gone, with their photos; one query."""
    there = Review.objects.filter(tenant_id=head.tenant_id, id__in=head.reviews).count()
    return len(head.reviews) - there


def list_would_change(head: TrainedHead, *, most: int = 200) -> list[WouldChange]:
    """A dry run over main garments that nobody has reviewed: whose category would be another."""
    learned = load_head(head.id)
    garments = Garment.objects.filter(
        annotation__tenant_id=head.tenant_id,
        annotation__model_name=head.model_name,
        annotation__model_version=head.model_version,
        annotation__state=Annotation.State.DONE,
        annotation__reviewed_at=None,
        primary=True,
        category_origin=Origin.MODEL,
        embedding__isnull=False,
    )
    found = []
    garments = garments.select_related("annotation__image").order_by("annotation__product", "id")
    for garment in garments.iterator(chunk_size=500):
        said = garment.model_said or _describe(garment)
        pairs = [(each["name"], each["confidence"]) for each in said["alternatives"]]
        embedding = np.array(garment.embedding, np.float32)
        if len(embedding) != learned.weights.shape[1] - 1:
            continue
        name, confidence, _others = heads.decide(
            learned, embedding, said["name"], said["confidence"], pairs
        )
        if name != garment.category:
            found.append(WouldChange(garment, name, confidence))
            if len(found) == most:
                break
    return found


def list_examples(*, tenant: Tenant, model: tuple[str, str]) -> Iterator[Example]:
    """Garments whose category a person has accepted or given, with what the model had said."""
    garments = _find_garments(tenant, model).select_related("annotation__image")
    reviews: dict[UUID, list[Review]] = {}
    rows = Review.objects.for_tenant(tenant).filter(kind=Review.Kind.REVIEW, undone_by=None)
    for review in rows.filter(annotation__reviewed_at__isnull=False).order_by("version"):
        reviews.setdefault(review.annotation_id, []).append(review)
    for garment in garments.order_by("id").iterator(chunk_size=500):
        said_in = reviews.get(garment.annotation_id, [])
        if not said_in:
            continue
        said = garment.model_said or _find_said(garment.id, said_in[0])
        if said is None or garment.embedding is None:
            continue
        yield Example(
            embedding=garment.embedding,
            right=garment.category,
            said=said,
            sha256=garment.annotation.image.sha256,
            review_id=said_in[-1].id,
        )


def _train(head: TrainedHead, *, tell: Any) -> None:
    labels = [category.name for category in taxonomy.load().categories]
    model = head.model_name, head.model_version
    examples = [x for x in list_examples(tenant=head.tenant, model=model) if x.right in labels]
    held_out = sum(example.is_held_out for example in examples)
    if len(examples) - held_out < FEWEST // 2 or held_out < FEWEST_HELD_OUT:
        _finish(head, TrainedHead.State.REFUSED, {"examples": len(examples)})
        return
    table = _build_table(examples, labels)
    learned = heads.train(table, labels=labels, tell=tell)
    current = TrainedHead.objects.for_tenant(head.tenant).filter(
        is_in_use=True, model_name=model[0], model_version=model[1]
    )
    old = current.first()
    rows, number, before, after = heads.compare(
        load_head(old.id).weights if old else None, learned, table
    )
    report = {
        "examples": len(examples),
        "held_out": number,
        "before": before,
        "after": after,
        "against": old.number if old else None,
        "categories": [
            {"name": name, "held_out": n, "before": b, "after": a} for name, n, b, a in rows
        ],
    }
    head.labels, head.weights = labels, learned.to_bytes()
    head.reviews = sorted({x.review_id for x in examples if not x.is_held_out}, key=str)
    is_better = after > before and not _loses(rows)
    state = TrainedHead.State.READY if is_better else TrainedHead.State.REFUSED
    _finish(head, state, report)


def _loses(rows: Sequence[tuple[str, int, int, int]]) -> bool:
    """Whether a category, or all that gained nothing together, is worse by more than a point."""
    others = [(n, b, a) for _name, n, b, a in rows if a <= b]
    groups = [(n, b, a) for n, b, a in others if n >= COUNTS]
    groups.append(
        (sum(n for n, _, _ in others), sum(b for _, b, _ in others), sum(a for *_, a in others))
    )
    return any(n and (b - a) / n > MOST_LOSS for n, b, a in groups)


def _finish(head: TrainedHead, state: TrainedHead.State, report: dict[str, Any]) -> None:
    rows = TrainedHead.objects.filter(id=head.id, state=TrainedHead.State.RUNNING)
    rows.update(
        state=state,
        progress=1,
        report=report,
        labels=head.labels,
        weights=head.weights,
        reviews=head.reviews,
        finished_at=datetime.now(UTC),
    )
    logger.info("Head %s of shop %s: %s", head.number, head.tenant_id, state)


def _tell(head_id: UUID, part: float) -> None:
    TrainedHead.objects.filter(id=head_id).update(progress=part)


def _build_table(examples: Sequence[Example], labels: list[str]) -> heads.Examples:
    numbers = {name: number for number, name in enumerate(labels)}
    return heads.Examples(
        embeddings=np.array([x.embedding for x in examples], np.float32),
        priors=np.array(
            [
                heads.make_prior(
                    labels,
                    x.said["name"],
                    x.said["confidence"],
                    [(each["name"], each["confidence"]) for each in x.said["alternatives"]],
                )
                for x in examples
            ],
            np.float32,
        ),
        right=np.array([numbers[x.right] for x in examples], np.int64),
        held_out=np.array([x.is_held_out for x in examples], np.bool_),
    )


def _find_garments(tenant: Tenant, model: tuple[str, str] | None) -> Any:
    name, version = model or ("", "")
    return Garment.objects.for_tenant(tenant).filter(
        Q(annotation__reviewed_at__isnull=False),
        annotation__state=Annotation.State.DONE,
        annotation__model_name=name,
        annotation__model_version=version,
        embedding__isnull=False,
    )


def _find_said(garment_id: UUID, first: Review) -> dict[str, Any] | None:
    for garment in first.before.get("garments", ()):
        if garment["id"] == str(garment_id) and garment["category_origin"] == Origin.MODEL:
            return {
                "name": garment["category"],
                "confidence": garment["category_confidence"],
                "alternatives": garment["alternatives"],
            }
    return None


def _describe(garment: Garment) -> dict[str, Any]:
    return {
        "name": garment.category,
        "confidence": garment.category_confidence,
        "alternatives": garment.alternatives,
    }
