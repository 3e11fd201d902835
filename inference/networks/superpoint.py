"""SuperPoint (DeTone et al. 2018): corners of a picture and what each looks like.

The network of rpautrat/SuperPoint (MIT), with the keys of its weights. The weights of Magic Leap
have other keys and a licence that no shop may use.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

CELL = 8
WIDTHS = (64, 64, 128, 128)
DEPTH = 256


class Maps(NamedTuple):
    scores: Tensor
    """(N, H, W): how surely a point is there, before its neighbours are taken away; 0..1."""
    descriptors: Tensor
    """(N, 256, H / 8, W / 8), of length 1 at each place."""


class Points(NamedTuple):
    """What was found in one picture."""

    places: Tensor
    """(K, 2): x, y in pixels."""
    scores: Tensor
    """(K,)."""
    descriptors: Tensor
    """(K, 256), of length 1."""


class Block(nn.Sequential):
    """Convolution, ReLU, then batch norm: in this order, as trained."""

    def __init__(self, before: int, after: int, *, size: int = 3, relu: bool = True) -> None:
        super().__init__()
        self.add_module("conv", nn.Conv2d(before, after, size, padding=(size - 1) // 2))
        self.add_module("activation", nn.ReLU() if relu else nn.Identity())
        self.add_module("bn", nn.BatchNorm2d(after, eps=1e-3))


class SuperPoint(nn.Module):
    """float32 (N, 1, H, W), grey in 0..1, H and W multiples of 8 → Maps."""

    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before = 1
        for number, width in enumerate(WIDTHS):
            layers: list[nn.Module] = [Block(before, width), Block(width, width)]
            if number < len(WIDTHS) - 1:
                layers.append(nn.MaxPool2d(2))
            stages.append(nn.Sequential(*layers))
            before = width
        self.backbone = nn.Sequential(*stages)
        self.detector = nn.Sequential(
            Block(before, DEPTH), Block(DEPTH, CELL * CELL + 1, size=1, relu=False)
        )
        self.descriptor = nn.Sequential(
            Block(before, DEPTH), Block(DEPTH, DEPTH, size=1, relu=False)
        )

    def forward(self, grey: Tensor) -> Maps:
        features = self.backbone(grey)
        logits = cast(Tensor, self.detector(features))
        raw = cast(Tensor, self.descriptor(features))
        return Maps(spread(logits), functional.normalize(raw, dim=1))


def spread(logits: Tensor) -> Tensor:
    """(N, 65, h, w) → (N, 8 h, 8 w): the 64 places of each cell; the last channel is "nowhere"."""
    inside = logits.softmax(dim=1)[:, :-1]
    return functional.pixel_shuffle(inside, CELL).squeeze(1)


def thin(scores: Tensor, *, radius: int = 4) -> Tensor:
    """(N, H, W) → the same, 0 but where no neighbour within `radius` (a square) scores higher.

    Two more rounds find the highest among what the first ones did not take. Equals all stay.
    """

    def highest(map_: Tensor) -> Tensor:
        return functional.max_pool2d(map_, 2 * radius + 1, stride=1, padding=radius)

    zero = torch.zeros_like(scores)
    kept = scores == highest(scores)
    for _ in range(2):
        taken = highest(kept.float()) > 0
        rest = torch.where(taken, zero, scores)
        kept = kept | ((rest == highest(rest)) & ~taken)
    return torch.where(kept, scores, zero)


def choose(
    maps: Maps,
    index: int,
    *,
    threshold: float = 0.005,
    radius: int = 4,
    border: int = 4,
    most: int | None = None,
    region: Tensor | None = None,
) -> Points:
    """The points of the picture at `index`, by rows; the surest first where there are too many.

    region: bool (H, W), where points may be. Points within `border` pixels of the edge are left
    out: half of what they would show is missing.
    """
    scores = thin(maps.scores, radius=radius)[index]
    if border:
        inner = torch.full_like(scores, -1)
        inner[border:-border, border:-border] = scores[border:-border, border:-border]
        scores = inner
    if region is not None:
        scores = scores.masked_fill(~region, -1)
    rows, columns = torch.nonzero(scores > threshold, as_tuple=True)
    found = scores[rows, columns]
    if most is not None and most < len(found):
        found, order = found.topk(most)
        rows, columns = rows[order], columns[order]
    places = torch.stack((columns, rows), dim=1).float()
    return Points(places, found, sample(maps.descriptors[index], places))


def sample(descriptors: Tensor, places: Tensor) -> Tensor:
    """(256, h, w) and (K, 2) in pixels → (K, 256) of length 1, between the map's places."""
    height, width = descriptors.shape[1:]
    size = torch.tensor([width * CELL, height * CELL], dtype=places.dtype, device=places.device)
    grid = (places + 0.5) / size * 2 - 1
    taken = functional.grid_sample(descriptors[None], grid[None, None], align_corners=False)
    return functional.normalize(taken[0, :, 0].T, dim=1)
