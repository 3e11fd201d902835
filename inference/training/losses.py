"""What training minimises."""

import torch
from torch import Tensor
from torch.nn import functional

_LEAST_SHARE = 0.25
"""A head's loss is a mean over its known photos, or over this share of all if fewer are known:
a single known photo is not to steer as much as a whole batch."""


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


def known_loss(logits: Tensor, labels: Tensor, *, classes: Tensor | None = None) -> Tensor:
    """Cross-entropy over the photos that have the label (not -1); zero if none has.

    `classes` (C,) are the answers' weights.
    """
    known = (labels >= 0).sum().clamp(min=_LEAST_SHARE * len(labels))
    total = functional.cross_entropy(
        logits, labels, weight=classes, ignore_index=-1, reduction="sum"
    )
    return total / known


def taught_loss(logits: Tensor, wanted: Tensor, *, known: Tensor) -> Tensor:
    """Cross-entropy to what teachers answer (Hinton et al. 2015), over the photos that are `known`.

    logits (N, C); wanted (N, C), each row's sum 1; known bool (N,).
    """
    surprise = -(wanted * functional.log_softmax(logits, dim=1)).sum(dim=1)
    total: Tensor = (surprise * known).sum() / known.sum().clamp(min=_LEAST_SHARE * len(known))
    return total


def contrast_loss(images: Tensor, texts: Tensor, fits: Tensor, *, scale: Tensor) -> Tensor:
    """How badly photos and texts find each other, in both directions.

    images (N, D), texts (N + M, D), L2-normalised: each photo's own, then M others, which only
    the photos are asked about; fits bool (N, N + M): the texts that are right for a photo, its
    own among them (InfoNCE with several positives, Khosla et al. 2020).
    """
    logits = scale * images @ texts.T
    count = len(images)
    forth = _surprise(logits, fits)
    back = _surprise(logits[:, :count].T, fits[:, :count].T)
    loss: Tensor = torch.cat([forth, back]).mean()
    return loss


def alike_loss(embeddings: Tensor, groups: Tensor, *, scale: float) -> Tensor:
    """How badly those of a group find each other among all others; zero if all are alone.

    embeddings (N, D), L2-normalised; groups int64 (N,), -1 for what is in none.
    """
    own = torch.eye(len(groups), dtype=torch.bool, device=groups.device)
    same = (groups[:, None] == groups[None, :]) & ~own & (groups >= 0)
    twice = same.any(dim=1)
    if not twice.any():
        return embeddings.new_zeros(())
    logits = _compare(embeddings, own, scale=scale)
    return _surprise(logits[twice], same[twice]).mean()


def likeness(embeddings: Tensor, *, scale: float) -> Tensor:
    """(N, N): for each photo how the others share its attention; the diagonal is 0.

    embeddings (N, D), L2-normalised.
    """
    own = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    return functional.softmax(_compare(embeddings, own, scale=scale), dim=1)


def taught_alike_loss(embeddings: Tensor, wanted: Tensor, *, scale: float) -> Tensor:
    """Cross-entropy between what teachers find alike and what the vectors do.

    embeddings (N, D), L2-normalised; wanted (N, N), as `likeness` gives it.
    """
    shares = likeness(embeddings, scale=scale)
    loss: Tensor = -(wanted * shares.clamp(min=1e-8).log()).sum(dim=1).mean()
    return loss


def _compare(embeddings: Tensor, own: Tensor, *, scale: float) -> Tensor:
    """Each with all others; nothing (`own`) with itself."""
    return (scale * embeddings @ embeddings.T).masked_fill(own, -1e4)


def _surprise(logits: Tensor, right: Tensor) -> Tensor:
    """Each row's cross-entropy to the even distribution over what is right; at least one is."""
    wanted = right.float() / right.sum(dim=1, keepdim=True)
    return -(wanted * functional.log_softmax(logits, dim=1)).sum(dim=1)


def attribute_losses(
    logits: Tensor, labels: Tensor, sizes: tuple[int, ...], *, classes: Tensor | None = None
) -> Tensor:
    """(keys,): each key's mean cross-entropy where it is known.

    logits (N, sum of `sizes`), the keys' values one after the other; labels (N, keys), -1 unknown;
    `classes` the values' weights, in the same order.
    """
    parts = logits.split_with_sizes(list(sizes), dim=1)
    weights = classes.split_with_sizes(list(sizes)) if classes is not None else [None] * len(sizes)
    losses = [
        known_loss(part, labels[:, key], classes=weight)
        for key, (part, weight) in enumerate(zip(parts, weights, strict=True))
    ]
    return torch.stack(losses)
