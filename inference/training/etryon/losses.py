"""What EfficientNet learns from."""

import torch
from torch import Tensor
from torch.nn import functional


def label_loss(logits: Tensor, truth: Tensor, known: Tensor, weights: Tensor) -> Tensor:
    """Binary cross-entropy over what is known, (N, L) each; what is there counts `weights` (L,)."""
    each = functional.binary_cross_entropy_with_logits(
        logits, truth, pos_weight=weights, reduction="none"
    )
    return (each * known).sum() / known.sum().clamp(min=1)


def soft_f1_loss(logits: Tensor, truth: Tensor, known: Tensor, weights: Tensor) -> Tensor:
    """1 - F1 with probabilities as counts, the mean over the labels that the batch shows.

    Where a label is not shown it can only be said wrongly: those count by cross-entropy.
    """
    said = logits.sigmoid() * known
    shown = truth * known
    hits = (said * shown).sum(0)
    f1 = 2 * hits / (said.sum(0) + shown.sum(0)).clamp(min=1e-6)
    there = shown.sum(0) > 0
    share = weights / weights.mean()
    main = ((1 - f1) * share)[there].mean() if there.any() else logits.sum() * 0
    return main + label_loss(logits, truth, known * ~there, torch.ones_like(weights))


def alignment_loss(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """CLIP's: each photo's own text among the batch's, and each text's own photo.

    images, texts (N, D) of length 1; scale: the inverse temperature. Photos whose texts are
    equal, `same` (N, N), share the answer: neither is a wrong one.
    """
    logits = scale * images @ texts.T
    wanted = same.float() / same.float().sum(1, keepdim=True)
    return (
        functional.cross_entropy(logits, wanted) + functional.cross_entropy(logits.T, wanted)
    ) / 2
