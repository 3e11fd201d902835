"""A photo as a network sees it in training: mirrored, turned, nearer or farther, by the dice."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch import Tensor

from inference.etryon.tensors import normalise
from inference.preprocess import Pixels, crop_alone, decode, whole
from inference.training.etryon.photos import Photo
from inference.training.etryon.recipe import Recipe


def show_all(photos: Sequence[Photo], recipe: Recipe, dice: np.random.Generator | None) -> Tensor:
    """float32 (N, 3, size, size); several are decoded at once, each with dice of its own."""
    own = dice.spawn(len(photos)) if dice is not None else [None] * len(photos)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return torch.stack(list(pool.map(show, photos, [recipe] * len(photos), own)))


def show(photo: Photo, recipe: Recipe, dice: np.random.Generator | None) -> Tensor:
    """float32 (3, size, size), normalised as for ImageNet; without dice as it is."""
    image = decode(photo.data)
    shown = crop_alone(image, photo.box or whole(image), (recipe.size, recipe.size))
    return normalise(change(shown, recipe, dice) if dice is not None else shown)


def change(image: Pixels, recipe: Recipe, dice: np.random.Generator) -> Pixels:
    height, width = image.shape[:2]
    degrees = 0.0
    if recipe.rotations and dice.random() < 0.5:
        degrees = float(dice.choice(recipe.rotations)) * float(dice.choice((-1, 1)))
    zoom = 1 + float(dice.uniform(-recipe.zoom, recipe.zoom))
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, zoom)
    # What comes in from outside goes on as the border is: a plain ground stays plain.
    turned = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    flipped = recipe.flips and dice.random() < 0.5
    return np.ascontiguousarray(turned[:, ::-1] if flipped else turned)


def show_outfit(
    photo: Photo, recipe: Recipe, dice: np.random.Generator | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """float32 (3, H, W) from 0 to 1 and Faster R-CNN's targets, mirrored or not."""
    image = decode(photo.data)
    garments = photo.garments or ()
    boxes = np.array([g.box.as_tuple() for g in garments], np.float32).reshape(-1, 4)
    if dice is not None and recipe.flips and dice.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
        boxes = boxes.copy()
        boxes[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
    return torch.from_numpy(image).permute(2, 0, 1).float() / 255, {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.tensor([g.object + 1 for g in garments], dtype=torch.int64),
    }
