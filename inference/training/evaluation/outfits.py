"""Outfit photos with masks: each garment as a crop of its own, and ground without any."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference import taxonomy
from inference.contract import AnnotationResult, Garment
from inference.detection import overlap
from inference.mirror import find_on_both_sides
from inference.preprocess import Pixels, crop_alone, decode, resize_crop, whole
from inference.scenes import with_margin
from inference.training.evaluation.answers import CATEGORY
from inference.training.evaluation.asking import SERVED, WHOLE, Asked, Questions, judge, watch
from inference.training.evaluation.found import find_alone, find_served, measure_found
from inference.training.evaluation.kinds import WORN
from inference.training.evaluation.metrics import Metric, measure_mean
from inference.training.evaluation.model import ask
from inference.training.evaluation.photos import LabelledPhoto, answerable, read_rows
from inference.training.evaluation.report import FileResult, Say, WayResult
from inference.training.evaluation.served import annotate, read_garments
from inference.training.measure import estimate_mean
from inference.training.negatives import cut_backgrounds, make_negatives
from inference.training.outfits import OutfitGarment, garments_of, read_mask

FOUND = 0.5
"""Intersection over union from which a garment counts as found."""
NEGATIVES = 300


@dataclass(frozen=True, slots=True)
class Outfit:
    id: str
    data: bytes
    garments: list[OutfitGarment]


def evaluate_outfits(path: Path, *, asked: Asked, questions: Questions, say: Say) -> FileResult:
    """A file with masks. Raises UnknownFile, OSError, InvalidImage."""
    outfits = read_outfits(path, limit=questions.limit)
    photos, left_out = list_garments(outfits)
    ways: dict[str, WayResult] = {}
    if WHOLE in questions.ways:
        size = asked.model.spec.input_size
        crops = watch(crop_garments(outfits, size=size), len(photos), f"{path.stem} masks", say)
        extra = [_ask_nothing(path, asked, questions)]
        if finder := find_on_both_sides(asked.model):
            images = (decode(outfit.data) for outfit in outfits)
            found = find_alone(finder, images)
            extra += measure_found(found, [outfit.garments for outfit in outfits])
        ways[WHOLE] = judge(photos, ask(asked.model, crops), asked.model, extra=extra)
    if SERVED in questions.ways:
        data = [outfit.data for outfit in outfits]
        results = list(watch(annotate(asked.pipeline, data), len(data), f"{path.stem} served", say))
        ways[SERVED] = _judge_served(outfits, photos, results, asked)
    return FileResult(path.stem, "ccp", len(outfits), left_out, ways)


def read_outfits(path: Path, *, limit: int = 0) -> list[Outfit]:
    """The photos that have masks. Raises UnknownFile, OSError."""
    rows = [row for row in read_rows(path)[1] if row["mask"] is not None][: limit or None]
    outfits = []
    for row in rows:
        mask = read_mask(row["mask"])
        height, width = mask.shape
        outfits.append(Outfit(f"ccp-{row['id']}", row["image"], garments_of(mask, width, height)))
    return outfits


def list_garments(outfits: Sequence[Outfit]) -> tuple[list[LabelledPhoto], Counter[str]]:
    """Each garment as a photo with its own label, and how many of which label are not counted."""
    labels = taxonomy.load_labels("ccp")
    left_out: Counter[str] = Counter()
    photos = []
    for outfit in outfits:
        for index, garment in enumerate(outfit.garments):
            meaning = labels.meaning(garment.label)
            accepts = answerable(meaning.categories)
            if not accepts:
                reason = meaning.ignored_because or "category without enough photos"
                left_out[f"{garment.label}: {reason}"] += 1
            photos.append(
                LabelledPhoto(
                    id=f"{outfit.id}-{index}",
                    data=outfit.data,
                    label=garment.label,
                    kind=WORN,
                    accepts=accepts,
                )
            )
    return photos, left_out


def crop_garments(outfits: Sequence[Outfit], *, size: tuple[int, int]) -> Iterator[Pixels]:
    """In the order of `list_garments`."""
    for outfit in outfits:
        image = decode(outfit.data)
        for garment in outfit.garments:
            yield crop_alone(image, with_margin(garment.box, whole(image)), size)


def match_garments(
    outfits: Sequence[Outfit], results: Sequence[AnnotationResult]
) -> list[Garment | None]:
    """For each garment of `list_garments` the served one that lies over it, if any does.

    A served garment finds one only: the pairs that lie best over each other come first.
    """
    found: list[Garment | None] = []
    for outfit, result in zip(outfits, results, strict=True):
        pairs = sorted(
            (
                (-overlap(served.box, garment.box), right, given)
                for right, garment in enumerate(outfit.garments)
                for given, served in enumerate(result.garments)
            ),
        )
        taken: dict[int, int] = {}
        for distance, right, given in pairs:
            if -distance >= FOUND and right not in taken and given not in taken.values():
                taken[right] = given
        found += [
            result.garments[taken[right]] if right in taken else None
            for right in range(len(outfit.garments))
        ]
    return found


def _judge_served(
    outfits: Sequence[Outfit],
    photos: list[LabelledPhoto],
    results: Sequence[AnnotationResult],
    asked: Asked,
) -> WayResult:
    matched = match_garments(outfits, results)
    found = [find_served(result.garments) for result in results]
    counted = np.array([bool(photo.accepts) for photo in photos])
    was_found = np.array([garment is not None for garment in matched], dtype=np.float64)
    extra = [
        *measure_found(found, [outfit.garments for outfit in outfits]),
        measure_mean(
            "garment found",
            np.where(counted, was_found, np.nan),
            note=f"a box lies over it with an intersection over union of {FOUND} or more; "
            "the categories are counted over all garments, found or not",
        ),
    ]
    return judge(
        photos,
        read_garments([garment or () for garment in matched], asked.model.spec),
        asked.model,
        extra=extra,
    )


def _ask_nothing(path: Path, asked: Asked, questions: Questions) -> Metric:
    """Whether pictures without a garment are told from garments."""
    grounds = cut_backgrounds(path, seed=questions.seed, limit=questions.limit)
    samples = make_negatives(
        grounds, seed=questions.seed, count=min(NEGATIVES, questions.limit or NEGATIVES)
    )
    size = asked.model.spec.input_size
    views = (resize_crop(s.image, whole(s.image), size) for s in samples)
    answers = ask(asked.model, views)
    abstention = taxonomy.load().abstention
    scores = np.array([float(name == abstention) for name in answers.heads[CATEGORY].say()])
    return Metric(
        "abstains without a garment",
        estimate_mean(scores),
        note="ground of the photos, generated size charts, texts and plain grounds, made as "
        "training's are",
    )
