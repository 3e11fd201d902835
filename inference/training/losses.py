"""What training minimises."""

import torch
from torch import Tensor
from torch.nn import functional


def accepted_loss(
    logits: Tensor, accepts: Tensor, plain: Tensor, *, plain_weight: float, smoothing: float
) -> Tensor:
    """Mean of -log P(any accepted answer), with label smoothing over all answers.

    A coarse label ("Pants") asks only that the probability lies somewhere among its categories
    (partial-label likelihood, Jin and Ghahramani 2002). Where one of them is what the label says
    by itself, -log P(it) counts with `plain_weight` beside it: else an answer that no photo has
    for its only one ("Tops" may be t-shirts) would be given to none.
    logits (N, C), accepts bool (N, C), plain int64 (N,), -1 where there is none.
    """
    log_shares = functional.log_softmax(logits, dim=1)
    right = log_shares.masked_fill(~accepts, float("-inf")).logsumexp(dim=1)
    said = log_shares.gather(1, plain.clamp(min=0)[:, None]).squeeze(1)
    weight = plain_weight * (plain >= 0).float()
    right = (1 - weight) * right + weight * said
    loss: Tensor = -((1 - smoothing) * right + smoothing * log_shares.mean(dim=1)).mean()
    return loss


def known_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over the photos that have the label (not -1); zero if none has."""
    known = labels >= 0
    total = functional.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    return total / known.sum().clamp(min=1)


def contrast_loss(images: Tensor, texts: Tensor, same: Tensor, *, scale: Tensor) -> Tensor:
    """How badly photos and texts find each other in the batch, in both directions.

    images, texts (N, D), L2-normalised; same bool (N, N): the texts of which photos fit a photo
    just as well, itself among them (symmetric; InfoNCE with several positives, Khosla et al. 2020).
    """
    logits = scale * images @ texts.T
    wanted = same.float() / same.sum(dim=1, keepdim=True)
    forth = -(wanted * functional.log_softmax(logits, dim=1)).sum(dim=1)
    back = -(wanted * functional.log_softmax(logits.T, dim=1)).sum(dim=1)
    loss: Tensor = torch.cat([forth, back]).mean()
    return loss


def attribute_loss(logits: Tensor, labels: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Sum over the keys of each key's mean cross-entropy where it is known.

    logits (N, sum of `sizes`), the keys' values one after the other; labels (N, keys), -1 unknown.
    """
    parts = logits.split_with_sizes(list(sizes), dim=1)
    losses = [known_loss(part, labels[:, key]) for key, part in enumerate(parts)]
    return torch.stack(losses).sum()
