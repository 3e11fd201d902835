"""Photos that are drawn, and what a finder would say of them that has learned everything."""

import numpy as np
import torch

from inference.contract import Box
from inference.detection import DETAILS, EDGE_UNIT, OBJECTS, Detail, Found
from inference.training.detection.targets import NONE, Targets, encode
from inference.training.outfits import LABELS


def outfit() -> tuple[np.ndarray, np.ndarray]:
    """A photo of 120 x 80 with a shirt over trousers and two shoes, and its mask."""
    rng = np.random.default_rng(0)
    photo = rng.integers(90, 110, (120, 80, 3)).astype(np.uint8)
    mask = np.zeros((120, 80), np.uint8)
    for label, colour, box in (
        ("skin", (210, 160, 140), (34, 5, 46, 20)),
        ("shirt", (200, 30, 30), (25, 20, 55, 60)),
        ("pants", (30, 30, 160), (28, 60, 52, 100)),
        ("shoes", (20, 20, 20), (26, 102, 36, 112)),
        ("shoes", (20, 20, 20), (44, 102, 54, 112)),
    ):
        left, top, right, bottom = box
        photo[top:bottom, left:right] = colour
        mask[top:bottom, left:right] = LABELS.index(label)
    return photo, mask


def product(colour: str) -> np.ndarray:
    image = np.full((80, 60, 3), 255, np.uint8)
    image[20:60, 15:45] = {"red": (200, 20, 20), "blue": (20, 20, 200)}[colour]
    return image


def found(detail: Detail, box: tuple[int, int, int, int], confidence: float) -> Found:
    corners = Box(*box)
    mask = np.full((corners.height, corners.width), 255, np.uint8)
    return Found(OBJECTS[detail], detail, corners, confidence, mask)


def encoded_boxes(
    boxes: np.ndarray, details: np.ndarray, *, size: tuple[int, int]
) -> tuple[torch.Tensor, Targets]:
    """The targets of one view, and its details as a batch has them."""
    named = torch.full((1, len(details) + 1), NONE)
    named[0, :-1] = torch.from_numpy(details)
    padded = torch.zeros(1, len(details) + 1, 4)
    padded[0, :-1] = torch.from_numpy(boxes)
    return named, encode(padded, named, size=size)


def perfect_edges(details: torch.Tensor, targets: Targets) -> torch.Tensor:
    """(1, details * 4, h, w) as a network says them that knows all."""
    edges = torch.zeros(1, len(DETAILS), *targets.distances.shape[2:])
    for number, detail in enumerate(details[0].tolist()):
        at = targets.weights[0, number] > 0
        edges[0, detail][:, at] = targets.distances[0, number][:, at]
    raw = torch.log(torch.expm1(edges.clamp(min=0.01) / EDGE_UNIT))
    return raw.view(1, -1, *raw.shape[3:])
