"""The engine's answers, stored; those that are there together in one transaction.

Locks follow one order everywhere: photo, annotation, batch, product, lanes of webhooks; of several
rows of one kind by their ids.

A commit does not wait for the disk: what a crash of PostgreSQL takes back waits again, and is
answered again, with garments of the same ids.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import F, Model

from annotations import batches, interests, live, signals
from annotations.models import Annotation, Colour, Garment, Label
from annotations.reviewing.carry import carry_over
from annotations.reviewing.standing import Standing, read_standings
from annotations.reviewing.use import Learned, use_head
from annotations.signals import Finished
from inference.contract import Alternative, AnnotationResult
from inference.contract import Garment as FoundGarment
from kalas.lib.row_inserts import insert_rows
from kalas.lib.row_updates import update_each


@dataclass(frozen=True, slots=True)
class Answer:
    annotation: Annotation
    result: AnnotationResult


@dataclass(frozen=True, slots=True)
class _Ready:
    """An answer with what the shop's decisions make of it."""

    annotation: Annotation
    standing: Standing
    learned: Learned
    values: Mapping[str, Any]


def record_result(*, annotation: Annotation, result: AnnotationResult, now: datetime) -> bool:
    """Store the engine's answer to a waiting annotation; announce it after commit.

    False, and nothing is stored, when it was answered or deleted meanwhile: jobs may run twice.
    """
    return bool(record_results(answers=[Answer(annotation, result)], now=now))


@transaction.atomic
def record_results(*, answers: Sequence[Answer], now: datetime) -> list[Annotation]:
    """The same for several of one shop, all or nothing, by hardly more queries than one takes;
    returns those that were stored, in the order of their ids."""
    ready = sorted(_prepare(answers, now=now), key=lambda each: each.annotation.id)
    won = update_each(
        Annotation,
        [{"id": each.annotation.id, **each.values} for each in ready],
        only_in_state=Annotation.State.PENDING,
        may_forget=True,
    )
    stored = [each for each in ready if each.annotation.id in won]
    if not stored:
        return []
    for each in stored:
        for name, value in each.values.items():
            setattr(each.annotation, name, value)
    annotations = [each.annotation for each in stored]
    live.announce_annotations(annotations)
    _store_garments([(each.annotation, each.learned) for each in stored])
    for each in stored:
        if each.standing.is_again and carry_over(
            each.annotation, thresholds=each.standing.thresholds, now=now
        ):
            vars(each.annotation).pop("_prefetched_objects_cache", None)
    _tell_finished(
        [
            Finished(
                each.annotation, is_only=not each.standing.is_again and not each.annotation.crop
            )
            for each in stored
        ],
        now=now,
    )
    return annotations


@transaction.atomic
def record_failure(*, annotation: Annotation, reason: str, now: datetime) -> bool:
    """Give up on a waiting annotation with words for a person; False if it was answered."""
    values = {"state": Annotation.State.FAILED, "error": reason[:300], "finished_at": now}
    if not Annotation.objects.pending().filter(id=annotation.id).update(**values):
        return False
    for name, value in values.items():
        setattr(annotation, name, value)
    live.announce_annotation(annotation)
    _tell_finished([Finished(annotation, is_only=False)], now=now)
    return True


def record_fault(*, annotation: Annotation) -> int:
    """Count that the engine broke while it had this photo; return how often it did."""
    rows = Annotation.objects.filter(id=annotation.id)
    rows.update(faults=F("faults") + 1)
    return rows.values_list("faults", flat=True).first() or 0


def _prepare(answers: Sequence[Answer], *, now: datetime) -> Iterable[_Ready]:
    """One query for each model that answered, which is one."""
    for model in dict.fromkeys(answer.result.model for answer in answers):
        of_model = [answer for answer in answers if answer.result.model == model]
        standings = read_standings(
            annotations=[answer.annotation for answer in of_model], model=model
        )
        for answer, standing in zip(of_model, standings, strict=True):
            learned = use_head(head_id=standing.head_id, garments=answer.result.garments)
            values = _find_values(answer.result, standing, learned, now=now)
            yield _Ready(answer.annotation, standing, learned, values)


def _find_values(
    result: AnnotationResult, standing: Standing, learned: Learned, *, now: datetime
) -> dict[str, Any]:
    done = result.abstained is None
    thresholds = standing.thresholds
    least = (
        thresholds.find_least(learned.garments)
        if done
        else thresholds.find_doubt(result.alternatives)
    )
    return {
        "state": Annotation.State.DONE if done else Annotation.State.ABSTAINED,
        "abstained": result.abstained or "",
        "alternatives": [_write_alternative(each) for each in result.alternatives],
        "needs_review": least is not None,
        "least_confidence": least,
        "model_name": result.model.name,
        "model_version": result.model.version,
        "taxonomy": result.model.taxonomy,
        "timings_ms": result.timings_ms,
        "original": result.original,
        "head_id": standing.head_id,
        "finished_at": now,
    }


def _tell_finished(finished: Sequence[Finished], *, now: datetime) -> None:
    """All of one shop."""
    tenant_id = finished[0].annotation.tenant_id
    ids = [each.annotation.id for each in finished]
    concerns = interests.find(
        tenant_id=tenant_id,
        annotation_ids=ids,
        image_ids=[each.annotation.image_id for each in finished],
    )
    if not concerns:
        return
    batch_ids = batches.list_waiting_for(annotation_ids=ids) if batches.WAITING in concerns else ()
    done = batches.note_finished(batch_ids=batch_ids, now=now)
    signals.annotations_finished.send(
        Annotation, tenant_id=tenant_id, finished=finished, concerns=concerns
    )
    batches.tell_finished(done)


def _store_garments(answered: Sequence[tuple[Annotation, Learned]]) -> None:
    built = [
        (annotation, _build_garment(annotation, place, found, said), found)
        for annotation, learned in answered
        for place, (found, said) in enumerate(zip(learned.garments, learned.said, strict=True))
    ]
    insert_rows([garment for _annotation, garment, _found in built])
    labels: dict[UUID, list[Label]] = {garment.id: [] for _annotation, garment, _found in built}
    colours: dict[UUID, list[Colour]] = {garment.id: [] for _annotation, garment, _found in built}
    for _annotation, garment, found in built:
        labels[garment.id] = [
            Label(garment=garment, key=label.key, name=label.name, confidence=label.confidence)
            for label in found.attributes
        ]
        colours[garment.id] = [
            Colour(
                garment=garment, position=i, name=colour.name, hex=colour.hex, share=colour.share
            )
            for i, colour in enumerate(found.colours)
        ]
    insert_rows([label for each in labels.values() for label in each])
    insert_rows([colour for each in colours.values() for colour in each])
    # As `selectors.with_everything` reads them, for whoever waits for the result.
    for annotation, _learned in answered:
        own = [garment for of, garment, _found in built if of is annotation]
        own.sort(key=lambda garment: (-garment.primary, -garment.confidence, garment.id))
        _remember(annotation, garments=own)
        for garment in own:
            _remember(garment, labels=labels[garment.id], colours=colours[garment.id])


def _remember(row: Model, **related: Sequence[Model]) -> None:
    """As Django keeps what it has prefetched."""
    cache = vars(row).setdefault("_prefetched_objects_cache", {})
    for name, rows in related.items():
        queryset = getattr(row, name).all()
        queryset._result_cache = list(rows)
        queryset._prefetch_done = True
        cache[name] = queryset


def _build_garment(
    annotation: Annotation, place: int, found: FoundGarment, said: dict[str, Any] | None
) -> Garment:
    return Garment(
        id=uuid5(annotation.id, str(place)),
        annotation=annotation,
        model_said=said,
        object_type=found.object,
        confidence=found.confidence,
        primary=found.primary,
        left=found.box.left,
        top=found.box.top,
        right=found.box.right,
        bottom=found.box.bottom,
        category=found.category.name,
        category_confidence=found.category.confidence,
        alternatives=[_write_alternative(each) for each in found.category.alternatives],
        embedding=list(found.embedding) or None,
    )


def _write_alternative(alternative: Alternative) -> dict[str, Any]:
    """A tenth of what `asdict` takes."""
    return {"name": alternative.name, "confidence": alternative.confidence}
