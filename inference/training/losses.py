"""What training minimises."""

from torch import Tensor
from torch.nn import functional


def accepted_loss(logits: Tensor, accepts: Tensor, *, smoothing: float) -> Tensor:
    """Mean of -log P(any accepted answer), with label smoothing over all answers.

    A coarse label ("Pants") asks only that the probability lies somewhere among its categories
    (partial-label likelihood, Jin and Ghahramani 2002). logits (N, C), accepts bool (N, C).
    """
    log_shares = functional.log_softmax(logits, dim=1)
    right = log_shares.masked_fill(~accepts, float("-inf")).logsumexp(dim=1)
    loss: Tensor = -((1 - smoothing) * right + smoothing * log_shares.mean(dim=1)).mean()
    return loss


def known_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over the photos that have the label (not -1); zero if none has."""
    known = labels >= 0
    total = functional.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    return total / known.sum().clamp(min=1)
