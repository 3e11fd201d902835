"""What training the finder minimises."""

import torch
from torch import Tensor
from torch.nn import functional

from inference.detection import EDGE_UNIT
from inference.training.detection.augment import IGNORED
from inference.training.detection.targets import Targets


def heat_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """CenterNet's focal loss per garment; places near a middle count little as misses."""
    sure = functional.logsigmoid(logits)
    unsure = functional.logsigmoid(-logits)
    p = logits.sigmoid()
    middle = heat >= 0.999
    hits = torch.where(middle, sure * (1 - p) ** 2, 0.0)
    misses = torch.where(middle, 0.0, unsure * p**2 * (1 - heat) ** 4)
    return -(hits.sum() + misses.sum()) / middle.sum().clamp(min=1)


def edges_loss(raw: Tensor, details: Tensor, targets: Targets) -> Tensor:
    """1 - GIoU (Rezatofighi et al. 2019) of the boxes at each weighted place, per garment.

    raw (N, details * 4, h, w) as the network says them; details (N, garments), NONE for none.
    """
    n, _, h, w = raw.shape
    at = details.clamp(min=0)[:, :, None, None, None].expand(-1, -1, 4, h, w)
    p = functional.softplus(raw.view(n, -1, 4, h, w).gather(1, at)) * EDGE_UNIT
    # Places outside of a garment count nothing; their distances are just to stay finite.
    t = targets.distances.clamp(min=0)
    shared, around = torch.minimum(p, t), torch.maximum(p, t)
    inner, outer, said, true = (
        (sides[:, :, 0] + sides[:, :, 2]) * (sides[:, :, 1] + sides[:, :, 3])
        for sides in (shared, around, p, t)
    )
    union = said + true - inner
    giou = inner / union - (outer - union) / outer
    return (targets.weights * (1 - giou)).sum() / targets.weights.sum().clamp(min=1)


def segments_loss(logits: Tensor, segments: Tensor) -> Tensor:
    """Cross-entropy of the known pixels, small things as heavy as half of the large ones."""
    known = segments != IGNORED
    # Counted this way nothing waits for the device, as it would by bincount.
    classes = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
    counts = (segments[:, None] == classes).sum(dim=(0, 2, 3)).float()
    rarity = (counts.sum() / counts.clamp(min=1)).sqrt().clamp(max=20)
    weights = rarity / ((rarity * counts).sum() / counts.sum().clamp(min=1)).clamp(min=1e-6)
    each = functional.cross_entropy(
        logits, segments, weight=weights, ignore_index=IGNORED, reduction="sum"
    )
    return each / known.sum().clamp(min=1)
