"""What reviewed garments teach: what the model had said of each, and what people made of it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import QuerySet

from accounts.models import Tenant
from annotations.models import Annotation, Garment, Origin, Review, ReviewSettings
from annotations.reviewing import heads, lessons
from annotations.reviewing.lessons import NONE
from annotations.reviewing.thresholds import CATEGORY
from inference import taxonomy

HELD_OUT_PERCENT = 25
# The newest: more teach hardly anything, and take long.
MOST = 20_000
CHUNK = 500

Model = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Example:
    """A reviewed garment. `said` is what the model itself had said; `labels` are attributes by key:
    what the model said (value and confidence, empty for none) and what is right."""

    embedding: Sequence[float]
    right: str
    said: Mapping[str, Any]
    sha256: str
    review_id: UUID
    tenant_id: UUID
    labels: Mapping[str, tuple[str, float, str]] = field(default_factory=dict)

    @property
    def is_held_out(self) -> bool:
        """The same photo always is, or never."""
        digest = hashlib.sha256(f"held-out {self.sha256}".encode()).digest()
        return int.from_bytes(digest[:4]) % 100 < HELD_OUT_PERCENT


def find_model(*, tenant: Tenant | None) -> Model | None:
    """Name and version of the model that said what was reviewed last; one query."""
    rows = _only_of(Annotation.objects.filter(reviewed_at__isnull=False), "", tenant)
    newest = rows.exclude(model_name="").order_by("-reviewed_at")
    found: Model | None = newest.values_list("model_name", "model_version").first()
    return found


def count_examples(*, tenant: Tenant | None, model: Model | None) -> int:
    """One query."""
    return _find_garments(tenant, model).count() if model else 0


def list_examples(*, tenant: Tenant | None, model: Model) -> Iterator[Example]:
    """Garments whose values a person has accepted or given, the newest first. Without a shop: of
    all shops that consented."""
    garments = _find_garments(tenant, model).select_related("annotation__image")
    garments = garments.prefetch_related("labels").order_by("-annotation__reviewed_at", "id")
    for chunk in _in_chunks(garments[:MOST]):
        reviews = _list_reviews([garment.annotation_id for garment in chunk])
        for garment in chunk:
            example = _build_example(garment, reviews.get(garment.annotation_id, []))
            if example:
                yield example


def build_table(examples: Sequence[Example], key: str) -> heads.Examples:
    """Of those that say something of this key, which must be some."""
    labels = lessons.list_labels(key)
    numbers = {name: number for number, name in enumerate(labels)}
    priors, right, used = [], [], []
    for example in examples:
        if key == CATEGORY:
            said = example.said
            pairs = [(each["name"], each["confidence"]) for each in said["alternatives"]]
            prior = heads.make_prior(labels, said["name"], said["confidence"], pairs)
            answer = example.right
        else:
            name, confidence, answer = example.labels[key]
            prior = lessons.make_attribute_prior(labels, name, confidence)
        priors.append(prior)
        right.append(numbers[answer])
        used.append(example)
    return heads.Examples(
        embeddings=np.array([x.embedding for x in used], np.float32),
        priors=np.array(priors, np.float32),
        right=np.array(right, np.int64),
        held_out=np.array([x.is_held_out for x in used], np.bool_),
    )


def pick(examples: Sequence[Example], key: str) -> list[Example]:
    """Those from which a head of this key can learn."""
    known = set(lessons.list_labels(key))
    if key == CATEGORY:
        return [x for x in examples if {x.right, x.said["name"]} <= known]
    return [
        x for x in examples if key in x.labels and {x.labels[key][0], x.labels[key][2]} <= known
    ]


def count_wrong(examples: Sequence[Example], key: str) -> int:
    """How often people said otherwise than the model."""
    if key == CATEGORY:
        return sum(example.right != example.said["name"] for example in examples)
    return sum(example.labels[key][0] != example.labels[key][2] for example in examples)


def _in_chunks(garments: "QuerySet[Garment]") -> Iterator[list[Garment]]:
    chunk: list[Garment] = []
    for garment in garments.iterator(chunk_size=CHUNK):
        chunk.append(garment)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _list_reviews(annotation_ids: Sequence[UUID]) -> dict[UUID, list[Review]]:
    """Those in effect of each, in their order."""
    found: dict[UUID, list[Review]] = {}
    rows = Review.objects.filter(annotation__in=annotation_ids, kind=Review.Kind.REVIEW)
    for review in rows.filter(undone_by=None).defer("after").order_by("version"):
        found.setdefault(review.annotation_id, []).append(review)
    return found


def _build_example(garment: Garment, said_in: Sequence[Review]) -> Example | None:
    """None where it teaches nothing: e.g. it was added by a person."""
    if not said_in or garment.embedding is None:
        return None
    first = next(
        (x for x in said_in[0].before.get("garments", ()) if x["id"] == str(garment.id)), None
    )
    said = garment.model_said or (first and _read_said(first))
    if not said or first is None:
        return None
    return Example(
        embedding=garment.embedding,
        right=garment.category,
        said=said,
        sha256=garment.annotation.image.sha256,
        review_id=said_in[-1].id,
        tenant_id=garment.annotation.tenant_id,
        labels=_read_labels(garment, said, first),
    )


def _read_said(first: Mapping[str, Any]) -> dict[str, Any] | None:
    if first["category_origin"] != Origin.MODEL:
        return None
    return {
        "name": first["category"],
        "confidence": first["category_confidence"],
        "alternatives": first["alternatives"],
    }


def _read_labels(
    garment: Garment, said: Mapping[str, Any], first: Mapping[str, Any]
) -> dict[str, tuple[str, float, str]]:
    """Of the attributes that the garment can have, but not of those that its store has named."""
    foreign = {x["key"] for x in first["labels"] if x["origin"] != Origin.MODEL}
    foreign |= {label.key for label in garment.labels.all() if label.origin == Origin.STORE}
    before = {x["key"]: x for x in said.get("labels", first["labels"])}
    after = {label.key: label.name for label in garment.labels.all()}
    found = {}
    for attribute in taxonomy.load().attributes:
        key = attribute.key
        if key in foreign or garment.category not in attribute.applies_to:
            continue
        value = before.get(key)
        name, confidence = (value["name"], value["confidence"]) if value else (NONE, 0.0)
        found[key] = (name, confidence, after.get(key, NONE))
    return found


def _find_garments(tenant: Tenant | None, model: Model | None) -> "QuerySet[Garment]":
    name, version = model or ("", "")
    rows = Garment.objects.filter(
        annotation__reviewed_at__isnull=False,
        annotation__state=Annotation.State.DONE,
        annotation__model_name=name,
        annotation__model_version=version,
        embedding__isnull=False,
    )
    garments: QuerySet[Garment] = _only_of(rows, "annotation__", tenant)
    return garments


def _only_of(rows: Any, path: str, tenant: Tenant | None) -> Any:
    if tenant is not None:
        return rows.filter(**{f"{path}tenant": tenant})
    consents = ReviewSettings.objects.filter(training_consent=True)
    return rows.filter(**{f"{path}tenant__in": consents.values("tenant")})
