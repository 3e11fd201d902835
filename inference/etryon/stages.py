"""eTryOn's three stages, each usable alone: find, name the class, name pattern and style."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import psutil
import torch
from safetensors.torch import load_file
from torch import nn

from inference import ancestors, weights
from inference.ancestors import Kind, read_kind
from inference.contract import Box, ObjectType
from inference.etryon import heuristics, mallzee
from inference.etryon.heuristics import Found
from inference.etryon.mallzee import Key
from inference.etryon.tensors import normalise
from inference.mmfashion.importing import say_size
from inference.networks.etryon import build
from inference.preprocess import Pixels, crop_alone, whole
from inference.specs import BadWeights, WeightsSpec

OBJECT_FLOOR = "object"
"""Of a detector's floors: the confidence below which nothing is found."""
_FLOOR = {OBJECT_FLOOR: 0.99, "pattern": 0.5, "style": 0.5}
_WORK = {"detector": 900 * 2**20, "category": 150 * 2**20, "attributes": 150 * 2**20}
"""Bytes that a photo takes on its way through a stage, beside the weights."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A garment with what each stage says of it; empty where the stage isn't there."""

    object: ObjectType | None
    confidence: float
    box: Box
    classes: dict[str, float]
    """Softmax of the 23."""
    labels: dict[Key, dict[str, float]]
    """Sigmoids of each key's words."""
    said: dict[Key, str]
    """At most one word of each key, above its floor."""

    @property
    def name(self) -> str:
        """The likeliest class; "" where nobody was asked."""
        return max(self.classes, key=lambda n: self.classes[n]) if self.classes else ""


class Stage(NamedTuple):
    spec: WeightsSpec
    network: nn.Module


class Stages:
    """Of one choice, NAME or NAME+NAME+NAME, each network loaded once."""

    def __init__(
        self,
        choice: str,
        *,
        store: Path,
        device: torch.device | str = "cpu",
        threshold: float = -1,
        open_network: Callable[[WeightsSpec], nn.Module] | None = None,
    ) -> None:
        """threshold: instead of the detector's own. `open_network` where networks are shared: it
        sees to the memory that is needed. Raises UnknownModel, BadWeights."""
        self.choice, self.device = choice, torch.device(device)
        described = ancestors.read_all(choice, store=store)
        self.memory = measure_memory(described)
        if open_network is None:
            check_memory(choice, self.memory)
            open_network = partial(load_network, device=device)
        kinds = [read_kind(spec) for spec in described]
        if double := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            raise BadWeights(f"{choice}: one {double[0]} is enough.")
        if "alignment" in kinds:
            raise BadWeights(f"{choice}: an alignment answers nothing; it is a start for training.")
        if 0 <= threshold <= 1:
            described = [
                replace(s, floors={**s.floors, OBJECT_FLOOR: threshold}) for s in described
            ]
        self.stages = {
            kind: Stage(spec, open_network(spec))
            for kind, spec in zip(kinds, described, strict=True)
        }

    @property
    def specs(self) -> list[WeightsSpec]:
        return [stage.spec for stage in self.stages.values()]

    @torch.inference_mode()
    def see(self, image: Pixels, area: Box | None = None) -> list[Seen]:
        """Everything in the photo, or the area's one garment where one is given or no detector is
        there: then without an object unless its class tells."""
        if area is None and "detector" in self.stages:
            found = self.find(image)
            boxes = [f.box for f in found]
        else:
            found, boxes = [], [area or whole(image)]
        classes, labels = self.name(image, boxes), self.describe(image, boxes)
        return [
            self._join(found[i] if found else None, box, classes[i], labels[i])
            for i, box in enumerate(boxes)
        ]

    def find(self, image: Pixels) -> list[Found]:
        """What the detector is sure of, surest first, the rules of thumb applied."""
        floor = _floor(self.stages["detector"].spec, OBJECT_FLOOR)
        sure = [f for f in self.detect(image) if f.confidence >= floor]
        return heuristics.apply(sure, height=image.shape[0])

    @torch.inference_mode()
    def detect(self, image: Pixels) -> list[Found]:
        """Everything that the detector thinks of, surest first."""
        spec, network = self.stages["detector"]
        pixels = torch.from_numpy(image).permute(2, 0, 1).float().to(self.device) / 255
        [answer] = network([pixels])
        height, width = image.shape[:2]
        return [
            Found(cast(ObjectType, spec.labels[label - 1]), score, box)
            for label, score, corners in zip(
                answer["labels"].tolist(),
                answer["scores"].tolist(),
                answer["boxes"].tolist(),
                strict=True,
            )
            if (box := _round(corners, width, height)) is not None
        ]

    @torch.inference_mode()
    def name(self, image: Pixels, boxes: Sequence[Box]) -> list[dict[str, float]]:
        """What class each box shows: probabilities that sum to 1; empty without that stage."""
        if "category" not in self.stages or not boxes:
            return [{} for _ in boxes]
        spec, logits = self._look("category", image, boxes)
        return [
            dict(zip(spec.labels, row, strict=True)) for row in logits.softmax(1).cpu().tolist()
        ]

    @torch.inference_mode()
    def describe(self, image: Pixels, boxes: Sequence[Box]) -> list[dict[Key, dict[str, float]]]:
        """How likely each pattern and style is by itself; empty without that stage."""
        if "attributes" not in self.stages or not boxes:
            return [{} for _ in boxes]
        spec, logits = self._look("attributes", image, boxes)
        sizes = [len(words) for _, words in spec.attributes]
        return [
            {
                cast(Key, key): dict(zip(words, part.tolist(), strict=True))
                for (key, words), part in zip(spec.attributes, row.split(sizes), strict=True)
            }
            for row in logits.sigmoid().cpu()
        ]

    def _look(
        self, kind: Kind, image: Pixels, boxes: Sequence[Box]
    ) -> tuple[WeightsSpec, torch.Tensor]:
        spec, network = self.stages[kind]
        crops = [normalise(crop_alone(image, box, spec.input_size)) for box in boxes]
        logits: torch.Tensor = network(torch.stack(crops).to(self.device))
        return spec, logits

    def _join(
        self,
        found: Found | None,
        box: Box,
        classes: dict[str, float],
        labels: dict[Key, dict[str, float]],
    ) -> Seen:
        likeliest = max(classes, key=lambda n: classes[n]) if classes else ""
        kind, confidence = (found.object, found.confidence) if found else (None, 1.0)
        if kind is None and likeliest:
            kind, confidence = mallzee.find_object(likeliest), classes[likeliest]
        said = {}
        for key, words in labels.items():
            best = max(words, key=lambda word: words[word])
            if words[best] >= _floor(self.stages["attributes"].spec, key):
                said[key] = best
        return Seen(kind, confidence, box, classes, labels, said)


def measure_memory(described: Sequence[WeightsSpec]) -> int:
    """Bytes that these need: their weights, and the largest stage's work. Raises BadWeights."""
    try:
        sizes = [spec.path.stat().st_size for spec in described]
    except OSError as error:
        raise BadWeights(f"The weights cannot be read: {error}") from error
    return sum(sizes) + max(_WORK.get(read_kind(spec), 0) for spec in described)


def check_memory(choice: str, needed: int) -> None:
    """Before anything is loaded. Raises BadWeights."""
    free = psutil.virtual_memory().available
    if needed > free:
        raise BadWeights(f"{choice} needs {say_size(needed)} of memory, {say_size(free)} are free.")


def load_network(spec: WeightsSpec, *, device: torch.device | str = "cpu") -> nn.Module:
    """In evaluation mode; its weights are in memory once. Raises BadWeights."""
    read_kind(spec)
    try:
        found = weights.hash_file(spec.path)
    except OSError as error:
        raise BadWeights(f"The weights {spec.path.name} cannot be read: {error}") from error
    if found != spec.sha256:
        raise BadWeights(f"The weights {spec.path.name} are not those that were kept.")
    settings: dict[str, Any] = json.loads(spec.config)
    network = build(settings, device="meta")
    network.load_state_dict(load_file(spec.path, device=str(device)), assign=True)
    return network.to(device).eval().requires_grad_(requires_grad=False)


def _floor(spec: WeightsSpec, key: str) -> float:
    return spec.floors.get(key, _FLOOR[key])


def _round(corners: list[float], width: int, height: int) -> Box | None:
    left, top = max(round(corners[0]), 0), max(round(corners[1]), 0)
    right, bottom = min(round(corners[2]), width), min(round(corners[3]), height)
    return Box(left, top, right, bottom) if left < right and top < bottom else None
