"""MMFashion's models that say something else of a garment: where its landmarks are, and a vector
by which a recommender tells what goes with it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from inference.contract import (
    MIN_SIDE,
    AnnotationResult,
    Box,
    Category,
    Garment,
    ModelName,
    Vectors,
)
from inference.mmfashion.pictures import SIZE, read_pixels
from inference.networks.mmfashion.landmark_detector import LandmarkDetector
from inference.networks.mmfashion.recommender import TypeAwareRecommender
from inference.pipeline import clip_crop
from inference.preprocess import Pixels, decode, whole
from inference.request import Photo
from inference.specs import WeightsSpec

LANDMARKS = (
    "left collar", "right collar", "left sleeve", "right sleeve",
    "left waistline", "right waistline", "left hem", "right hem",
)  # fmt: skip


class _View(NamedTuple):
    image: Pixels
    area: Box
    picture: Tensor | None
    """(3, 224, 224); None where it is too small."""


class Landmarks:
    """Eight points of a garment, in source pixels."""

    def __init__(self, spec: WeightsSpec, network: LandmarkDetector, device: str) -> None:
        self.model = ModelName(spec.name, spec.version, "none")
        self._network, self._device = network, device

    @torch.inference_mode()
    def annotate(self, photo: Photo) -> AnnotationResult:
        """Raises InvalidImage."""
        image, area, picture = _view(photo)
        height, width = image.shape[:2]
        if picture is None:
            return AnnotationResult(width, height, self.model, abstained="too-small")
        found = self._network(picture[None].to(self._device))
        points = [place(x, y, area) for x, y in found.points[0].tolist()]
        seen = found.visibility[0].sigmoid().tolist()
        return AnnotationResult(
            width,
            height,
            self.model,
            original={
                "x": {name: round(x, 1) for name, (x, _) in zip(LANDMARKS, points, strict=True)},
                "y": {name: round(y, 1) for name, (_, y) in zip(LANDMARKS, points, strict=True)},
                "visible": dict(zip(LANDMARKS, (round(v, 4) for v in seen), strict=True)),
            },
        )


class Recommender:
    """A vector of each garment, and how far two of them are apart in the space of their types."""

    def __init__(self, spec: WeightsSpec, network: TypeAwareRecommender, device: str) -> None:
        self.model = ModelName(spec.name, spec.version, "none")
        self._network, self._device = network, device
        named = dict(spec.attributes).get("spaces", ())
        self._spaces = {pair: number for number, pair in enumerate(named)}

    @torch.inference_mode()
    def annotate(self, photo: Photo) -> AnnotationResult:
        """One garment, which is the photo or its crop, with the general embedding as it is: the
        spaces need its length. Raises InvalidImage."""
        image, area, picture = _view(photo)
        height, width = image.shape[:2]
        if picture is None:
            return AnnotationResult(width, height, self.model, abstained="too-small")
        vector = self._network.encode(picture[None].to(self._device))[0].tolist()
        garment = Garment(
            object=photo.hint or "upper-body",
            confidence=1.0,
            primary=True,
            box=area,
            category=Category("", 0.0),
            embedding=tuple(vector),
        )
        return AnnotationResult(width, height, self.model, (garment,))

    @torch.inference_mode()
    def compare(self, asked: Vectors, others: Sequence[Vectors]) -> list[float]:
        """One garment, and others → their distances in order: the least go best.

        Where the model has no space for two types, or its list of spaces was not imported, the
        general embeddings are compared. Raises ValueError for vectors of another size.
        """
        general = self._read(asked.data)
        distances: list[float] = []
        for other in others:
            space = self._find_space(asked.kind, other.kind)
            theirs = self._read(other.data)
            own, rows = (
                self._network.type_specific_net.look_in(each, space) for each in (general, theirs)
            )
            distances += self._network.triplet_net.measure(own.expand_as(rows), rows).tolist()
        return distances

    def _read(self, data: bytes) -> Tensor:
        rows = np.frombuffer(data, "<f4").reshape(-1, self._network.type_specific_net.size)
        return torch.tensor(rows, device=self._device)

    def _find_space(self, one: str, other: str) -> int:
        """-1, the last row, is the general embedding."""
        return self._spaces.get("|".join(sorted((one, other))), -1)


def place(x: float, y: float, area: Box) -> tuple[float, float]:
    """A point of the picture that `read_pixels` makes of this area → source pixels."""
    scale = min(SIZE / area.width, SIZE / area.height, 1.0)
    left = (SIZE - max(1, round(area.width * scale))) // 2
    top = (SIZE - max(1, round(area.height * scale))) // 2
    across, down = area.left + (x - left) / scale, area.top + (y - top) / scale
    return min(max(across, area.left), area.right), min(max(down, area.top), area.bottom)


def _view(photo: Photo) -> _View:
    image = decode(photo.data)
    area = clip_crop(photo.crop, whole(image))
    if min(area.width, area.height) < MIN_SIDE:
        return _View(image, area, None)
    return _View(image, area, read_pixels(image[area.top : area.bottom, area.left : area.right]))
