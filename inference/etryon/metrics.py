"""The numbers of eTryOn D3.1: of detection, of categories, of many labels at once."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from inference.contract import Box

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Found:
    """A garment that a detector found in the photo of that number."""

    photo: int
    box: Box
    kind: int
    confidence: float
    mask: Bools | None = None
    """(H, W) where it shows; then masks are compared and not boxes."""


@dataclass(frozen=True, slots=True)
class Truth:
    photo: int
    box: Box
    kind: int
    mask: Bools | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """COCO's, over IoU 0.50 to 0.95 if nothing else is said."""

    ap: float
    ap50: float
    ap75: float
    ar1: float
    ar10: float
    ar100: float


def measure_detection(found: Sequence[Found], truth: Sequence[Truth], *, photos: int) -> Detection:
    """By pycocotools, the reference. Photos are numbered from 0; a kind without truth is left
    out. Either all have a mask or none has. Raises ValueError where there is no truth at all."""
    if not truth:
        raise ValueError("There are no garments to be found.")
    coco = COCO()
    coco.dataset = {
        # Of masks the library asks for sizes, and reads those of the masks themselves.
        "images": [{"id": photo, "height": 0, "width": 0} for photo in range(photos)],
        "categories": [{"id": kind} for kind in sorted({t.kind for t in truth})],
        "annotations": [
            {
                "id": number,
                "image_id": t.photo,
                "category_id": t.kind,
                "iscrowd": 0,
                **_write_shape(t),
            }
            for number, t in enumerate(truth, 1)
        ],
    }
    # The library prints as it goes.
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        answers = COCO()
        answers.dataset = coco.dataset | {
            "annotations": [
                {
                    "id": number,
                    "image_id": f.photo,
                    "category_id": f.kind,
                    "iscrowd": 0,
                    "score": f.confidence,
                    **_write_shape(f),
                }
                for number, f in enumerate(found, 1)
            ]
        }
        answers.createIndex()
        evaluation = COCOeval(coco, answers, "bbox" if truth[0].mask is None else "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats = [float(value) for value in evaluation.stats]
    return Detection(stats[0], stats[1], stats[2], stats[6], stats[7], stats[8])


@dataclass(frozen=True, slots=True)
class ManyLabels:
    """Of answers that may hold several labels at once."""

    exact_match: float
    """The share of photos with all labels right."""
    binary_accuracy: float
    """The share of right yes and no; high already for saying no everywhere."""
    f1_micro: float
    f1_macro: float
    """The mean over labels that occur or are said."""


def measure_labels(said: Bools, truth: Bools) -> ManyLabels:
    """(N, L) each."""
    hits = (said & truth).sum(0)
    counted = said.sum(0) + truth.sum(0)
    there = counted > 0
    each = 2 * hits[there] / counted[there]
    return ManyLabels(
        exact_match=float((said == truth).all(1).mean()),
        binary_accuracy=float((said == truth).mean()),
        f1_micro=float(2 * hits.sum() / max(counted.sum(), 1)),
        f1_macro=float(each.mean()) if len(each) else 0.0,
    )


def choose_labels(
    scores: Floats, groups: Sequence[Sequence[int]], *, threshold: float = 0.5
) -> Bools:
    """(N, L): of each group (patterns, styles) at most one label, the likeliest above."""
    said = np.zeros(scores.shape, bool)
    rows = np.arange(len(scores))
    for group in groups:
        best = np.asarray(group)[scores[:, list(group)].argmax(1)]
        said[rows, best] = scores[rows, best] >= threshold
    return said


def measure_top(scores: Floats, truth: NDArray[np.integer], *, k: int) -> float:
    """The share of photos whose category is among the k likeliest; scores (N, C), truth (N,)."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == truth[:, None]).any(1).mean())


def measure_imbalance(labels: Bools) -> Floats:
    """IRLbl of each label that occurs: how many times rarer it is than the most frequent one."""
    counts = labels.sum(0)
    counts = counts[counts > 0]
    ratios: Floats = counts.max(initial=0) / counts
    return ratios


def measure_mean_ir(labels: Bools) -> float:
    """1 where all labels are equally frequent, or there are none."""
    return float(measure_imbalance(labels).mean()) if labels.any() else 1.0


def measure_scumble(labels: Bools) -> float:
    """How often rare and frequent labels stand together, 0..1 (Charte et al. 2019).

    Where it is high, adding photos of a rare label adds as many of a frequent one.
    """
    labels = labels[:, labels.any(0)]
    ratios = measure_imbalance(labels)
    scores = []
    for row in labels:
        own = ratios[row]
        spread = np.exp(np.log(own).mean()) / own.mean() if len(own) else 1.0
        scores.append(1 - spread)
    # Rounding may take it below.
    return max(float(np.mean(scores)), 0.0)


def _write_shape(one: Found | Truth) -> dict[str, Any]:
    box = one.box
    shape = {"bbox": [box.left, box.top, box.width, box.height], "area": box.width * box.height}
    if one.mask is not None:
        coded = coco_mask.encode(np.asfortranarray(one.mask.astype(np.uint8)))
        shape |= {"segmentation": coded, "area": int(one.mask.sum())}
    return shape
