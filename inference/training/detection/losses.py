"""What training the finder minimises."""

import torch
from torch import Tensor
from torch.nn import functional

from inference.detection import EDGE_UNIT
from inference.training.detection.augment import IGNORED


def heat_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """CenterNet's focal loss per garment; places near a middle count little as misses."""
    sure = functional.logsigmoid(logits)
    unsure = functional.logsigmoid(-logits)
    p = logits.sigmoid()
    middle = heat >= 0.999
    hits = torch.where(middle, sure * (1 - p) ** 2, 0.0)
    misses = torch.where(middle, 0.0, unsure * p**2 * (1 - heat) ** 4)
    return -(hits.sum() + misses.sum()) / middle.sum().clamp(min=1)


def edges_loss(raw: Tensor, edges: Tensor, weights: Tensor) -> Tensor:
    """1 - GIoU (Rezatofighi et al. 2019) of the boxes at each weighted place, per garment.

    raw (N, details * 4, h, w) as the network says them; edges (N, details, 4, h, w).
    """
    n, _, h, w = raw.shape
    said = functional.softplus(raw.view(n, -1, 4, h, w)) * EDGE_UNIT
    at = weights > 0
    p, t = said.movedim(2, -1)[at], edges.movedim(2, -1)[at]
    shared = torch.minimum(p, t)
    around = torch.maximum(p, t)
    inner = (shared[:, 0] + shared[:, 2]) * (shared[:, 1] + shared[:, 3])
    outer = (around[:, 0] + around[:, 2]) * (around[:, 1] + around[:, 3])
    union = (p[:, 0] + p[:, 2]) * (p[:, 1] + p[:, 3])
    union = union + (t[:, 0] + t[:, 2]) * (t[:, 1] + t[:, 3]) - inner
    giou = inner / union - (outer - union) / outer
    share = weights[at]
    return (share * (1 - giou)).sum() / share.sum().clamp(min=1)


def segments_loss(logits: Tensor, segments: Tensor) -> Tensor:
    """Cross-entropy of the known pixels, small things as heavy as half of the large ones."""
    known = segments != IGNORED
    counts = torch.bincount(segments[known], minlength=logits.shape[1]).float()
    rarity = (counts.sum() / counts.clamp(min=1)).sqrt().clamp(max=20)
    weights = rarity / ((rarity * counts).sum() / counts.sum().clamp(min=1)).clamp(min=1e-6)
    each = functional.cross_entropy(
        logits, segments, weight=weights, ignore_index=IGNORED, reduction="sum"
    )
    return each / known.sum().clamp(min=1)
