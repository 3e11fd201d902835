"""A described photo as a network's input: the same each time, its landmarks moved with it.

MMFashion cropped and flipped at random in its test sets too, and left the landmarks where they
were; here the garment's box, a little enlarged, fills the picture.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inference.mmfashion.data.deepfashion import LANDMARKS, VISIBLE, Picture
from inference.mmfashion.data.lists import BadData
from inference.mmfashion.pictures import SIZE, normalise
from inference.preprocess import decode

ATTRIBUTE_MARGIN = 10
RETRIEVAL_MARGIN = 20
"""Pixels around the box, as MMFashion has them."""


@dataclass(frozen=True, slots=True)
class Sample:
    image: Tensor
    """float32 (3, 224, 224)."""
    points: Tensor
    """float32 (8, 2): x, y in the picture's pixels; 0 where there is no such landmark."""
    visible: Tensor
    """bool (8,)."""


def read_sample(root: Path, picture: Picture, *, margin: int) -> Sample:
    """Raises BadData, InvalidImage."""
    path = root / "Img" / picture.image
    try:
        pixels = decode(path.read_bytes())
    except OSError as error:
        raise BadData(f"{path} is missing.") from error
    height, width = pixels.shape[:2]
    left, top, right, bottom = enlarge(picture, width, height, margin)
    cropped = Image.fromarray(pixels[top:bottom, left:right])
    small = cropped.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    points = place_points(picture, (left, top, right, bottom))
    visible = torch.zeros(LANDMARKS, dtype=torch.bool)
    for i, (visibility, _, _) in enumerate(picture.points):
        visible[i] = visibility == VISIBLE
    return Sample(normalise(np.asarray(small)), points, visible)


def enlarge(picture: Picture, width: int, height: int, margin: int) -> tuple[int, int, int, int]:
    """The box with its margin, inside the photo. Raises BadData where it lies outside."""
    if picture.box is None:
        return 0, 0, width, height
    left, top, right, bottom = picture.box
    if left >= width or top >= height:
        raise BadData(f"{picture.image}: its box lies outside the photo.")
    return (
        max(left - margin, 0),
        max(top - margin, 0),
        min(right + margin, width),
        min(bottom + margin, height),
    )


def place_points(picture: Picture, crop: tuple[int, int, int, int]) -> Tensor:
    """(8, 2): the landmarks in pixels of the crop at SIZE x SIZE."""
    left, top, right, bottom = crop
    points = torch.zeros(LANDMARKS, 2)
    for i, (_, x, y) in enumerate(picture.points):
        points[i, 0] = max(x - left, 0) / (right - left) * SIZE
        points[i, 1] = max(y - top, 0) / (bottom - top) * SIZE
    return points


def place_points_as_written(
    picture: Picture, size: tuple[int, int], crop: tuple[int, int, int, int]
) -> Tensor:
    """(8, 2): what MMFashion's retrievers were given: 0..7 of the whole photo (width, height),
    though measured from the crop's corner. Weights trained so find their windows there."""
    points = torch.zeros(LANDMARKS, 2)
    for i, (_, x, y) in enumerate(picture.points):
        points[i, 0] = max(x - crop[0], 0) / size[0] * 7
        points[i, 1] = max(y - crop[1], 0) / size[1] * 7
    return points
