"""Pictures seen from elsewhere, and where their points go."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.networks.superpoint import SuperPoint
from inference.training.superpoint.shapes import Grey

Homography = NDArray[np.float64]
"""(3, 3): pixels of the picture → pixels of its view."""


def draw(
    dice: np.random.Generator, *, width: int, height: int, strength: float = 0.2
) -> Homography:
    """Corners moved by up to `strength` of the sides, then turned a little."""
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + dice.uniform(-strength, strength, (4, 2)) * (width, height)
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), float(dice.uniform(-25, 25)), float(dice.uniform(0.85, 1.15))
    )
    rotation = np.vstack((turn, (0, 0, 1)))
    return np.asarray(
        rotation @ cv2.getPerspectiveTransform(corners, moved.astype(np.float32)), dtype=float
    )


def view(image: Grey, homography: Homography) -> Grey:
    height, width = image.shape
    seen = cv2.warpPerspective(image, homography, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen, dtype=np.float32)


def move(points: NDArray[np.float32], homography: Homography) -> NDArray[np.float32]:
    """(K, 2) → (K, 2)."""
    if not len(points):
        return points
    moved = cv2.perspectiveTransform(points[None].astype(np.float64), homography)[0]
    return np.asarray(moved, dtype=np.float32)


def relight(image: Grey, dice: np.random.Generator) -> Grey:
    """In other light, with a little noise."""
    lit = image * dice.uniform(0.7, 1.3) + dice.uniform(-0.1, 0.1)
    noisy = lit + dice.normal(0, 0.02, image.shape)
    return np.asarray(noisy.clip(0, 1), dtype=np.float32)


@torch.inference_mode()
def adapt(network: SuperPoint, image: Grey, dice: np.random.Generator, *, views: int) -> Tensor:
    """(H, W): the scores of the picture, the mean over it and views of it, brought back.

    A corner stays one from everywhere; what only looked like one gets less.
    """
    height, width = image.shape
    total = network(torch.from_numpy(image)[None, None]).scores[0].numpy().copy()
    counts = np.ones_like(total)
    for _ in range(views):
        homography = draw(dice, width=width, height=height)
        seen = network(torch.from_numpy(view(image, homography))[None, None]).scores[0].numpy()
        back = np.linalg.inv(homography)
        total += cv2.warpPerspective(seen, back, (width, height))
        counts += cv2.warpPerspective(np.ones_like(seen), back, (width, height))
    return torch.from_numpy(total / counts)
