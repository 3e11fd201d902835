"""Which part of an outfit each pixel shows, by a trained Mask R-CNN."""

import contextlib
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from torchvision.models.detection import MaskRCNN

from inference import registry, specs, weights
from inference.contract import Box
from inference.networks.garment_finder import GarmentFinder
from inference.networks.part_net import BACKBONES, LENT, ON_FINDER, build_part_net
from inference.preprocess import Pixels
from inference.specs import BadWeights, UnknownModel, WeightsSpec
from inference.wizard.parts import PARTS, Part, PartMap, Region, find_region

NAME = "kalas-parts"
SURE = 0.5
LARGEST = 640
"""Pixels of the longer side: each part found holds a mask of the photo's size."""
NO_GARMENT = ("hair", "skin", "face")


class Segmenter:
    def __init__(self, network: MaskRCNN) -> None:
        self._network = network.eval().requires_grad_(False)

    def segment(self, image: Pixels) -> PartMap:
        """(H, W) of a photo of any size: looked at in at most LARGEST pixels, then stretched."""
        height, width = image.shape[:2]
        scale = min(1.0, LARGEST / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        painted = paint(self.find(small), small.shape)
        stretched = cv2.resize(painted, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(stretched, dtype=np.uint8)

    def find(self, image: Pixels, *, least: float = SURE) -> list[Part]:
        """The parts of a uint8 (H, W, 3) RGB photo, the least sure first."""
        found = self.score(image, least=least)
        return [part for _, part in sorted(found, key=lambda each: each[0])]

    @torch.inference_mode()
    def score(self, image: Pixels, *, least: float) -> list[tuple[float, Part]]:
        """The parts of a uint8 (H, W, 3) RGB photo, each with how sure it is."""
        pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255
        [found] = self._network([pixels])
        parts = []
        for score, label, edges, mask in zip(
            *(found[key] for key in ("scores", "labels", "boxes", "masks")), strict=True
        ):
            region = mask[0].numpy() > 0.5
            box = _round(edges.tolist(), image)
            if score >= least and box and region.any():
                parts.append((float(score), Part(PARTS[int(label)], box, region)))
        return parts


def paint(parts: list[Part], shape: tuple[int, ...]) -> PartMap:
    """(H, W): the surest part of each pixel, within its box."""
    painted = np.zeros(shape[:2], np.uint8)
    for part in parts:
        painted[find_region(part)] = PARTS.index(part.name)
    return painted


def find_cloth(painted: PartMap) -> Region:
    """(H, W): where garments and what is worn with them show, no hair and skin."""
    no_cloth = [PARTS.index(name) for name in ("background", *NO_GARMENT)]
    return np.asarray(~np.isin(painted, no_cloth))


def load(store: Path) -> Segmenter:
    """The newest of the installation's own, else the one that ships.

    Raises UnknownModel where there are no weights, BadWeights.
    """
    return build(specs.find(NAME, store=store if has_own(store) else specs.STORE))


def has_own(store: Path) -> bool:
    return bool(specs.list_versions(NAME, store=store))


def build(spec: WeightsSpec) -> Segmenter:
    """Raises BadWeights."""
    try:
        config = json.loads(spec.config)
        backbone, side = config["backbone"], int(config["side"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadWeights(f"{spec.choice} does not say which Mask R-CNN it is.") from error
    if spec.architecture != "part-net" or spec.labels != PARTS or backbone not in BACKBONES:
        raise BadWeights(f"{spec.choice} is no Mask R-CNN of the parts.")
    tensors = weights.load(spec)
    finder = _find_finder(spec) if backbone == ON_FINDER else None
    network = build_part_net(backbone, side, finder=finder)
    tensors |= {k: v for k, v in network.state_dict().items() if k.startswith(LENT)}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise BadWeights(f"The weights of {spec.choice} are of another network.") from error
    return Segmenter(network)


def _find_finder(spec: WeightsSpec) -> GarmentFinder:
    """Beside the net, or the one that ships. Raises BadWeights."""
    for folder in (spec.folder, specs.STORE):
        with contextlib.suppress(UnknownModel):
            return registry.build_finder(specs.find(spec.finder, store=folder))
    raise BadWeights(f"{spec.choice} needs {spec.finder}, which is not there.")


def _round(edges: list[float], image: Pixels) -> Box | None:
    left, top = (max(0, int(edge)) for edge in edges[:2])
    right, bottom = min(round(edges[2]), image.shape[1]), min(round(edges[3]), image.shape[0])
    return Box(left, top, right, bottom) if right > left and bottom > top else None
