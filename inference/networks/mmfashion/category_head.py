"""Which category a garment is of."""

from typing import cast

from torch import Tensor, nn


class CategoryHead(nn.Module):
    """(N, size) → (N, categories) logits.

    Trained by cross-entropy, so their softmax is the probability. MMFashion's demo answers their
    sigmoid, which does not add up to 1; the ranking is the same.
    """

    def __init__(self, *, size: int, categories: int) -> None:
        super().__init__()
        self.linear_cate = nn.Linear(size, categories)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.linear_cate(features))
