"""Turn a finder's training run into the files that ship: calibrated, described, half precision."""

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference import specs, weights
from inference.detection import DETAILS, SIZE, Found
from inference.networks.garment_finder import GarmentFinder
from inference.networks.garment_net import MEAN, STD
from inference.specs import WeightsSpec
from inference.training.calibration import equal_error
from inference.training.detection.measure import (
    CLASSES,
    Finder,
    FinderResult,
    Say,
    find_all,
    look_twice,
    match,
    measure_finder,
    read_truths,
    say_finder,
)
from inference.training.outfits import OutfitGarment
from kalas.lib.malloc import tune_allocator

_SOURCE = "trained by `manage.py train` on the data below, from kalas-mini's trunk"
_LICENCE = "Apache-2.0"
_DATA = (
    "Clothing Co-Parsing, Yang, Luo, Lin, CVPR 2014: Apache-2.0",
    "Fashion Product Images (small), P. Aggarwal, Kaggle: MIT",
    "Clothing dataset, A. Grigorev and contributors: CC0",
)
_TIE = 3.0
"""How firmly the details' shifts are held to what they have in common; few were seen of some."""
_HOLD = 0.1
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Calibration:
    """A peak's logit z says garment with the probability sigmoid(slope * z + shift)."""

    slope: float
    shifts: dict[str, float]
    """By detail."""


@dataclass(frozen=True, slots=True)
class Boxes:
    logits: NDArray[np.float64]
    details: NDArray[np.int64]
    hits: NDArray[np.bool_]


def publish_finder(
    run: Path,
    *,
    version: str,
    files: list[Path],
    mirrored: bool = False,
    store: Path = specs.STORE,
    say: Say,
) -> WeightsSpec:
    """Store a run's network as that version of garment-finder.

    `files` are ccp files with masks. Confidences are fitted on every other photo of them, so that
    they say how often such a box is right; the numbers are those over all and over the others.
    Raises InvalidImage.
    """
    tensors = weights.widen(safetensors.torch.load_file(run))
    finder = read_finder(tensors)
    boxes = [_boxes(_answer(finder, mirrored), path) for path in files]
    fitted, rest = (join([each[half] for each in boxes]) for half in (0, 1))
    calibration = calibrate(fitted)
    say(
        f"slope {calibration.slope:.3f}; calibration error on the other half "
        f"{calibration_error(rest, None):.4f} before, "
        f"{calibration_error(rest, calibration):.4f} after"
    )
    tensors = fold(tensors, calibration)
    calibrated = _answer(read_finder(tensors), mirrored)
    results = [
        measure_finder(calibrated, path, every_other=half)
        for path in files
        for half in (False, True)
    ]
    for result in results:
        say_finder(result, say)
    spec = _describe(finder, version=version, mirrored=mirrored, results=results, store=store)
    halves = {k: v.half() if v.is_floating_point() and v.ndim else v for k, v in tensors.items()}
    spec.path.write_bytes(safetensors.torch.save(halves))
    weights.write_sidecar(spec)
    say(f"{spec.path}: {spec.path.stat().st_size:,} bytes")
    return spec


def read_finder(tensors: dict[str, Tensor]) -> GarmentFinder:
    finder = GarmentFinder()
    finder.load_state_dict(tensors)
    return finder.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def _answer(finder: GarmentFinder, mirrored: bool) -> Finder:
    return partial(look_twice, finder) if mirrored else finder


def calibrate(boxes: Boxes) -> Calibration:
    """Logistic regression (Platt 1999) with one slope and a shift for each detail.

    By Newton's method; the details' own shifts are held to what they have in common.
    """
    own = np.eye(len(DETAILS))[boxes.details]
    terms = np.column_stack([boxes.logits, np.ones(len(own)), own])
    # Slope and common shift are held to doing nothing, just so that few boxes decide as well.
    tie = np.diag([_HOLD, _HOLD, *[2 * _TIE] * len(DETAILS)])
    nothing = np.array([1.0, 0.0, *[0.0] * len(DETAILS)])
    found = nothing
    for _ in range(_ROUNDS):
        said = 1 / (1 + np.exp(-terms @ found))
        slopes = terms.T @ (said - boxes.hits) + tie @ (found - nothing)
        bends = (terms * (said * (1 - said))[:, None]).T @ terms + tie
        found = found - np.linalg.solve(bends, slopes)
    shifts = (found[1] + found[2:]).tolist()
    return Calibration(float(found[0]), dict(zip(DETAILS, shifts, strict=True)))


def fold(tensors: dict[str, Tensor], calibration: Calibration) -> dict[str, Tensor]:
    """The weights of a network whose heat maps are calibrated."""
    shifts = torch.tensor([calibration.shifts[detail] for detail in DETAILS])
    weight, bias = (tensors[f"heat.{name}"] * calibration.slope for name in ("weight", "bias"))
    return {**tensors, "heat.weight": weight, "heat.bias": bias + shifts}


def calibration_error(boxes: Boxes, calibration: Calibration | None) -> float:
    """Expected calibration error of the boxes' confidences."""
    logits = boxes.logits
    if calibration is not None:
        shifts = np.array([calibration.shifts[detail] for detail in DETAILS])
        logits = calibration.slope * logits + shifts[boxes.details]
    return equal_error(1 / (1 + np.exp(-logits)), boxes.hits)


def join(parts: list[Boxes]) -> Boxes:
    return Boxes(
        logits=np.concatenate([part.logits for part in parts]),
        details=np.concatenate([part.details for part in parts]),
        hits=np.concatenate([part.hits for part in parts]),
    )


def _boxes(finder: Finder, path: Path) -> tuple[Boxes, Boxes]:
    """What was found in every other photo, and in the rest."""
    photos, truths = read_truths(path)
    found = find_all(finder, photos)
    each = [_judge(said, truth) for said, truth in zip(found, truths, strict=True)]
    return join(each[::2]), join(each[1::2])


def _judge(found: list[Found], truth: list[OutfitGarment]) -> Boxes:
    logits: list[float] = []
    details: list[int] = []
    hits: list[bool] = []
    for name in (*CLASSES, "accessory"):
        said = sorted((g for g in found if g.object == name), key=lambda g: -g.confidence)
        right = match(said, [g for g in truth if g.object == name]).hits[0]
        for garment, hit in zip(said, right, strict=True):
            share = min(max(garment.confidence, 1e-4), 1 - 1e-4)
            logits.append(float(np.log(share / (1 - share))))
            details.append(DETAILS.index(garment.detail))
            hits.append(bool(hit))
    return Boxes(
        np.array(logits, dtype=np.float64),
        np.array(details, dtype=np.int64),
        np.array(hits, dtype=np.bool_),
    )


def _describe(
    finder: GarmentFinder,
    *,
    version: str,
    mirrored: bool,
    results: list[FinderResult],
    store: Path,
) -> WeightsSpec:
    metrics = {
        f"{result.name} {name}": round(value, 4)
        for result in results
        for name, value in (("mAP@0.5", result.map50.value), ("mAP@[.5:.95]", result.map.value))
    }
    return WeightsSpec(
        name="garment-finder",
        version=version,
        architecture="garment-finder",
        taxonomy="kalas-1",
        sha256="",
        input_size=SIZE,
        mean=MEAN,
        std=STD,
        widths=finder.widths,
        depths=finder.depths,
        neck=finder.neck,
        mirrored=mirrored,
        labels=DETAILS,
        source=_SOURCE,
        licence=_LICENCE,
        data=_DATA,
        metrics=metrics,
        folder=store,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Calibrate and store a finder's weights.")
    parser.add_argument("run", type=Path, help="the run's .safetensors")
    parser.add_argument("files", type=Path, nargs="+", help="ccp files to calibrate on")
    parser.add_argument("--version", required=True)
    parser.add_argument(
        "--mirrored", action="store_true", help="answer by the mean of a photo and its mirror image"
    )
    parser.add_argument("--store", type=Path, default=specs.STORE)
    options = parser.parse_args()
    tune_allocator()
    publish_finder(
        options.run,
        version=options.version,
        files=options.files,
        mirrored=options.mirrored,
        store=options.store,
        say=print,
    )


if __name__ == "__main__":
    main()
