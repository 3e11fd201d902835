"""What the finder's maps should say about views, after TTFNet (Liu et al. 2020)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from inference.detection import DETAILS, STRIDE

NONE = -1
"""The detail of a place in a batch's lists that no garment takes."""
_SPREAD = 0.54 / 6
"""Standard deviation of a garment's peak as a share of its box."""
_LEAST_BELL = 0.05


@dataclass(frozen=True, slots=True)
class Targets:
    heat: Tensor
    """(N, details, h, w), 1 at a garment's middle and less around it."""
    distances: Tensor
    """(N, garments, 4, h, w) from each place to the garment's left, top, right and bottom, in
    input pixels."""
    weights: Tensor
    """(N, garments, h, w): how much each place's box counts; each garment's sum to 1, or less where
    a smaller one of its detail takes some of its places."""


def encode(boxes: Tensor, details: Tensor, *, size: tuple[int, int]) -> Targets:
    """Boxes (N, garments, 4) in views' pixels and their int64 details (N, garments), NONE where
    there is no garment → maps at a STRIDE-th of `size` = (height, width), on the boxes' device."""
    h, w = size[0] // STRIDE, size[1] // STRIDE
    x = (torch.arange(w, device=boxes.device) + 0.5) * STRIDE
    y = (torch.arange(h, device=boxes.device) + 0.5) * STRIDE
    left, top, right, bottom = (side[..., None] for side in boxes.unbind(-1))
    column = ((left + right) / 2 / STRIDE).long().clamp(0, w - 1)
    row = ((top + bottom) / 2 / STRIDE).long().clamp(0, h - 1)
    there = (details != NONE)[..., None, None]
    bell = (
        _bell(y, y[row], bottom - top)[..., None] * _bell(x, x[column], right - left)[..., None, :]
    )
    bell = bell * there
    at = torch.where(there, details[..., None, None], 0).expand_as(bell)
    heat = bell.new_zeros(len(boxes), len(DETAILS), h, w)
    heat.scatter_reduce_(1, at, bell, "amax")
    inside = ((y > top) & (y < bottom))[..., None] & ((x > left) & (x < right))[..., None, :]
    middle = (torch.arange(h, device=boxes.device) == row)[..., None] & (
        torch.arange(w, device=boxes.device) == column
    )[..., None, :]
    near = bell * ((inside & (bell > _LEAST_BELL)) | middle)
    weights = near / near.sum(dim=(2, 3), keepdim=True).clamp(min=1e-6)
    sides = (
        (x - left)[..., None, :],
        (y - top)[..., None],
        (right - x)[..., None, :],
        (bottom - y)[..., None],
    )
    distances = torch.stack([side.expand(bell.shape) for side in sides], dim=2)
    return Targets(heat, distances, weights * ~_taken(boxes, details, near > 0))


def _taken(boxes: Tensor, details: Tensor, near: Tensor) -> Tensor:
    """Where two of one detail meet, the small one has its place: which the others lose."""
    areas = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    numbers = torch.arange(areas.shape[1], device=boxes.device)
    smaller = areas[:, None] < areas[..., None]
    smaller |= (areas[:, None] == areas[..., None]) & (numbers[None] > numbers[:, None])
    rivals = smaller & (details[:, None] == details[..., None])
    return torch.einsum("nij,njhw->nihw", rivals.float(), near.float()) > 0


def _bell(at: Tensor, centre: Tensor, extent: Tensor) -> Tensor:
    spread = (_SPREAD * extent).clamp(min=0.35 * STRIDE)
    return torch.exp(-((at - centre) ** 2) / (2 * spread**2))
