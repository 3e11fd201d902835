"""Pixels as torchvision's EfficientNet reads them."""

import torch
from torch import Tensor

from inference.preprocess import Pixels

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(pixels: Pixels) -> Tensor:
    """uint8 (H, W, 3) RGB → float32 (3, H, W)."""
    image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    return (image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
