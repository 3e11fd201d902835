"""The engine's way from a photo to a garment's details: segment, key points, descriptors."""

import logging
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from inference import registry, runtime, specs
from inference.contract import MOST_DETAILS, Box, GarmentDetails
from inference.foreground import find_foreground
from inference.networks.superpoint import SuperPoint
from inference.pipeline import clip_crop
from inference.preprocess import Pixels, decode, whole
from inference.request import NoDetails, Photo
from inference.specs import BadWeights
from inference.wizard import segmenting
from inference.wizard.details import extract
from inference.wizard.parts import Region
from inference.wizard.segmenting import Segmenter, find_cloth
from inference.wizard.votes import Vectors

logger = logging.getLogger(__name__)

NAME = "kalas-details"
SIDE = 240
"""Pixels of the garment's longer side as the network sees it."""
_ENLARGED = 2.0
"""At most: larger pixels show nothing more."""
_THRESHOLD = 0.005


class DetailFinder:
    """A network's key points of the garment in a photo; safe in one thread."""

    def __init__(
        self, network: SuperPoint, name: str, *, segmenter: Segmenter | None = None
    ) -> None:
        """Without a segmenter the garment is what stands before the ground."""
        self._network, self.name, self._segmenter = network, name, segmenter

    def find(self, photo: Photo) -> GarmentDetails:
        """Raises InvalidImage."""
        image = decode(photo.data)
        area = clip_crop(photo.crop, whole(image))
        by, box, shown = self._find_region(image, area)
        scale = min(SIDE / max(box.width, box.height), _ENLARGED)
        size = max(8, round(box.width * scale)), max(8, round(box.height * scale))
        crop = image[box.top : box.bottom, box.left : box.right]
        mask = cv2.resize(shown.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        details = extract(
            self._network,
            np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), dtype=np.uint8),
            region=mask.astype(np.bool_),
            threshold=_THRESHOLD,
            most=MOST_DETAILS,
        )
        origin = np.array((box.left, box.top))
        shrunk = np.array((box.width / size[0], box.height / size[1]))
        places = (details.places * shrunk + origin).round().astype(int)
        return GarmentDetails(
            model=self.name,
            region=by,
            places=tuple((int(x), int(y)) for x, y in places),
            vectors=pack(details.vectors),
        )

    def _find_region(
        self, image: Pixels, area: Box
    ) -> tuple[Literal["parts", "foreground"], Box, Region]:
        """What told the garment, its box, and which places of the box show it."""
        if self._segmenter is not None:
            inside = image[area.top : area.bottom, area.left : area.right]
            cloth = find_cloth(self._segmenter.segment(inside))
            if cloth.any():
                return "parts", area, cloth
        ground = find_foreground(image, area)
        return "foreground", ground.box, _cut_mask(ground.shown, area, ground.box)


def load(store: Path | None = None) -> DetailFinder:
    """The newest of the installation's own, else the one that ships.

    Raises NoDetails where there is none, or the newest is damaged.
    """
    runtime.use_one_core()
    try:
        segmenter = _load_segmenter(store)
        for place in filter(None, (store, specs.STORE)):
            if specs.list_versions(NAME, store=place):
                spec = specs.find(NAME, store=place)
                points = registry.build_points(spec)
                return DetailFinder(points, spec.choice, segmenter=segmenter)
    except BadWeights as error:
        raise NoDetails(str(error)) from error
    raise NoDetails(
        f"There are no weights {NAME}: train them (manage.py train_superpoint), or import"
        f" SuperPoint's (manage.py import_weights FILE --config superpoint --name {NAME})."
    )


def _load_segmenter(store: Path | None) -> Segmenter | None:
    # The one that ships knows street photos, and most photos of goods have a plain ground.
    if store is None or not segmenting.has_own(store):
        logger.info("No own weights %s: the foreground tells the garment", segmenting.NAME)
        return None
    return segmenting.load(store)


def pack(vectors: Vectors) -> bytes:
    """A byte a number: each vector by its own largest one."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=1e-9)
    return np.asarray((vectors / largest * 127).round(), dtype=np.int8).tobytes()


def _cut_mask(shown: Region, area: Box, box: Box) -> Region:
    """The part of a mask over the area that lies in the box; at least a pixel."""
    down, right = shown.shape[0] / area.height, shown.shape[1] / area.width
    top, left = int((box.top - area.top) * down), int((box.left - area.left) * right)
    bottom = max(top + 1, round((box.bottom - area.top) * down))
    return shown[top:bottom, left : max(left + 1, round((box.right - area.left) * right))]
